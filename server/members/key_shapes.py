"""What the schema shows of API keys: types, inputs and results."""

from typing import Annotated

import strawberry

from server.clock import Instant, system_now
from server.edge import nodes
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import access, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotAllowed, NotFound
from server.members.api_keys import ApiKeyState, ApiKeyView
from server.principal import KeyKind, Scope, StaffRole

KEY_MANAGERS = access(roles=frozenset({StaffRole.MANAGER}))
KEY_READERS = access(roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR}))

described(
    Scope,
    name="ApiKeyScope",
    description="One thing that an API key may do.",
    MEMBERS_ENROL="Enrol members.",
    MEMBERS_READ="Find members and see their balances.",
    CARDS_WRITE="Block and replace cards.",
    PURCHASES_WRITE="Record purchases and returns of its partner, and see those purchases.",
    POINTS_REDEEM="Redeem points, and take points, cashback and vouchers as payment.",
    PAYOUTS_WRITE="Report payouts as paid or failed.",
    INSIGHTS_READ="Read the programme's reports.",
    SETTLEMENTS_READ="Read what the key's own partner pays for and is owed.",
    SCHEMA_READ="Ask for the schema itself, as developers' tools do.",
    SIMULATE_TIME="Name the time of a request, on a server that allows it.",
)
described(
    KeyKind,
    name="ApiKeyKind",
    description="What an API key is for: the usual scopes of each.",
    TILL="A till: PURCHASES_WRITE, POINTS_REDEEM and MEMBERS_READ.",
    SHOP="A shop's counter: as a till, with MEMBERS_ENROL and CARDS_WRITE.",
    PARTNER="A partner's own systems: PURCHASES_WRITE alone, so that it sees its own purchases "
    "and nothing else.",
)
described(
    ApiKeyState,
    description="Whether an API key is accepted.",
    ACTIVE="It is accepted.",
    EXPIRED="Its time is over; it is refused.",
    REVOKED="It was revoked; it is refused.",
)


# ---------------------------------------------------------------- types


@shown_to(KEY_READERS)
@strawberry.type(
    description="The API key of a till, a shop or a partner, without the secret: that is shown "
    "once, when the key is made."
)
class ApiKey(Node):
    """An API key."""

    name: str = strawberry.field(description="Whose key it is, for the operator's own lists.")
    partner: str = strawberry.field(description="Whose purchases it records and sees.")
    scopes: list[Scope] = strawberry.field(description="What it may do.")
    created_at: Instant = strawberry.field(description="When it was made.")
    expires_at: Instant | None = strawberry.field(
        description="From when on it is refused; null if it does not expire."
    )
    revoked_at: Instant | None = strawberry.field(
        description="When it was revoked; null if it was not."
    )
    last_used_at: Instant | None = strawberry.field(
        description="When it was last used, to the minute; null if it never was."
    )
    replaces_id: strawberry.ID | None = strawberry.field(
        description="The id of the key whose place it takes; null if it takes none's."
    )
    state: ApiKeyState = strawberry.field(description="Whether it is accepted now.")


@shown_to(KEY_READERS)
@strawberry.type(description="An API key with its place in the list.")
class ApiKeyEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The key's place, for `after`.")
    node: ApiKey = strawberry.field(description="The key.")


@shown_to(KEY_READERS)
@strawberry.type(description="A page of API keys, the newest first.")
class ApiKeyConnection:
    """Relay's connection."""

    edges: list[ApiKeyEdge] = strawberry.field(description="The keys with their places.")
    nodes: list[ApiKey] = strawberry.field(description="The keys alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def shown_key(view: ApiKeyView) -> ApiKey:
    """A key as the schema shows it."""
    replaced = view.replaces_id
    return ApiKey(
        id=nodes.global_id("ApiKey", view.id),
        name=view.name,
        partner=view.partner,
        scopes=[scope for scope in Scope if scope.value in view.scopes],
        created_at=view.created_at,
        expires_at=view.expires_at,
        revoked_at=view.revoked_at,
        last_used_at=view.last_used_at,
        replaces_id=None if replaced is None else nodes.global_id("ApiKey", replaced),
        state=view.state_at(system_now()),
    )


# ---------------------------------------------------------------- inputs and results


@strawberry.input(description="An API key to make. Either `kind` or `scopes` says what it may do.")
class CreateApiKeyInput:
    """A new key."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    name: str = strawberry.field(
        description="Whose key it is, for the operator's own lists: 1 to 120 characters."
    )
    partner: str = strawberry.field(
        default="house",
        description="Whose purchases it records and sees: 1 to 64 printable characters.",
    )
    kind: KeyKind | None = strawberry.field(
        default=None, description="What it is for; null if `scopes` says what it may do."
    )
    scopes: list[Scope] | None = strawberry.field(
        default=None, description="What it may do, one or more; null if `kind` says it."
    )
    expires_at: Instant | None = strawberry.field(
        default=strawberry.UNSET,
        description="From when on it is refused, within 3,650 days; after 365 days if left out; "
        "never, if null.",
    )


@strawberry.input(description="An API key to replace by a new one with the same rights.")
class ReplaceApiKeyInput:
    """A key to replace."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    api_key_id: strawberry.ID = strawberry.field(description="Which key.")
    overlap_hours: int = strawberry.field(
        default=24,
        description="For how many hours more the former key is accepted, so that tills can change "
        "over: 0 to 720.",
    )


@strawberry.input(description="An API key to revoke.")
class RevokeApiKeyInput:
    """A key to revoke."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    api_key_id: strawberry.ID = strawberry.field(description="Which key.")


@shown_to(KEY_MANAGERS)
@strawberry.type(description="An API key was made.")
class ApiKeyCreated:
    """A new key with its secret."""

    api_key: ApiKey = strawberry.field(description="The key, as it was made.")
    key: str = strawberry.field(
        description="The secret to send as `Authorization: Bearer ...`. Keep it now: only a "
        "repetition of this request, with its idempotency key, shows it again."
    )


@shown_to(KEY_MANAGERS)
@strawberry.type(description="An API key has another that takes its place.")
class ApiKeyReplaced:
    """A new key with its secret, and the former one."""

    api_key: ApiKey = strawberry.field(description="The new key, as it was made.")
    key: str = strawberry.field(
        description="The new key's secret. Keep it now: only a repetition of this request, with "
        "its idempotency key, shows it again."
    )
    former: ApiKey = strawberry.field(
        description="The former key; it is accepted until it expires, after the overlap."
    )


@shown_to(KEY_MANAGERS)
@strawberry.type(description="An API key is revoked: it is refused from now on.")
class ApiKeyRevoked:
    """A revoked key."""

    api_key: ApiKey = strawberry.field(description="The key.")


CreateApiKeyResult = Annotated[
    ApiKeyCreated | InvalidInput | IdempotencyConflict,
    strawberry.union("CreateApiKeyResult", description="The new key, or why there is none."),
]
ReplaceApiKeyResult = Annotated[
    ApiKeyReplaced | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union("ReplaceApiKeyResult", description="The new key, or why there is none."),
]
RevokeApiKeyResult = Annotated[
    ApiKeyRevoked | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("RevokeApiKeyResult", description="The revoked key, or why it is not."),
]
