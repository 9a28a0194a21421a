"""Going on with sessions, looking at them and ending them, in the schema."""

from typing import Annotated, cast

import msgspec
import strawberry

from server.edge import attempts, nodes, pages
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import EVERYONE, check, mutation, query
from server.edge.problems import Problem, SessionRejected, problem_of
from server.errors import DomainError
from server.members import limits, service
from server.members.session_shapes import (
    SIGNED_IN,
    DeviceSession,
    DeviceSessionConnection,
    DeviceSessionEdge,
    RefreshSessionInput,
    RefreshSessionResult,
    RevokeSessionInput,
    RevokeSessionResult,
    SessionRevoked,
    SignedOut,
    SignedOutEverywhere,
    SignOutEverywhereInput,
    SignOutEverywhereResult,
    SignOutInput,
    SignOutResult,
)
from server.members.shapes import Session
from server.refusals import Refusal

_SESSION_PATH = ("input", "sessionId")


class _Refreshed(msgspec.Struct, frozen=True):
    """What refreshSession answers: a refusal too, if it is for an end that must be kept."""

    answer: service.OpenedSession | Refusal


class _Ended(msgspec.Struct, frozen=True):
    """What signOut and revokeSession answer."""

    was_active: int  # 1 or 0


class _EndedEverywhere(msgspec.Struct, frozen=True):
    """What signOutEverywhere answers."""

    ended_count: int


async def session_shown(opened: service.OpenedSession) -> Session:
    """The session with its tokens, which are made for this and kept nowhere."""
    tokens = await service.session_tokens(opened)
    return Session(
        access_token=tokens.access_token,
        access_token_expires_at=tokens.access_token_expires_at,
        refresh_token=tokens.refresh_token,
        refresh_token_expires_at=tokens.refresh_token_expires_at,
        member_id=None if opened.member_id is None else nodes.global_id("Member", opened.member_id),
    )


def _device_session(info: Info, view: service.SessionView) -> DeviceSession:
    return DeviceSession(
        id=nodes.global_id("DeviceSession", view.id),
        device_name=view.device_name,
        created_at=view.created_at,
        last_used_at=view.last_used_at,
        expires_at=view.expires_at,
        is_current=view.id == info.context.principal.session_id,
    )


@nodes.fetches("DeviceSession")
async def _session_node(info: Info, session_id: int) -> DeviceSession | None:
    principal = info.context.principal
    if not SIGNED_IN.allows(principal):
        return None
    view = await service.session_of(principal.id, session_id)
    return None if view is None else _device_session(info, view)


def _of_session(shown: service.ShownRefreshToken) -> str:
    return f"session {shown.session_id}"


async def _shown(info: Info, refresh_token: str | None) -> service.ShownRefreshToken | None:
    """What the refresh token says, None without one: then the caller has to be signed in.

    Raises SessionRejected for a token that is not ours.
    """
    if refresh_token is None:
        check(SIGNED_IN, info.context.principal)
        return None
    return await service.shown_refresh_token(refresh_token)


async def _refresh(info: Info, input: RefreshSessionInput) -> RefreshSessionResult:
    try:
        shown = await service.shown_refresh_token(input.refresh_token)
    except DomainError as error:
        return cast(RefreshSessionResult, problem_of(error, info.context.language))

    async def work() -> _Refreshed:
        return _Refreshed(await service.refresh_session(shown))

    async def present(refreshed: _Refreshed) -> Session | Problem:
        if isinstance(refreshed.answer, Refusal):
            return problem_of(refreshed.answer.error(), info.context.language)
        return await session_shown(refreshed.answer)

    answer = await write_once(
        info,
        input,
        work=work,
        result=_Refreshed,
        present=present,
        hashed=shown,
        whom=_of_session(shown),
    )
    return cast(RefreshSessionResult, answer)


