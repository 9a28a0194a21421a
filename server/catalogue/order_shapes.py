"""Orders in the schema: what is shown of one, asked for and answered."""

from typing import Annotated

import strawberry

from server.cards import barcodes
from server.cards.barcodes import Symbology
from server.cards.graphql import Barcode, CardUnusable, MemberReference
from server.catalogue import rules, service
from server.catalogue.documents import RewardDocument
from server.catalogue.problems import NotInAudience, NotYetOpen
from server.catalogue.service import OrderStatus, OrderView
from server.catalogue.shapes import RewardKind
from server.clock import NEVER, Instant
from server.definitions import service as definitions
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, MEMBER_DATA, OPERATORS, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.principal import Scope
from server.rewards import service as rewards
from server.rewards.graphql import Voucher, shown_voucher
from server.rewards.service import VoucherView

TILLS = access(Scope.POINTS_REDEEM, roles=OPERATORS)
"""Who hands rewards over; also who sees an order's code: it is all that one needs to get it."""
ORDERERS = MEMBER | TILLS
_ORDER_DATA = MEMBER_DATA | TILLS

described(
    OrderStatus,
    name="RewardOrderStatus",
    description="What has become of an order.",
    ISSUED="Its points are spent; the shop sees to it.",
    READY="It can be picked up, or is on its way.",
    DELIVERED="The member has it.",
    CANCELLED="Its points were given back.",
)


@shown_to(_ORDER_DATA)
@strawberry.type(description="Units of a reward that a member bought with points.")
class RewardOrder(Node):
    """An order."""

    member_id: strawberry.ID = strawberry.field(description="The member's id in this API.")
    reward_key: str = strawberry.field(description="Which reward.")
    kind: RewardKind = strawberry.field(description="What the reward is.")
    quantity: int = strawberry.field(description="How many units.")
    points: int = strawberry.field(description="The points that all units cost together.")
    money: Money | None = strawberry.field(
        description="What is to be paid for them at the counter besides; null if nothing."
    )
    is_paid: bool = strawberry.field(
        description="Whether nothing is to be paid at the counter any more."
    )
    money_to_refund: Money | None = strawberry.field(
        description="Money that was paid for a cancelled order, which the shop is to give back; "
        "null if none is."
    )
    status: OrderStatus = strawberry.field(description="What has become of it.")
    code: str = strawberry.field(
        description="What the member shows to get it; of a voucher, the voucher's code.",
        directives=[ORDERERS.directive],
    )
    ordered_at: Instant = strawberry.field(description="When it was ordered.")
    ready_at: Instant | None = strawberry.field(description="When it was made ready; null before.")
    delivered_at: Instant | None = strawberry.field(
        description="When the member got it; null before."
    )
    cancelled_at: Instant | None = strawberry.field(
        description="When it was cancelled; null if it is not."
    )
    paid_at: Instant | None = strawberry.field(
        description="When its money was paid at the counter; null before, or if there is none."
    )
    expires_at: Instant | None = strawberry.field(
        description="From when on its code is no longer good; null for never."
    )
    refundable_until: Instant | None = strawberry.field(
        description="From when on it can't be cancelled any more; null for never."
    )
    view: strawberry.Private[OrderView]

    @computed(description="What the reward was called when it was ordered, in one's own language.")
    async def title(self, info: Info) -> str:
        """The reward's title."""
        wanted = (self.view.reward_key, self.view.reward_version)
        document = await info.context.loader(_documents).load(wanted)
        return rules.text_of(document, info.context.language)[1].title

    @computed(description="The code as a barcode.", rule=ORDERERS)
    def barcode(
        self,
        symbology: Annotated[
            Symbology, strawberry.argument(description="The kind of barcode.")
        ] = Symbology.QR,
    ) -> Barcode:
        """Draw the code."""
        svg = barcodes.code_svg(self.view.code, symbology)
        return Barcode(symbology=symbology, svg=svg, value=self.view.code)

    @computed(description="The voucher that was ordered; null if it is something else.")
    async def voucher(self, info: Info) -> Voucher | None:
        """The voucher."""
        if self.view.kind != RewardKind.VOUCHER.value:
            return None
        found = await info.context.loader(_vouchers).load(self.view.id)
        return None if found is None else shown_voucher(found)


async def _documents(versions: list[tuple[str, int]]) -> list[RewardDocument]:
    shelf = (await definitions.shelves()).of("reward")
    return [shelf.numbered(key, version).document for key, version in versions]


async def _vouchers(voucher_ids: list[int]) -> list[VoucherView | None]:
    found = await rewards.vouchers_by_id(voucher_ids)
    return [found.get(voucher_id) for voucher_id in voucher_ids]


def _unless_never(instant: Instant) -> Instant | None:
    return None if instant == NEVER else instant


def shown_order(order: OrderView) -> RewardOrder:
    """An order as the schema shows it."""

    def money(amount_minor: int) -> Money | None:
        return Money.of(amount_minor, order.currency, order.digits) if amount_minor else None

    return RewardOrder(
        id=nodes.global_id("RewardOrder", order.id),
        member_id=nodes.global_id("Member", order.member_id),
        reward_key=order.reward_key,
        kind=RewardKind(order.kind),
        quantity=order.quantity,
        points=order.points,
        money=money(order.money_minor),
        is_paid=not order.money_minor or order.paid_at is not None,
        money_to_refund=money(order.refund_minor),
        status=order.status,
        code=order.code,
        ordered_at=order.ordered_at,
        ready_at=order.ready_at,
        delivered_at=order.delivered_at,
        cancelled_at=order.cancelled_at,
        paid_at=order.paid_at,
        expires_at=_unless_never(order.expires_at),
        refundable_until=_unless_never(order.refund_until),
        view=order,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="An order with its place in the list.")
class RewardOrderEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The order's place, for `after`.")
    node: RewardOrder = strawberry.field(description="The order.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of orders, the newest first.")
class RewardOrderConnection:
    """Relay's connection."""

    edges: list[RewardOrderEdge] = strawberry.field(description="The orders with their places.")
    nodes: list[RewardOrder] = strawberry.field(description="The orders alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


# ---------------------------------------------------------------- inputs and results

_REWARD_KEY = "Which reward: its `key`."


@strawberry.input(description="What to order.")
class OrderRewardInput:
    """Input of orderReward."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_key: str = strawberry.field(description=_REWARD_KEY)
    quantity: int = strawberry.field(default=1, description="How many units: 1 to 100.")
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who orders; the signed-in member, if left out. Members may name no one.",
    )
    from_household: bool = strawberry.field(
        default=False,
        description="Whether to use the points of the member's whole household, together in the "
        "order in which they expire. The member must be its owner or one who may spend.",
    )


@shown_to(ORDERERS)
@strawberry.type(description="Something was ordered.")
class RewardOrdered:
    """Success of an order."""

    order: RewardOrder = strawberry.field(description="The order.")
    points_available_after: int = strawberry.field(
        description="Points that could be spent directly after this order."
    )


def shown_ordered(ordered: service.Ordered) -> RewardOrdered:
    """An order just made, as the schema shows it."""
    return RewardOrdered(
        order=shown_order(ordered.order), points_available_after=ordered.points_available_after
    )


@strawberry.input(description="Which order is cancelled, by exactly one of the two.")
class CancelRewardOrderInput:
    """Input of cancelRewardOrder."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_order_id: strawberry.ID | None = strawberry.field(
        default=None, description="The order's id."
    )
    order_code: str | None = strawberry.field(
        default=None, description="The order's code, in any case, with or without its hyphen."
    )


@strawberry.input(description="Which order is ready, by exactly one of the two.")
class MarkRewardReadyInput:
    """Input of markRewardReady."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_order_id: strawberry.ID | None = strawberry.field(
        default=None, description="The order's id."
    )
    order_code: str | None = strawberry.field(
        default=None, description="The order's code, in any case, with or without its hyphen."
    )


@strawberry.input(description="Which order the member has got, by exactly one of the two.")
class MarkRewardDeliveredInput:
    """Input of markRewardDelivered."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_order_id: strawberry.ID | None = strawberry.field(
        default=None, description="The order's id."
    )
    order_code: str | None = strawberry.field(
        default=None, description="The order's code, in any case, with or without its hyphen."
    )


@strawberry.input(description="Which order was paid for, by exactly one of the two.")
class PayRewardOrderInput:
    """Input of payRewardOrder."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_order_id: strawberry.ID | None = strawberry.field(
        default=None, description="The order's id."
    )
    order_code: str | None = strawberry.field(
        default=None, description="The order's code, in any case, with or without its hyphen."
    )


@shown_to(ORDERERS)
@strawberry.type(description="The request was done; repeating it changes nothing more.")
class RewardOrderChanged:
    """Success of the mutations of orders."""

    order: RewardOrder = strawberry.field(description="The order as this request left it.")


OrderRewardResult = Annotated[
    RewardOrdered
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotYetOpen
    | NotInAudience
    | NotAllowed
    | LimitReached
    | InsufficientPoints
    | IdempotencyConflict,
    strawberry.union("OrderRewardResult", description="The order, or why there is none."),
]
_CHANGED = "The order, or why it stays as it is."
CancelRewardOrderResult = Annotated[
    RewardOrderChanged
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | NotAllowed
    | IdempotencyConflict,
    strawberry.union("CancelRewardOrderResult", description=_CHANGED),
]
MarkRewardReadyResult = Annotated[
    RewardOrderChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("MarkRewardReadyResult", description=_CHANGED),
]
MarkRewardDeliveredResult = Annotated[
    RewardOrderChanged
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | NotAllowed
    | IdempotencyConflict,
    strawberry.union("MarkRewardDeliveredResult", description=_CHANGED),
]
PayRewardOrderResult = Annotated[
    RewardOrderChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("PayRewardOrderResult", description=_CHANGED),
]


# ---------------------------------------------------------------- favourites


@strawberry.input(description="Which reward the member likes.")
class FavouriteRewardInput:
    """Input of favouriteReward."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_key: str = strawberry.field(description=_REWARD_KEY)


@strawberry.input(description="Which reward the member no longer likes.")
class UnfavouriteRewardInput:
    """Input of unfavouriteReward."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    reward_key: str = strawberry.field(description=_REWARD_KEY)


@shown_to(MEMBER)
@strawberry.type(description="It is known whether the member likes the reward.")
class RewardFavoured:
    """Success of the mutations of favourites."""

    reward_key: str = strawberry.field(description="Which reward.")
    is_favourite: bool = strawberry.field(description="Whether the member likes it now.")


FavouriteRewardResult = Annotated[
    RewardFavoured | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("FavouriteRewardResult", description="What is known now, or why not."),
]
UnfavouriteRewardResult = Annotated[
    RewardFavoured | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("UnfavouriteRewardResult", description="What is known now, or why not."),
]
