"""What the schema shows of sessions: types, inputs and results."""

from typing import Annotated

import strawberry

from server.clock import Instant
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import ALL_STAFF, EVERYONE, Access, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound, SessionRejected
from server.members.shapes import Session

SIGNED_IN = Access(members=True, roles=ALL_STAFF)
"""Whoever has sessions."""
# ---------------------------------------------------------------- types


@shown_to(SIGNED_IN)
@strawberry.type(description="A sign-in on one device that goes on, as its owner sees it.")
class DeviceSession(Node):
    """A session without its tokens."""

    device_name: str | None = strawberry.field(
        description="What the device called itself at the sign-in: 1 to 120 characters on one "
        "line; null if it did not."
    )
    created_at: Instant = strawberry.field(description="When the device signed in.")
    last_used_at: Instant = strawberry.field(
        description="When it last got tokens: at the sign-in or with refreshSession, which an app "
        "in use does every 10 minutes."
    )
    expires_at: Instant = strawberry.field(
        description="When it ends, unless it is refreshed before: 30 days after it was last used, "
        "and at the latest 180 days after the sign-in."
    )
    is_current: bool = strawberry.field(description="Whether this request belongs to it.")


@shown_to(SIGNED_IN)
@strawberry.type(description="A session with its place in the list.")
class DeviceSessionEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The session's place, for `after`.")
    node: DeviceSession = strawberry.field(description="The session.")


@shown_to(SIGNED_IN)
@strawberry.type(description="A page of sessions, the newest sign-in first.")
class DeviceSessionConnection:
    """Relay's connection."""

    edges: list[DeviceSessionEdge] = strawberry.field(description="The sessions with their places.")
    nodes: list[DeviceSession] = strawberry.field(description="The sessions alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(EVERYONE)
@strawberry.type(description="The session is over: its tokens are refused from now on.")
class SignedOut:
    """The answer to signOut."""

    was_active: bool = strawberry.field(
        description="Whether it was active until now; false if it had been ended before."
    )


@shown_to(SIGNED_IN)
@strawberry.type(description="The session is over: its tokens are refused from now on.")
class SessionRevoked:
    """The answer to revokeSession."""

    session_id: strawberry.ID = strawberry.field(description="The id of the session.")
    was_active: bool = strawberry.field(
        description="Whether it was active until now; false if it had been ended before."
    )


@shown_to(EVERYONE)
@strawberry.type(description="The sessions are over: their tokens are refused from now on.")
class SignedOutEverywhere:
    """The answer to signOutEverywhere."""

    ended_count: int = strawberry.field(
        description="How many sessions were active until now, at least 0."
    )


# ---------------------------------------------------------------- inputs


@strawberry.input(description="A session to go on with.")
class RefreshSessionInput:
    """The input of refreshSession."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} The tokens expire all the same, so take a new key for "
        "every new refresh token."
    )
    refresh_token: str = strawberry.field(
        description="The session's latest refresh token. It works once: for the key that it was "
        "first sent with, and for 30 seconds, in case that key was lost, for any other."
    )


@strawberry.input(description="A session to end.")
class SignOutInput:
    """The input of signOut."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} `wasActive` stays what it was."
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description="A refresh token of the session to end; null for the session of the access "
        "token that this request carries.",
    )


@strawberry.input(description="Which of the caller's sessions to end.")
class RevokeSessionInput:
    """The input of revokeSession."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} `wasActive` stays what it was."
    )
    session_id: strawberry.ID = strawberry.field(description="The id of the DeviceSession.")


@strawberry.input(description="Whose sessions to end: those of the caller's account.")
class SignOutEverywhereInput:
    """The input of signOutEverywhere."""

    idempotency_key: str = strawberry.field(
        description=f"{KEY_DESCRIPTION} `endedCount` stays what it was, and later sign-ins go on."
    )
    keeps_this_session: bool = strawberry.field(
        default=False,
        description="Whether the session that asks goes on, as after finding a stranger in the "
        "list of sessions; false ends it with the others.",
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description="The latest refresh token of the session that asks; null for the session of "
        "the access token that this request carries.",
    )


# ---------------------------------------------------------------- results

RefreshSessionResult = Annotated[
    Session | InvalidInput | SessionRejected | IdempotencyConflict,
    strawberry.union(
        "RefreshSessionResult", description="The session's next tokens, or why there are none."
    ),
]
SignOutResult = Annotated[
    SignedOut | InvalidInput | SessionRejected | IdempotencyConflict,
    strawberry.union("SignOutResult", description="The end of the session, or why it goes on."),
]
RevokeSessionResult = Annotated[
    SessionRevoked | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("RevokeSessionResult", description="The end of the session, or why not."),
]
SignOutEverywhereResult = Annotated[
    SignedOutEverywhere | InvalidInput | SessionRejected | IdempotencyConflict,
    strawberry.union(
        "SignOutEverywhereResult", description="The end of the sessions, or why they go on."
    ),
]