@strawberry.type
class SessionQueries:
    """The root fields that read sessions."""

    @query(
        SIGNED_IN,
        description="The sessions of the signed-in member or member of staff that go on, the "
        "newest sign-in first: on which devices somebody is signed in.",
    )
    async def sessions(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> DeviceSessionConnection:
        """A page of the caller's sessions."""
        limit, position = pages.page(first, after)
        page = await service.page_of_sessions(
            info.context.principal.id, first=limit, before_id=position
        )
        return pages.connected(
            DeviceSessionConnection,
            DeviceSessionEdge,
            [(view.id, _device_session(info, view)) for view in page.sessions],
            has_next=page.has_next,
            after=after,
        )


@strawberry.type
class SessionMutations:
    """The root fields that go on with sessions or end them."""

    @mutation(
        EVERYONE,
        description="Get a session's next tokens. A refresh token that was used before with "
        "another key, more than 30 seconds ago, ends the session, since somebody else may have it.",
    )
    async def refresh_session(
        self,
        info: Info,
        input: Annotated[
            RefreshSessionInput, strawberry.argument(description="Which session to go on with.")
        ],
    ) -> RefreshSessionResult:
        """Begin the session's next generation."""
        return await attempts.counting_failures(
            limits.REFRESH_CLIENT,
            limits.client(info),
            lambda: _refresh(info, input),
            is_failure=lambda answer: isinstance(answer, SessionRejected),
        )

    @mutation(
        EVERYONE,
        description="End a session: the caller's, or the one that a refresh token belongs to. "
        "Its access token is refused from then on, also when this is sent again with it; with a "
        "refresh token, and without an access token, it may be sent again at any time.",
    )
    async def sign_out(
        self,
        info: Info,
        input: Annotated[SignOutInput, strawberry.argument(description="Which session to end.")],
    ) -> SignOutResult:
        """End a session."""
        try:
            shown = await _shown(info, input.refresh_token)
        except DomainError as error:
            return cast(SignOutResult, problem_of(error, info.context.language))
        session_id = info.context.principal.session_id or 0 if shown is None else shown.session_id

        async def work() -> _Ended:
            return _Ended(int(await service.sign_out(session_id=session_id)))

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Ended,
            present=lambda ended: SignedOut(was_active=bool(ended.was_active)),
            # The session is part of the content: a key that was used on one device must not seem
            # to sign out another.
            hashed={"session_id": session_id} if shown is None else shown,
            whom=None if shown is None else _of_session(shown),
        )
        return cast(SignOutResult, answer)

    @mutation(
        SIGNED_IN,
        description="End one of the caller's sessions, such as that of a lost phone. Another's "
        "session is answered like one that does not exist: NotFound. Who ends the session of this "
        "very request is refused when they send it again.",
    )
    async def revoke_session(
        self,
        info: Info,
        input: Annotated[
            RevokeSessionInput, strawberry.argument(description="Which session to end.")
        ],
    ) -> RevokeSessionResult:
        """End one of one's own sessions."""

        async def work() -> _Ended:
            number = nodes.number_of(input.session_id, "DeviceSession")
            try:
                stood = await service.revoke_session(number, account_id=info.context.principal.id)
            except DomainError as error:
                raise error.below(*_SESSION_PATH) from None
            return _Ended(int(stood))

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Ended,
            present=lambda ended: SessionRevoked(
                session_id=input.session_id, was_active=bool(ended.was_active)
            ),
        )
        return cast(RevokeSessionResult, answer)

    @mutation(
        EVERYONE,
        description="End all sessions of the caller's account, or all but this one. Access tokens "
        "are refused from then on, also when this is sent again with one; sent again with the same "
        "key and this session's refresh token, without an access token, it answers the same at any "
        "time.",
    )
    async def sign_out_everywhere(
        self,
        info: Info,
        input: Annotated[
            SignOutEverywhereInput, strawberry.argument(description="Whose sessions to end.")
        ],
    ) -> SignOutEverywhereResult:
        """End the account's sessions."""
        principal, shown = info.context.principal, None
        try:
            shown = await _shown(info, input.refresh_token)
        except DomainError as error:
            return cast(SignOutEverywhereResult, problem_of(error, info.context.language))
        session_id = principal.session_id or 0 if shown is None else shown.session_id

        async def work() -> _EndedEverywhere:
            account_id = (
                principal.id if shown is None else await service.account_of_refresh_token(shown)
            )
            kept = session_id if input.keeps_this_session else None
            return _EndedEverywhere(
                await service.sign_out_everywhere(account_id, kept_session_id=kept)
            )

        answer = await write_once(
            info,
            input,
            work=work,
            result=_EndedEverywhere,
            present=lambda ended: SignedOutEverywhere(ended_count=ended.ended_count),
            # The same for both of the session's tokens: who is refused with one repeats it with
            # the other.
            hashed={"keeps_this_session": input.keeps_this_session, "session_id": session_id},
            whom=f"session {session_id}",
        )
        return cast(SignOutEverywhereResult, answer)
