"""Paying at the till in the schema: payments, holds and undoing them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, cast

import msgspec
import strawberry

from server import clock
from server.cards.graphql import CardUnusable
from server.clock import Instant
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import access, mutation
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
from server.errors import DomainError
from server.money import POINTS
from server.payments import service
from server.payments.inputs import (
    CancelPaymentInput,
    HoldInput,
    PayWithCashbackInput,
    PayWithPointsInput,
    PayWithVoucherInput,
    ReleaseInput,
    SettleInput,
    basket_of,
    held_of,
    number_of,
    reference_of,
)
from server.payments.shown import (
    Hold,
    Payment,
    PaymentConnection,
    holds_of_member,
    payments_of_member,
    shown_hold,
    shown_payment,
)
from server.principal import PrincipalKind, Scope, StaffRole

__all__ = [
    "Hold",
    "Payment",
    "PaymentConnection",
    "PaymentMutations",
    "holds_of_member",
    "payments_of_member",
]

_Done = TypeVar("_Done", bound=msgspec.Struct)

_POINTS_AFTER = (
    "Points that can be spent directly afterwards: the member's, or the household's where it paid; "
    "null unless this was about points."
)
_CASHBACK_AFTER = (
    "The member's cashback that can be used directly afterwards; null unless this was about "
    "cashback."
)


@strawberry.type(description="Something was taken off the basket.")
class Paid:
    """Success of a payment."""

    payment: Payment = strawberry.field(description="The payment.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)
    voucher_remaining_after: Money | None = strawberry.field(
        description="What remains of the voucher; null unless it was paid with one."
    )


@strawberry.type(description="Value is reserved.")
class Held:
    """Success of hold."""

    hold: Hold = strawberry.field(description="The hold.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)


@strawberry.type(description="The hold was given up; its value is free again.")
class HoldReleased:
    """Success of release."""

    hold: Hold = strawberry.field(description="The hold.")
    points_available_after: int | None = strawberry.field(description=_POINTS_AFTER)
    cashback_available_after: Money | None = strawberry.field(description=_CASHBACK_AFTER)


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


def _shown_paid(paid: service.Paid) -> Paid:
    payment, after = paid.payment, paid.available_after
    money = Money.of(after, payment.currency, payment.digits)
    return Paid(
        payment=shown_payment(payment),
        points_available_after=after if payment.kind == "points" else None,
        cashback_available_after=money if payment.kind == "cashback" else None,
        voucher_remaining_after=money if payment.kind == "voucher" else None,
    )


def _shown_held(held: service.Held) -> dict[str, Any]:
    hold, after = held.hold, held.available_after
    is_points = hold.asset == POINTS
    # As it was when it was answered first, however late it is answered again.
    at = hold.created_at if hold.resolved_at is None else hold.resolved_at
    return {
        "hold": shown_hold(hold, digits=held.digits, at=at),
        "points_available_after": after if is_points else None,
        "cashback_available_after": None if is_points else Money.of(after, hold.asset, held.digits),
    }


def _shown_cancelled(cancelled: service.Cancelled) -> PaymentCancelled:
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

_TILLS = access(Scope.POINTS_REDEEM, roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER}))


def _partner(info: Info) -> str:
    """Whose till calls; empty for the operator's staff."""
    return info.context.principal.partner or ""


def _reach(info: Info) -> str | None:
    """Whose payments and holds the caller may undo: a partner's, or all for staff."""
    is_staff = info.context.principal.kind is PrincipalKind.STAFF
    return None if is_staff else _partner(info)


async def _write(
    info: Info,
    input: Any,
    verb: Callable[[Instant], Awaitable[_Done]],
    *,
    result: type[_Done],
    present: Callable[[_Done], Any],
) -> Any:
    async def work() -> _Done:
        try:
            return await verb(clock.now())
        except DomainError as error:
            raise error.below("input") from None

    return await write_once(info, input, work=work, result=result, present=present)


