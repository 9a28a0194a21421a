"""Paying at the till with points, cashback or a voucher, in one step."""

import msgspec

from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import InsufficientPoints
from server.ledger import service as ledger
from server.money import POINTS
from server.partners import service as partners
from server.payments import models, rules
from server.payments.rules import Basket, Charge
from server.payments.shapes import Paid, Payment
from server.programme import service as programme
from server.programme.document import Programme
from server.rewards import service as rewards
from server.rewards.service import VoucherReference
from server.storage.exchange import Written, execute_each
from server.storage.ids import new_id

PAYMENT_RULE = "payment"


async def pay_with_points(
    reference: MemberReference,
    basket: Basket,
    *,
    points: int | None,
    from_household: bool = False,
    partner: str,
    now: Instant,
) -> Paid:
    """Take money off the basket for `points`, None for as many as the rules allow.

    The money off is rounded down to the minor unit; charged are only as many points as it needs,
    rounded up to whole points. Points that expire first are used first. Writes; call it inside a
    transaction. Raises InvalidInput, NotFound, CardUnusable, NotAllowed or InsufficientPoints.
    """
    rulebook = (await programme.rulebook()).at(now).programme
    rules.check_basket(basket, currency=rulebook.programme.currency)
    rules.offered_rate(rulebook)
    member = await cards.member_of(reference, path=("member",))
    pooled = await rewards.pool(member, from_household=from_household)
    async with ledger.journal(pooled, [POINTS], recorded_at=now) as journal:
        payers = await rewards.locked_pool(pooled, member, from_household=from_household)
        available = await usable(journal, payers, POINTS)
        charge = rules.points_charge(points, basket, rulebook, available=available)
        payment = made(member, "points", charge, rulebook, partner=partner, now=now)
        await journal.spend(payers, POINTS, charge.amount, cause=cause(payment))
    await store(payment, rulebook)
    return Paid(payment, available - charge.amount)


async def pay_with_cashback(
    reference: MemberReference,
    basket: Basket,
    *,
    amount_minor: int | None,
    partner: str,
    now: Instant,
) -> Paid:
    """Take so many minor units of the member's cashback off the basket, None for as much as
    possible; exact.

    Writes; call it inside a transaction. Raises InvalidInput, NotFound, CardUnusable or
    InsufficientCashback.
    """
    rulebook = (await programme.rulebook()).at(now).programme
    currency = rulebook.programme.currency
    rules.check_basket(basket, currency=currency)
    member = await cards.member_of(reference, path=("member",))
    async with ledger.journal([member], [currency], recorded_at=now) as journal:
        available = await usable(journal, (member,), currency)
        charge = rules.cashback_charge(amount_minor, basket, rulebook, available=available)
        payment = made(member, "cashback", charge, rulebook, partner=partner, now=now)
        await journal.spend(member, currency, charge.amount, cause=cause(payment))
    await store(payment, rulebook)
    return Paid(payment, available - charge.amount)


async def pay_with_voucher(
    code: str, basket: Basket, *, amount_minor: int | None, partner: str, now: Instant
) -> Paid:
    """Take a voucher off the basket: so many minor units of it, None for as much as it has and the
    basket takes; exact. The code alone says which: whoever presents it may use it.

    Writes; call it inside a transaction. Raises InvalidInput, NotFound, or AlreadyDecided if the
    voucher was used in full or cancelled, or has expired.
    """
    voucher = await rewards.usable_voucher(VoucherReference(code=code), now=now)
    rules.check_basket(basket, currency=voucher.currency)
    amount = rules.voucher_charge(amount_minor, basket, remaining_minor=voucher.remaining_minor)
    left = await rewards.use(voucher, amount)
    payment = Payment(
        id=new_id(),
        member_id=voucher.member_id,
        kind="voucher",
        asset=voucher.currency,
        amount=amount,
        value_minor=amount,
        currency=voucher.currency,
        digits=voucher.digits,
        restored_amount=0,
        restored_minor=0,
        voucher_id=voucher.id,
        hold_id=None,
        purchase_id=None,
        partner=partner,
        paid_at=now,
        cancelled_at=None,
    )
    await store(payment, (await programme.rulebook()).at(now).programme)
    return Paid(payment, left.remaining_minor)


async def usable(journal: ledger.Journal, payers: tuple[int, ...], asset: str) -> int:
    """What the payers, who are locked, can spend together; below 0 if more is owed."""
    try:
        available, _none = await journal.choose(payers, asset, 0)
    except InsufficientPoints as owing:
        return owing.available
    return available


def made(
    member_id: int,
    kind: str,
    charge: Charge,
    rulebook: Programme,
    *,
    partner: str,
    now: Instant,
    hold_id: int | None = None,
) -> Payment:
    """A new payment with points or cashback."""
    identity = rulebook.programme
    return Payment(
        id=new_id(),
        member_id=member_id,
        kind=kind,
        asset=POINTS if kind == "points" else identity.currency,
        amount=charge.amount,
        value_minor=charge.value_minor,
        currency=identity.currency,
        digits=identity.minor_unit_digits,
        restored_amount=0,
        restored_minor=0,
        voucher_id=None,
        hold_id=hold_id,
        purchase_id=None,
        partner=partner,
        paid_at=now,
        cancelled_at=None,
    )


def cause(payment: Payment) -> ledger.Cause:
    """What the postings of the payment say."""
    return ledger.Cause(ledger.Reason.PAYMENT, PAYMENT_RULE, payment.id)


async def store(payment: Payment, rulebook: Programme) -> None:
    """Write the payment's row, and that its value is owed to a partner whose till took it."""
    row = msgspec.structs.astuple(payment)[: len(models.PAYMENT_COLUMNS.split(", "))]
    taken = await reimbursed(payment, payment.value_minor, rulebook, now=payment.paid_at)
    await execute_each([(models.INSERT_PAYMENT, [row]), *taken])


async def reimbursed(
    payment: Payment, value_minor: int, rulebook: Programme, *, now: Instant
) -> list[Written]:
    """What notes that so much more of the payment's value is owed to the partner whose till took
    it; less of it, if below 0. Nothing for the operator's own tills."""
    return await partners.redemption(
        member_id=payment.member_id,
        partner=payment.partner,
        payment_id=payment.id,
        kind=payment.kind,
        value_minor=value_minor,
        programme=rulebook,
        now=now,
    )
