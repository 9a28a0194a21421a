"""Payments and holds as the schema shows them."""

from enum import Enum

import strawberry

from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import ALL_STAFF, MEMBER_DATA, access, shown_to
from server.edge.scalars import Money
from server.ledger.service import HoldStatus, HoldView
from server.money import POINTS
from server.payments import service
from server.principal import Principal, PrincipalKind, Scope
from server.programme.graphql import programme_now

_READERS = access(Scope.MEMBERS_READ, roles=ALL_STAFF)
_PAYMENT_DATA = MEMBER_DATA | access(Scope.POINTS_REDEEM)


class PaymentKind(Enum):
    """What was paid with."""

    POINTS = "points"
    CASHBACK = "cashback"
    VOUCHER = "voucher"


class PaymentStatus(Enum):
    """What became of a payment."""

    OPEN = "open"
    USED = "used"
    CANCELLED = "cancelled"


class HoldAsset(Enum):
    """What is held."""

    POINTS = "points"
    CASHBACK = "cashback"


described(
    PaymentKind,
    description="What a payment was made with.",
    POINTS="Points, at the programme's rate.",
    CASHBACK="Cashback, exact to the minor unit.",
    VOUCHER="A voucher, or a part of it.",
)
described(
    PaymentStatus,
    description="What became of a payment.",
    OPEN="It has taken its value and waits for its purchase to be recorded; it can be cancelled.",
    USED="It has paid for a purchase, whose return gives its value back.",
    CANCELLED="It was cancelled; its value was given back.",
)
described(
    HoldAsset,
    description="What a hold reserves.",
    POINTS="Points.",
    CASHBACK="Cashback.",
)
described(
    HoldStatus,
    description="What became of a hold.",
    OPEN="Its value is reserved.",
    SETTLED="It was paid with, in full or in part; the rest is free again.",
    RELEASED="It was given up; its value is free again.",
    EXPIRED="Its time is over; its value is free again.",
)


