"""Paying at the till in the schema: payments, holds and undoing them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, cast

import msgspec
import strawberry

from server import clock
from server.clock import Instant
from server.edge import attempts, nodes
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import access, mutation
from server.edge.problems import NotFound
from server.errors import DomainError
from server.payments import service
from server.payments.answers import (
    CancelPaymentResult,
    HoldResult,
    PayWithCashbackResult,
    PayWithPointsResult,
    PayWithVoucherResult,
    ReleaseResult,
    SettleResult,
    shown_cancelled,
    shown_held,
    shown_paid,
    shown_released,
)
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
    reference_of,
)
from server.payments.shown import (
    Hold,
    Payment,
    PaymentConnection,
    holds_of_member,
    payments_of_member,
)
from server.principal import PrincipalKind, Scope, StaffRole
from server.rewards.limits import VOUCHER_CODES

__all__ = [
    "Hold",
    "Payment",
    "PaymentConnection",
    "PaymentMutations",
    "holds_of_member",
    "payments_of_member",
]

_Done = TypeVar("_Done", bound=msgspec.Struct)

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
            present=shown_paid,
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
            present=shown_paid,
        )
        return cast(PayWithCashbackResult, answer)

    @mutation(
        _TILLS,
        description="Take a voucher, or a part of it, off a basket. The code alone says which: the "
        "payment is of the member who bought the voucher, whoever presents it. Name the payment "
        "when the purchase is recorded, or cancel it. More than 100 codes of no voucher in 15 "
        "minutes are the top-level error TOO_MANY_ATTEMPTS.",
    )
    async def pay_with_voucher(
        self,
        info: Info,
        input: Annotated[
            PayWithVoucherInput, strawberry.argument(description="Which voucher pays for what.")
        ],
    ) -> PayWithVoucherResult:
        """Pay with a voucher."""
        answer = await attempts.counting_failures(
            VOUCHER_CODES,
            info.context.principal.name,
            lambda: _write(
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
                present=shown_paid,
            ),
            is_failure=lambda answer: isinstance(answer, NotFound),
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
            present=shown_held,
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
                nodes.number_of(input.hold_id, "Hold"),
                basket_of(input.basket),
                points=input.points,
                amount_minor=input.amount_minor,
                partner=_partner(info),
                now=now,
            ),
            result=service.Paid,
            present=shown_paid,
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
                nodes.number_of(input.hold_id, "Hold"), partner=_reach(info), now=now
            ),
            result=service.Held,
            present=shown_released,
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
                nodes.number_of(input.payment_id, "Payment"),
                partner=_reach(info),
                now=now,
            ),
            result=service.Cancelled,
            present=shown_cancelled,
        )
        return cast(CancelPaymentResult, answer)
