"""Undoing a payment that has paid for nothing yet."""

import msgspec

from server.clock import Instant
from server.ledger import service as ledger
from server.payments import errors, models, rules
from server.payments.attaching import owners, restore
from server.payments.paying import reimbursed
from server.payments.shapes import Cancelled, Payment
from server.programme import service as programme
from server.storage.ids import new_id


async def cancel_payment(payment_id: int, *, partner: str | None, now: Instant) -> Cancelled:
    """Give a payment back in full: points and cashback to their lots, with their expiry, and for
    the programme's days of grace where that has passed; a voucher's value to the voucher.

    `partner` None is the operator's staff, who may cancel every till's. Writes; call it inside a
    transaction. Raises NotFound for another till's payment, AlreadyDecided for one that was
    cancelled, NotAllowed for one that has paid for a purchase: that is returned instead.
    """
    payment = await _visible(payment_id, partner=partner)
    published = (await programme.rulebook()).at(now)
    is_voucher = payment.voucher_id is not None
    concerned = {payment.member_id} if is_voucher else await owners([payment])
    assets = [] if is_voucher else [payment.asset]
    async with ledger.journal(concerned, assets, recorded_at=now) as journal:
        (row,) = await models.payments_for_writing([payment_id])
        payment = Payment(*row)
        if payment.cancelled_at is not None:
            raise errors.cancelled()
        if payment.purchase_id is not None or not await models.cancel(payment_id, now):
            raise errors.on_purchase()
        restored = await restore(
            journal,
            payment,
            payment.amount,
            restored_by=new_id(),
            grace_expires_at=rules.grace_expires_at(published, now),
        )
        back = -payment.value_minor
        journal.beside(after=await reimbursed(payment, back, published.programme, now=now))
    after = msgspec.structs.replace(
        payment,
        restored_amount=payment.amount,
        restored_minor=payment.value_minor,
        cancelled_at=now,
    )
    return Cancelled(after, restored)


async def _visible(payment_id: int, *, partner: str | None) -> Payment:
    row = await models.payment(payment_id)
    payment = None if row is None else Payment(*row)
    if payment is None or partner not in (payment.partner, None):
        raise errors.unknown_payment()
    return payment