@shown_to(_PAYMENT_DATA)
@strawberry.type(description="Value that a member used at a till.")
class Payment(Node):
    """A payment."""

    kind: PaymentKind = strawberry.field(description="What it was made with.")
    status: PaymentStatus = strawberry.field(description="What became of it.")
    value: Money = strawberry.field(
        description="What it takes off the basket. For points: the points' worth at the "
        "programme's rate, rounded down to the minor unit."
    )
    points: int | None = strawberry.field(
        description="The points that it cost: only as many as `value` needs, rounded up to whole "
        "points. Null for cashback and vouchers, which cost `value` itself."
    )
    restored_value: Money = strawberry.field(
        description="How much of `value` was given back, by returns or because it was cancelled."
    )
    restored_points: int | None = strawberry.field(
        description="How many of `points` were given back; null for cashback and vouchers."
    )
    voucher_id: strawberry.ID | None = strawberry.field(
        description="The voucher that it was made with; null for points and cashback."
    )
    hold_id: strawberry.ID | None = strawberry.field(
        description="The hold that it settled; null without one."
    )
    partner: str | None = strawberry.field(
        description="Whose till took it; null if the operator's staff did."
    )
    paid_at: Instant = strawberry.field(description="When it was made.")
    cancelled_at: Instant | None = strawberry.field(
        description="When it was cancelled; null if it was not."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A payment with its place in the list.")
class PaymentEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The payment's place, for `after`.")
    node: Payment = strawberry.field(description="The payment.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of a member's payments, the newest first.")
class PaymentConnection:
    """Relay's connection."""

    edges: list[PaymentEdge] = strawberry.field(description="The payments with their places.")
    nodes: list[Payment] = strawberry.field(description="The payments alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(_PAYMENT_DATA)
@strawberry.type(description="Value that is reserved for a basket at a till, for a limited time.")
class Hold(Node):
    """A hold."""

    status: HoldStatus = strawberry.field(description="What became of it.")
    asset: HoldAsset = strawberry.field(description="What it reserves.")
    points: int | None = strawberry.field(
        description="The points that it reserved; null for cashback."
    )
    amount: Money | None = strawberry.field(
        description="The cashback that it reserved; null for points."
    )
    settled_points: int | None = strawberry.field(
        description="How many of the points were paid with, 0 until it is settled; null for "
        "cashback."
    )
    settled_amount: Money | None = strawberry.field(
        description="How much of the cashback was paid with, zero until it is settled; null for "
        "points."
    )
    created_at: Instant = strawberry.field(description="When it was made.")
    expires_at: Instant = strawberry.field(
        description="The instant at which its value is free again, unless it is settled or "
        "released before."
    )


def shown_payment(payment: service.Payment) -> Payment:
    """A payment as the schema shows it."""

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, payment.currency, payment.digits)

    status = PaymentStatus.OPEN if payment.purchase_id is None else PaymentStatus.USED
    has_points = payment.kind == PaymentKind.POINTS.value
    return Payment(
        id=nodes.global_id("Payment", payment.id),
        kind=PaymentKind(payment.kind),
        status=status if payment.cancelled_at is None else PaymentStatus.CANCELLED,
        value=money(payment.value_minor),
        points=payment.amount if has_points else None,
        restored_value=money(payment.restored_minor),
        restored_points=payment.restored_amount if has_points else None,
        voucher_id=_reference("Voucher", payment.voucher_id),
        hold_id=_reference("Hold", payment.hold_id),
        partner=payment.partner or None,
        paid_at=payment.paid_at,
        cancelled_at=payment.cancelled_at,
    )


def _reference(type_name: str, number: int | None) -> strawberry.ID | None:
    return None if number is None else nodes.global_id(type_name, number)


def shown_hold(hold: HoldView, *, digits: int, at: Instant) -> Hold:
    """A hold as it is at the instant; a major unit of its currency has 10**digits minor units."""
    is_points = hold.asset == POINTS

    def money(amount_minor: int) -> Money | None:
        return None if is_points else Money.of(amount_minor, hold.asset, digits)

    return Hold(
        id=nodes.global_id("Hold", hold.id),
        status=hold.status(at),
        asset=HoldAsset.POINTS if is_points else HoldAsset.CASHBACK,
        points=hold.amount if is_points else None,
        amount=money(hold.amount),
        settled_points=hold.settled_amount if is_points else None,
        settled_amount=money(hold.settled_amount),
        created_at=hold.created_at,
        expires_at=hold.expires_at,
    )


# ---------------------------------------------------------------- of a member


async def _payments(member_ids: list[int], limit: int, before: int) -> list[list[service.Payment]]:
    found = await service.payments(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def payments_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> PaymentConnection:
    """A page of the member's payments; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    loader = info.context.loader(_payments, limit + 1, pages.before(before))
    found = await loader.load(member_id)
    return pages.connected(
        PaymentConnection,
        PaymentEdge,
        [(payment.id, shown_payment(payment)) for payment in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _open_holds(member_ids: list[int], at: Instant) -> list[list[HoldView]]:
    found = await service.open_holds(member_ids, at)
    return [found.get(member_id, []) for member_id in member_ids]


async def holds_of_member(info: Info, member_id: int) -> list[Hold]:
    """What is held at tills for the member now; one statement for all members asked for."""
    at = info.context.at
    found = await info.context.loader(_open_holds, at).load(member_id)
    if not found:
        return []
    digits = (await programme_now(info)).programme.programme.minor_unit_digits
    return [shown_hold(hold, digits=digits, at=at) for hold in found]


def _may_see(principal: Principal, member_id: int) -> bool:
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    return is_own or _READERS.allows(principal)


@nodes.fetches("Payment")
async def _payment(info: Info, payment_id: int) -> Payment | None:
    payment = await service.payment(payment_id)
    if payment is None or not _may_see(info.context.principal, payment.member_id):
        return None
    return shown_payment(payment)


@nodes.fetches("Hold")
async def _hold(info: Info, hold_id: int) -> Hold | None:
    hold = await service.till_hold(hold_id)
    if hold is None or not _may_see(info.context.principal, hold.member_id):
        return None
    digits = (await programme_now(info)).programme.programme.minor_unit_digits
    return shown_hold(hold, digits=digits, at=info.context.at)
