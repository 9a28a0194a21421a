"""What the mutations of payments answer, as the schema has it."""

from typing import Annotated, Any

import strawberry

from server.cards.graphql import CardUnusable
from server.edge.permissions import OPERATORS, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientCashback,
    InsufficientPoints,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.money import POINTS
from server.payments import service
from server.payments.shown import Hold, Payment, shown_hold, shown_payment
from server.principal import Scope

TILLS = access(Scope.POINTS_REDEEM, roles=OPERATORS)
"""Who takes value at tills."""

_POINTS_AFTER = (
    "Points that can be spent directly afterwards: the member's, or the household's where it paid; "
    "null unless this was about points."
)
_CASHBACK_AFTER = (
    "The member's cashback that can be used directly afterwards; null unless this was about "
    "cashback."
)


@shown_to(TILLS)
@strawberry.type(description="Something was taken off the basket.")
class Paid:
    """Success of a payment."""

    payment: Payment = strawberry.field(description="The payment.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)
    voucher_remaining_after: Money | None = strawberry.field(
        description="What remains of the voucher; null unless it was paid with one."
    )


@shown_to(TILLS)
@strawberry.type(description="Value is reserved.")
class Held:
    """Success of hold."""

    hold: Hold = strawberry.field(description="The hold.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)


@shown_to(TILLS)
@strawberry.type(description="The hold was given up; its value is free again.")
class HoldReleased:
    """Success of release."""

    hold: Hold = strawberry.field(description="The hold.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)


@shown_to(TILLS)
@strawberry.type(description="The payment was cancelled; its value was given back.")
class PaymentCancelled:
    """Success of cancelPayment."""

    payment: Payment = strawberry.field(description="The payment.")
    points_with_grace: int | None = strawberry.field(
        description="Of the points given back, how many had lapsed meanwhile and got a new expiry, "
        "after the programme's days of grace; null unless it was paid with points."
    )
    cashback_with_grace: Money | None = strawberry.field(
        description="Of the cashback given back, how much had lapsed meanwhile and got a new "
        "expiry; null unless it was paid with cashback."
    )


def shown_paid(paid: service.Paid) -> Paid:
    """A payment that was made, as the schema shows it."""
    payment, after = paid.payment, paid.available_after
    money = Money.of(after, payment.currency, payment.digits)
    return Paid(
        payment=shown_payment(payment),
        points_available_after=after if payment.kind == "points" else None,
        cashback_available_after=money if payment.kind == "cashback" else None,
        voucher_remaining_after=money if payment.kind == "voucher" else None,
    )


def shown_held(held: service.Held) -> Held:
    """A new hold as the schema shows it."""
    return Held(**_held(held))


def shown_released(held: service.Held) -> HoldReleased:
    """A released hold as the schema shows it."""
    return HoldReleased(**_held(held))


def _held(held: service.Held) -> dict[str, Any]:
    hold, after = held.hold, held.available_after
    is_points = hold.asset == POINTS
    # As it was when it was answered first, however late it is answered again.
    at = hold.created_at if hold.resolved_at is None else hold.resolved_at
    return {
        "hold": shown_hold(hold, digits=held.digits, at=at),
        "points_available_after": after if is_points else None,
        "cashback_available_after": None if is_points else Money.of(after, hold.asset, held.digits),
    }


def shown_cancelled(cancelled: service.Cancelled) -> PaymentCancelled:
    """A cancelled payment as the schema shows it."""
    payment, with_grace = cancelled.payment, cancelled.restored.with_grace
    return PaymentCancelled(
        payment=shown_payment(payment),
        points_with_grace=with_grace if payment.kind == "points" else None,
        cashback_with_grace=Money.of(with_grace, payment.currency, payment.digits)
        if payment.kind == "cashback"
        else None,
    )


PayWithPointsResult = Annotated[
    Paid
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | InsufficientPoints
    | IdempotencyConflict,
    strawberry.union("PayWithPointsResult", description="The payment, or why there is none."),
]
PayWithCashbackResult = Annotated[
    Paid | InvalidInput | NotFound | CardUnusable | InsufficientCashback | IdempotencyConflict,
    strawberry.union("PayWithCashbackResult", description="The payment, or why there is none."),
]
PayWithVoucherResult = Annotated[
    Paid | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("PayWithVoucherResult", description="The payment, or why there is none."),
]
HoldResult = Annotated[
    Held
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | InsufficientPoints
    | InsufficientCashback
    | IdempotencyConflict,
    strawberry.union("HoldResult", description="The hold, or why there is none."),
]
SettleResult = Annotated[
    Paid
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | NotAllowed
    | InsufficientPoints
    | InsufficientCashback
    | IdempotencyConflict,
    strawberry.union("SettleResult", description="The payment, or why there is none."),
]
ReleaseResult = Annotated[
    HoldReleased | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("ReleaseResult", description="The released hold, or why it is not."),
]
CancelPaymentResult = Annotated[
    PaymentCancelled | InvalidInput | NotFound | AlreadyDecided | NotAllowed | IdempotencyConflict,
    strawberry.union("CancelPaymentResult", description="The cancelled payment, or why it is not."),
]