@strawberry.type
class PaymentMutations:
    """The mutations of payments, for the schema's root."""

    @mutation(
        _TILLS,
        description="Take money off a basket for a member's points, at the programme's rate. "
        "Points that expire first are used first. Name the payment when the purchase is recorded, "
        "or cancel it.",
    )
    async def pay_with_points(
        self,
        info: Info,
        input: Annotated[PayWithPointsInput, strawberry.argument(description="Who pays for what.")],
    ) -> PayWithPointsResult:
        """Pay with points."""
        answer = await _write(
            info,
            input,
            lambda now: service.pay_with_points(
                reference_of(input.member),
                basket_of(input.basket),
                points=input.points,
                from_household=input.from_household,
                partner=_partner(info),
                now=now,
            ),
            result=service.Paid,
            present=_shown_paid,
        )
        return cast(PayWithPointsResult, answer)

    @mutation(
        _TILLS,
        description="Take a member's cashback off a basket, exact to the minor unit. Name the "
        "payment when the purchase is recorded, or cancel it.",
    )
    async def pay_with_cashback(
        self,
        info: Info,
        input: Annotated[
            PayWithCashbackInput, strawberry.argument(description="Who pays for what.")
        ],
    ) -> PayWithCashbackResult:
        """Pay with cashback."""
        answer = await _write(
            info,
            input,
            lambda now: service.pay_with_cashback(
                reference_of(input.member),
                basket_of(input.basket),
                amount_minor=input.amount_minor,
                partner=_partner(info),
                now=now,
            ),
            result=service.Paid,
            present=_shown_paid,
        )
        return cast(PayWithCashbackResult, answer)

    @mutation(
        _TILLS,
        description="Take a voucher, or a part of it, off a basket. The code alone says which: the "
        "payment is of the member who bought the voucher, whoever presents it. Name the payment "
        "when the purchase is recorded, or cancel it.",
    )
    async def pay_with_voucher(
        self,
        info: Info,
        input: Annotated[
            PayWithVoucherInput, strawberry.argument(description="Which voucher pays for what.")
        ],
    ) -> PayWithVoucherResult:
        """Pay with a voucher."""
        answer = await _write(
            info,
            input,
            lambda now: service.pay_with_voucher(
                input.voucher_code,
                basket_of(input.basket),
                amount_minor=input.amount_minor,
                partner=_partner(info),
                now=now,
            ),
            result=service.Paid,
            present=_shown_paid,
        )
        return cast(PayWithVoucherResult, answer)

    @mutation(
        _TILLS,
        description="Reserve a member's points or cashback for a basket that is not complete yet. "
        "Until the hold is settled, released or expires, nothing else can spend them.",
    )
    async def hold(
        self,
        info: Info,
        input: Annotated[HoldInput, strawberry.argument(description="What to reserve.")],
    ) -> HoldResult:
        """Hold value."""

        async def verb(now: Instant) -> service.Held:
            kind, amount = held_of(input)
            return await service.hold(
                reference_of(input.member),
                kind,
                amount,
                ttl_seconds=input.ttl_seconds,
                from_household=input.from_household,
                partner=_partner(info),
                now=now,
            )

        answer = await _write(
            info,
            input,
            verb,
            result=service.Held,
            present=lambda held: Held(**_shown_held(held)),
        )
        return cast(HoldResult, answer)

    @mutation(
        _TILLS,
        description="Pay for a basket with what is held, or a part of it: the rest is free again "
        "at once. Only for the partner whose till made the hold. A hold is settled, released or "
        "expires once: AlreadyDecided with the status SETTLED, RELEASED or EXPIRED.",
    )
    async def settle(
        self,
        info: Info,
        input: Annotated[SettleInput, strawberry.argument(description="Which hold pays.")],
    ) -> SettleResult:
        """Settle a hold."""
        answer = await _write(
            info,
            input,
            lambda now: service.settle(
                number_of(input.hold_id, "Hold", field="holdId"),
                basket_of(input.basket),
                points=input.points,
                amount_minor=input.amount_minor,
                partner=_partner(info),
                now=now,
            ),
            result=service.Paid,
            present=_shown_paid,
        )
        return cast(SettleResult, answer)

    @mutation(
        _TILLS,
        description="Give up a hold: its value is free again. For the partner whose till made it, "
        "and for staff. AlreadyDecided if it was settled or released, or has expired.",
    )
    async def release(
        self,
        info: Info,
        input: Annotated[ReleaseInput, strawberry.argument(description="Which hold.")],
    ) -> ReleaseResult:
        """Release a hold."""
        answer = await _write(
            info,
            input,
            lambda now: service.release(
                number_of(input.hold_id, "Hold", field="holdId"), partner=_reach(info), now=now
            ),
            result=service.Held,
            present=lambda held: HoldReleased(**_shown_held(held)),
        )
        return cast(ReleaseResult, answer)

    @mutation(
        _TILLS,
        description="Cancel a payment: its points or cashback come back with their own expiry, or "
        "for the programme's days of grace if they have lapsed meanwhile; a voucher can be used "
        "again. For the partner whose till took it, and for staff. A payment that has paid for a "
        "purchase can't be cancelled: return the purchase instead.",
    )
    async def cancel_payment(
        self,
        info: Info,
        input: Annotated[CancelPaymentInput, strawberry.argument(description="Which payment.")],
    ) -> CancelPaymentResult:
        """Cancel a payment."""
        answer = await _write(
            info,
            input,
            lambda now: service.cancel_payment(
                number_of(input.payment_id, "Payment", field="paymentId"),
                partner=_reach(info),
                now=now,
            ),
            result=service.Cancelled,
            present=_shown_cancelled,
        )
        return cast(CancelPaymentResult, answer)
