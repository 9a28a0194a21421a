"""What purchases and their returns ask of payments.

Lock order everywhere: the ledger accounts of all members concerned first, by `ledger.journal`, then
the rows of payments, then those of vouchers.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from server.clock import Instant
from server.errors import Path
from server.ledger import service as ledger
from server.members import service as members
from server.payments import errors, models, rules
from server.payments.paying import PAYMENT_RULE, reimbursed
from server.payments.shapes import GivenBack, Payment, PaymentBack
from server.programme.service import PublishedProgramme
from server.rewards import service as rewards
from server.storage import sql


async def for_purchase(payment_ids: Collection[int], *, partner: str) -> dict[int, Payment]:
    """The payments that this partner may use, locked until the transaction ends, with their
    `payers`; two statements.

    What is unknown, or was taken at another partner's till, is left out. Payments that the
    operator's staff took belong to no partner: every partner may use them.
    """
    wanted = [payment_id for payment_id in payment_ids if 0 < payment_id < 2**63]
    if not wanted:
        return {}
    rows = await models.payments_for_writing(wanted)
    found = [each for each in map(_payment, rows) if each.partner in (partner, "")]
    payers: dict[int, list[int]] = {}
    for payment_id, member_id in await models.payers(wanted) if found else ():
        payers.setdefault(payment_id, []).append(member_id)
    return {
        each.id: msgspec.structs.replace(each, payers=tuple(payers.get(each.id, ())))
        for each in found
    }


def check_usable(
    payment: Payment | None, *, member_id: int, currency: str, partner: str, path: Path
) -> None:
    """Raise if the payment can't pay for a purchase of the member in the currency at the partner.

    NotFound for None or a payment of another partner; AlreadyDecided if it was cancelled or has
    paid for a purchase; NotAllowed if it was made by another member, unless it is a voucher's,
    which anyone may present, or took of this member's value with that of their household;
    InvalidInput for another currency.
    """
    if payment is None or payment.partner not in (partner, ""):
        raise errors.unknown_payment(path)
    if payment.cancelled_at is not None:
        raise errors.cancelled(path)
    if payment.purchase_id is not None:
        raise errors.used(path)
    is_own = member_id == payment.member_id or member_id in payment.payers
    if payment.kind != "voucher" and not is_own:
        raise errors.of_another_member(path)
    if payment.currency != currency:
        raise errors.wrong_currency(currency, accepted=payment.currency, path=path)


async def attach(pairs: Sequence[tuple[int, int]]) -> None:
    """Let payments pay for purchases: (payment's id, purchase's id). The caller has them from
    `for_purchase` in this transaction and has checked each; one payment stands in one pair only."""
    await sql.execute_many(
        models.ATTACH, [(purchase_id, payment_id) for payment_id, purchase_id in pairs]
    )


async def of_purchase(purchase_id: int) -> list[Payment]:
    """What has paid for the purchase, in the order of paying, locked until the transaction ends."""
    return [_payment(row) for row in await models.purchase_payments(purchase_id)]


async def paid_by(purchase_id: int) -> set[int]:
    """As `owners` of what has paid for the purchase, without locking anything: for what is to be
    locked before `of_purchase`."""
    return await _owners(row[0] for row in await models.purchase_payment_ids(purchase_id))


async def owners(payments: Iterable[Payment]) -> set[int]:
    """Whose value the payments took, and into whom they were merged: whom to lock before it is
    given back."""
    return await _owners(each.id for each in payments)


async def _owners(payment_ids: Iterable[int]) -> set[int]:
    wanted = list(payment_ids)
    found = {row[1] for row in await models.payers(wanted)} if wanted else set()
    return found | set((await members.survivors(found)).values())


async def give_back(
    journal: ledger.Journal,
    payments: Sequence[Payment],
    value_minor: int,
    *,
    returned_by: int,
    published: PublishedProgramme,
    now: Instant,
) -> GivenBack:
    """Give back `value_minor` of what a purchase's payments took off, the last payment first.

    Of each payment as much of its amount has come back as the exact share of its value rounded
    down, and all of it once all of its value has. Points and cashback go back to their lots, with
    their expiry; where that has passed they get the programme's days of grace. Vouchers can be used
    again. New lots refer to `returned_by`. `payments` come from `of_purchase` in this transaction,
    whose journal has locked all `owners` in the payments' assets; at most as much comes back as is
    left of them.
    """
    given = GivenBack()
    left = value_minor
    for payment in reversed(payments):
        part_minor = min(left, payment.left_minor)
        if part_minor:
            left -= part_minor
            back, restored = await _give_back_one(
                journal,
                payment,
                part_minor,
                restored_by=returned_by,
                grace_expires_at=rules.grace_expires_at(published, now),
            )
            journal.beside(
                after=await reimbursed(payment, -part_minor, published.programme, now=now)
            )
            given = _added(given, back, restored)
    assert left == 0, "the caller gives back no more than the payments took off"
    return given


async def _give_back_one(
    journal: ledger.Journal,
    payment: Payment,
    part_minor: int,
    *,
    restored_by: int,
    grace_expires_at: Instant,
) -> tuple[PaymentBack, ledger.Restored]:
    amount = rules.amount_back(
        part_minor,
        amount=payment.amount,
        whole_minor=payment.value_minor,
        restored_minor=payment.restored_minor,
        restored_amount=payment.restored_amount,
    )
    await sql.execute(models.GIVE_BACK, amount, part_minor, payment.id)
    restored = await restore(
        journal, payment, amount, restored_by=restored_by, grace_expires_at=grace_expires_at
    )
    back = PaymentBack(payment.id, payment.kind, amount, part_minor, restored.with_grace)
    return back, restored


async def restore(
    journal: ledger.Journal,
    payment: Payment,
    amount: int,
    *,
    restored_by: int,
    grace_expires_at: Instant,
) -> ledger.Restored:
    """Give back so much of a payment's amount to where it came from. Raises InvalidInput if an
    account can't take it."""
    if payment.voucher_id is not None:
        await rewards.refill(payment.voucher_id, amount)
        return ledger.Restored(amount)
    if not amount:
        return ledger.Restored()
    users = await ledger.users(payment.id)
    heirs = await members.survivors(users)
    return await ledger.restore(
        journal,
        payment.id,
        amount,
        side=ledger.Side.REDEEMED,
        rule=PAYMENT_RULE,
        restored_by=restored_by,
        grace_expires_at=grace_expires_at,
        heirs=heirs,
    )


def _added(given: GivenBack, back: PaymentBack, restored: ledger.Restored) -> GivenBack:
    nothing = ledger.Restored()
    return GivenBack(
        points=given.points + (restored if back.kind == "points" else nothing),
        cashback_minor=given.cashback_minor + (restored if back.kind == "cashback" else nothing),
        voucher_minor=given.voucher_minor + (restored.amount if back.kind == "voucher" else 0),
        payments=(*given.payments, back),
    )


def _payment(row: sql.Row) -> Payment:
    return Payment(*row)
