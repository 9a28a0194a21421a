"""The verbs of payments: the only door to them for other domains."""

from collections.abc import Iterable

from server.payments import models
from server.payments.attaching import (
    attach,
    check_usable,
    for_purchase,
    give_back,
    of_purchase,
    owners,
    paid_by,
)
from server.payments.cancelling import cancel_payment
from server.payments.holding import hold, open_holds, release, settle, till_hold
from server.payments.paying import pay_with_cashback, pay_with_points, pay_with_voucher
from server.payments.rules import Basket, grace_expires_at
from server.payments.shapes import Cancelled, GivenBack, Held, Paid, Payment, PaymentBack

__all__ = [
    "Basket",
    "Cancelled",
    "GivenBack",
    "Held",
    "Paid",
    "Payment",
    "PaymentBack",
    "attach",
    "cancel_payment",
    "check_usable",
    "for_purchase",
    "give_back",
    "grace_expires_at",
    "hold",
    "of_purchase",
    "open_holds",
    "owners",
    "paid_by",
    "pay_with_cashback",
    "pay_with_points",
    "pay_with_voucher",
    "payment",
    "payments",
    "release",
    "settle",
    "till_hold",
]


async def payment(payment_id: int) -> Payment | None:
    """One payment."""
    row = await models.payment(payment_id)
    return Payment(*row) if row else None


async def payments(
    member_ids: Iterable[int], *, before: int | None, limit: int
) -> dict[int, list[Payment]]:
    """Each member's newest payments, or those before the one with that id; newest first."""
    found: dict[int, list[Payment]] = {member_id: [] for member_id in member_ids}
    rows = await models.payment_pages(found, 2**63 - 1 if before is None else before, limit)
    for one in sorted((Payment(*row) for row in rows), key=lambda one: -one.id):
        found[one.member_id].append(one)
    return found
