"""The secrets of shops' webhooks in the schema."""

from typing import Annotated, cast

import strawberry

from server.clock import Instant, system_now
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import mutation, query, shown_to
from server.edge.problems import (
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.errors import DomainError
from server.webhooks import order_secrets, signing
from server.webhooks.order_secrets import OrderSecret, RotatedSecret
from server.webhooks.webhook_types import WEBHOOK_MANAGERS, WEBHOOK_READERS

_SHOWN_ONCE = (
    "The secret to sign orders with, as the Standard Webhooks specification has it: `whsec_` and "
    "base64. Keep it now: only a repetition of this request, with its idempotency key, shows it "
    "again."
)


# ---------------------------------------------------------------- types


@shown_to(WEBHOOK_READERS)
@strawberry.type(
    description="What a partner's shop signs its orders with, for POST /webhooks/orders; without "
    "the secret itself, which is shown once."
)
class OrderWebhookSecret(Node):
    """A secret."""

    partner: str = strawberry.field(description="Whose orders it signs.")
    created_at: Instant = strawberry.field(description="When it was made.")
    expires_at: Instant | None = strawberry.field(
        description="From when on it is refused; null if it does not expire."
    )
    is_accepted: bool = strawberry.field(description="Whether it is accepted now.")


def _shown(one: OrderSecret) -> OrderWebhookSecret:
    return OrderWebhookSecret(
        id=nodes.global_id("OrderWebhookSecret", one.id),
        partner=one.partner,
        created_at=one.created_at,
        expires_at=one.expires_at,
        is_accepted=one.is_accepted_at(system_now()),
    )


@nodes.fetches("OrderWebhookSecret")
async def _secret(info: Info, secret_id: int) -> OrderWebhookSecret | None:
    if not WEBHOOK_READERS.allows(info.context.principal):
        return None
    found = await order_secrets.find(secret_id)
    return None if found is None else _shown(found)


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A secret with its place in the list.")
class OrderWebhookSecretEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The secret's place, for `after`.")
    node: OrderWebhookSecret = strawberry.field(description="The secret.")


@shown_to(WEBHOOK_READERS)
@strawberry.type(description="A page of secrets, the newest first.")
class OrderWebhookSecretConnection:
    """Relay's connection."""

    edges: list[OrderWebhookSecretEdge] = strawberry.field(
        description="The secrets with their places."
    )
    nodes: list[OrderWebhookSecret] = strawberry.field(description="The secrets alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


# ---------------------------------------------------------------- inputs and results


@strawberry.input(description="A partner whose shop is to sign its orders.")
class CreateOrderWebhookSecretInput:
    """Input of createOrderWebhookSecret."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    partner: str = strawberry.field(
        default="house",
        description="Whose purchases its orders become: 1 to 64 printable characters.",
    )


@strawberry.input(description="A secret to replace.")
class RotateOrderWebhookSecretInput:
    """Input of rotateOrderWebhookSecret."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    order_webhook_secret_id: strawberry.ID = strawberry.field(description="Which secret.")
    overlap_hours: int = strawberry.field(
        default=24,
        description="For how many hours more the former secret is accepted: 0 to 720.",
    )


@strawberry.input(description="A secret to revoke.")
class RevokeOrderWebhookSecretInput:
    """Input of revokeOrderWebhookSecret."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    order_webhook_secret_id: strawberry.ID = strawberry.field(description="Which secret.")


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="A secret for a shop's orders was made.")
class OrderWebhookSecretCreated:
    """A new secret."""

    order_webhook_secret: OrderWebhookSecret = strawberry.field(description="What is known of it.")
    secret: str = strawberry.field(description=_SHOWN_ONCE)


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="A secret has another that takes its place.")
class OrderWebhookSecretRotated:
    """A new secret, and the former one."""

    order_webhook_secret: OrderWebhookSecret = strawberry.field(description="The new one.")
    secret: str = strawberry.field(description=_SHOWN_ONCE)
    former: OrderWebhookSecret = strawberry.field(
        description="The former one, which is accepted until it expires."
    )


@shown_to(WEBHOOK_MANAGERS)
@strawberry.type(description="A secret is revoked: it is refused from now on.")
class OrderWebhookSecretRevoked:
    """A revoked secret."""

    order_webhook_secret: OrderWebhookSecret = strawberry.field(description="The secret.")


CreateOrderWebhookSecretResult = Annotated[
    OrderWebhookSecretCreated | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union(
        "CreateOrderWebhookSecretResult", description="The new secret, or why there is none."
    ),
]
RotateOrderWebhookSecretResult = Annotated[
    OrderWebhookSecretRotated
    | InvalidInput
    | NotFound
    | NotAllowed
    | LimitReached
    | IdempotencyConflict,
    strawberry.union(
        "RotateOrderWebhookSecretResult", description="The new secret, or why there is none."
    ),
]
RevokeOrderWebhookSecretResult = Annotated[
    OrderWebhookSecretRevoked | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union(
        "RevokeOrderWebhookSecretResult", description="The revoked secret, or why it is not."
    ),
]


# ---------------------------------------------------------------- root fields


async def _created(input: CreateOrderWebhookSecretInput) -> OrderSecret:
    try:
        return await order_secrets.create(input.partner)
    except DomainError as error:
        raise error.below("input") from None


async def _rotated(input: RotateOrderWebhookSecretInput) -> RotatedSecret:
    number = nodes.number_of(input.order_webhook_secret_id, "OrderWebhookSecret")
    try:
        return await order_secrets.rotate(number, overlap_hours=input.overlap_hours)
    except DomainError as error:
        raise error.below("input") from None


async def _revoked(input: RevokeOrderWebhookSecretInput) -> OrderSecret:
    number = nodes.number_of(input.order_webhook_secret_id, "OrderWebhookSecret")
    try:
        return await order_secrets.revoke(number)
    except DomainError as error:
        raise error.below("input") from None


@strawberry.type
class OrderWebhookQueries:
    """The root field that reads the secrets of shops."""

    @query(
        WEBHOOK_READERS,
        description="The secrets that shops sign orders with, ended ones included, the newest "
        "first.",
    )
    async def order_webhook_secrets(
        self,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> OrderWebhookSecretConnection:
        """A page of secrets."""
        limit, before = pages.page(first, after)
        found = await order_secrets.secrets(before=pages.before(before), limit=limit + 1)
        return pages.connected(
            OrderWebhookSecretConnection,
            OrderWebhookSecretEdge,
            [(one.id, _shown(one)) for one in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


@strawberry.type
class OrderWebhookMutations:
    """The root fields that write the secrets of shops."""

    @mutation(
        WEBHOOK_MANAGERS,
        description="Let a partner's shop tell of paid and refunded orders by webhooks of its own, "
        "posted to /webhooks/orders. The secret that it signs them with is shown this once.",
    )
    async def create_order_webhook_secret(
        self,
        info: Info,
        input: Annotated[
            CreateOrderWebhookSecretInput, strawberry.argument(description="Whose orders.")
        ],
    ) -> CreateOrderWebhookSecretResult:
        """Make a secret."""

        async def present(made: OrderSecret) -> OrderWebhookSecretCreated:
            return OrderWebhookSecretCreated(
                order_webhook_secret=_shown(made), secret=await signing.derived_secret(made.id)
            )

        answer = await write_once(
            info, input, work=lambda: _created(input), result=OrderSecret, present=present
        )
        return cast(CreateOrderWebhookSecretResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Replace the secret of a shop's orders by a new one, which is shown this once; "
        "the former one is accepted for some hours more. NotAllowed for one that has ended.",
    )
    async def rotate_order_webhook_secret(
        self,
        info: Info,
        input: Annotated[
            RotateOrderWebhookSecretInput, strawberry.argument(description="Which secret.")
        ],
    ) -> RotateOrderWebhookSecretResult:
        """Replace a secret."""

        async def present(rotated: RotatedSecret) -> OrderWebhookSecretRotated:
            return OrderWebhookSecretRotated(
                order_webhook_secret=_shown(rotated.made),
                secret=await signing.derived_secret(rotated.made.id),
                former=_shown(rotated.former),
            )

        answer = await write_once(
            info, input, work=lambda: _rotated(input), result=RotatedSecret, present=present
        )
        return cast(RotateOrderWebhookSecretResult, answer)

    @mutation(
        WEBHOOK_MANAGERS,
        description="Revoke the secret of a shop's orders: it is refused from now on. Revoking one "
        "that has ended changes nothing.",
    )
    async def revoke_order_webhook_secret(
        self,
        info: Info,
        input: Annotated[
            RevokeOrderWebhookSecretInput, strawberry.argument(description="Which secret.")
        ],
    ) -> RevokeOrderWebhookSecretResult:
        """Revoke a secret."""
        answer = await write_once(
            info,
            input,
            work=lambda: _revoked(input),
            result=OrderSecret,
            present=lambda one: OrderWebhookSecretRevoked(order_webhook_secret=_shown(one)),
        )
        return cast(RevokeOrderWebhookSecretResult, answer)
