"""Using vouchers, refilling them, and cancelling the redemption that one came from."""

import msgspec

from server.clock import Instant
from server.errors import Path
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.rewards import errors, models, rules
from server.storage import changes, outbox, sql
from server.storage.ids import new_id

VOUCHER_RULE = "voucher"
ORDER_RULE = "reward"


class VoucherView(msgspec.Struct, frozen=True):
    """A voucher. Its value is in minor units; a major unit has 10**`digits` of them."""

    id: int
    member_id: int
    code: str
    points: int
    value_minor: int
    currency: str
    digits: int
    issued_at: Instant
    status: str
    remaining_minor: int  # of the value, what has not been used
    expires_at: Instant | None = None  # None: it is good for ever


class VoucherReference(msgspec.Struct, frozen=True):
    """What the caller has of a voucher: exactly one of the two."""

    id: int | None = None
    code: str | None = None

    @property
    def path(self) -> Path:
        """Where it stands in the input."""
        return ("voucherId",) if self.code is None else ("voucherCode",)


class RedemptionCancelled(msgspec.Struct, frozen=True):
    """A cancelled redemption as it was first answered."""

    voucher: VoucherView
    restored: ledger.Restored
    points_available_after: int


async def found(reference: VoucherReference) -> VoucherView:
    """The voucher, as it is committed. Raises NotFound."""
    if reference.code is not None:
        row = await models.voucher_by_code(rules.written_code(reference.code))
    else:
        row = await models.voucher(reference.id or 0)
    if row is None:
        raise errors.unknown_voucher(reference.path)
    return VoucherView(*row)


async def issue(voucher: VoucherView) -> VoucherView:
    """Make a voucher whose points were taken in this transaction, in the name of its id."""
    await sql.execute(models.INSERT_VOUCHER, *msgspec.structs.astuple(voucher))
    put_issued(voucher)
    return voucher


def put_issued(voucher: VoucherView) -> None:
    """Put the event that the voucher was made."""
    worth = {"value_minor": voucher.value_minor, "currency": voucher.currency}
    facts = {"voucher_id": voucher.id, **worth}
    outbox.put("voucher.issued", voucher.member_id, facts, occurred_at=voucher.issued_at)


async def usable_voucher(reference: VoucherReference, *, now: Instant) -> VoucherView:
    """The voucher, locked until the transaction ends.

    Raises NotFound, or AlreadyDecided if it was used in full or cancelled, or has expired.
    """
    voucher = await _locked((await found(reference)).id)
    if voucher.status != "issued" or not voucher.remaining_minor:
        status = "used" if voucher.status == "issued" else voucher.status
        raise errors.spent(status, reference.path)
    if voucher.expires_at is not None and voucher.expires_at <= now:
        raise errors.spent("expired", reference.path)
    return voucher


async def use(voucher: VoucherView, amount_minor: int) -> VoucherView:
    """Use so much of a voucher that `usable_voucher` has locked; at most what remains of it."""
    await sql.execute(models.USE_VOUCHER, amount_minor, voucher.id)
    return await _changed(voucher.id)


async def refill(voucher_id: int, amount_minor: int) -> VoucherView:
    """Give back so much of what was used of a voucher, which can then be used again."""
    await sql.execute(models.REFILL_VOUCHER, amount_minor, voucher_id)
    return await _changed(voucher_id)


async def _changed(voucher_id: int) -> VoucherView:
    voucher = await _locked(voucher_id)
    changes.note(changes.MEMBER, voucher.member_id)
    return voucher


async def _locked(voucher_id: int) -> VoucherView:
    row = await models.voucher_for_writing(voucher_id)
    assert row is not None, "vouchers are never deleted"
    return VoucherView(*row)


async def cancel_redemption(
    reference: VoucherReference, *, now: Instant, with_order: bool = False
) -> RedemptionCancelled:
    """Cancel a voucher of which nothing was used, and give its points back to whom they came from,
    with their own expiry; what has lapsed meanwhile lives for the programme's days of grace.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided if the voucher was used or
    cancelled before, NotAllowed if a part of it was used, or if it was ordered from the catalogue
    and its order is not cancelled with it.
    """
    published = (await programme.rulebook()).at(now)
    voucher = await found(reference)
    voucher_id = voucher.id
    if not with_order and await models.is_of_order(voucher_id):
        raise errors.of_order(reference.path)
    owners = {*await ledger.users(voucher_id), voucher.member_id}
    concerned = owners | set((await members.survivors(owners)).values())
    async with ledger.journal(concerned, [POINTS], recorded_at=now) as journal:
        voucher, heirs = await _locked(voucher_id), await members.survivors(concerned)
        if voucher.status != "issued":
            raise errors.spent(voucher.status, reference.path)
        if voucher.remaining_minor != voucher.value_minor:
            raise errors.partly_used(reference.path)
        await sql.execute(models.CANCEL_VOUCHER, voucher_id)
        restored = await ledger.restore(
            journal,
            voucher_id,
            voucher.points,
            side=ledger.Side.REDEEMED,
            rule=ORDER_RULE if with_order else VOUCHER_RULE,
            restored_by=new_id(),
            grace_expires_at=rules.grace_expires_at(published, now),
            heirs=heirs,
        )
    balances = await ledger.balances([voucher.member_id], now)
    balance = balances.get((voucher.member_id, POINTS), ledger.Balance())
    return RedemptionCancelled(await _locked(voucher_id), restored, balance.available)
