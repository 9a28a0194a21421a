"""The verbs of payouts: asking for cashback in money, deciding on it, and what became of it.

A payout holds its amount of the member's cashback from the request on. Being paid takes it;
anything else gives it back, to the lots that it came from. What writes runs inside
`sql.transaction()`, locks the member's accounts before the payout's row, and changes that row only
from the status that it has found: of two who decide at once, one does.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager

import msgspec

from server import clock
from server.clock import NEVER, Instant, LocalDay
from server.enrolment import service as enrolment
from server.errors import InsufficientCashback, InsufficientPoints
from server.ledger import service as ledger
from server.members import service as members
from server.payouts import errors, models, rules
from server.payouts.rules import PayoutStatus
from server.programme import service as programme
from server.programme.document import Programme
from server.storage import changes, sql
from server.storage.ids import new_id

__all__ = [
    "PayoutStatus",
    "PayoutView",
    "approve",
    "cancel",
    "destinations",
    "find_payouts",
    "mark_failed",
    "mark_paid",
    "payouts",
    "payouts_of_members",
    "reject",
    "request",
]
PAYOUT_RULE = "payout"
_LAST_ID = 2**63 - 1


class PayoutView(msgspec.Struct, frozen=True):
    """A payout without its destination, which is stored and read in one place alone. The amount is
    in minor units of `currency`, of which a major unit has 10**`digits`."""

    id: int
    member_id: int
    hold_id: int
    amount_minor: int
    currency: str
    digits: int
    status: PayoutStatus
    local_day: LocalDay  # of the request
    requested_at: Instant
    decided_at: Instant | None = None  # approved, rejected or cancelled
    requested_by: int | None = None  # who of the staff asked for it, if any
    decided_by: int | None = None  # who of the staff decided
    finished_at: Instant | None = None  # paid; or failed, if it was
    finished_by: str | None = None  # who reported that, as `Principal.name`
    bank_reference: str | None = None  # once it was paid
    note: str | None = None  # why it was rejected or has failed


def _view(row: sql.Row) -> PayoutView:
    view = PayoutView(*row)
    return msgspec.structs.replace(view, status=PayoutStatus(view.status))


# ---------------------------------------------------------------- requesting


async def request(
    member_id: int,
    amount_minor: int | None,
    destination: str,
    *,
    requested_by: int | None = None,
    now: Instant,
) -> PayoutView:
    """Ask for some of the member's cashback in money, for all that is available if no amount is
    given; `requested_by` is the account of staff who asks on the member's behalf.

    Raises InvalidInput, InsufficientCashback, or LimitReached for more than the programme pays out
    to one member on one local day.
    """
    rules.check_text(destination, "destination", is_shown=False)
    then = (await programme.rulebook()).at(now).programme
    currency = then.programme.currency
    if amount_minor is not None:
        rules.check_amount(amount_minor, then.payouts)
    today = clock.local_day(now, then.programme.timezone)
    async with ledger.journal([member_id], [currency], recorded_at=now) as journal:
        wanted = amount_minor
        if wanted is None:
            wanted = await _everything(journal, member_id, then)
        # Read with the accounts locked: of two requests at once, the second counts the first.
        counting = await models.counting_on_day(member_id, currency, today)
        rules.check_daily_limit(wanted, then.payouts, counting_minor=counting)
        held = await _hold(journal, member_id, wanted, then)
        made = PayoutView(
            id=new_id(),
            member_id=member_id,
            hold_id=held.id,
            amount_minor=wanted,
            currency=currency,
            digits=then.programme.minor_unit_digits,
            status=PayoutStatus.REQUESTED,
            local_day=today,
            requested_at=now,
            requested_by=requested_by,
        )
        await sql.execute(models.INSERT_PAYOUT, *msgspec.structs.astuple(made), destination)
    return made


async def _everything(journal: ledger.Journal, member_id: int, then: Programme) -> int:
    """All that is available, if it is as much as the programme pays out."""
    currency = then.programme.currency
    try:
        available, _takes = await journal.choose(member_id, currency, then.payouts.minimum_minor)
    except InsufficientPoints as error:
        raise _insufficient(error, then) from None
    return available


async def _hold(
    journal: ledger.Journal, member_id: int, amount_minor: int, then: Programme
) -> ledger.HoldView:
    try:
        return await ledger.hold(
            journal,
            member_id,
            then.programme.currency,
            amount_minor,
            by=member_id,
            purpose=PAYOUT_RULE,
            expires_at=NEVER,
        )
    except InsufficientPoints as error:
        raise _insufficient(error, then) from None


def _insufficient(error: InsufficientPoints, then: Programme) -> InsufficientCashback:
    return InsufficientCashback(
        available=error.available,
        required=error.required,
        currency=then.programme.currency,
        digits=then.programme.minor_unit_digits,
        path=("amountMinor",),
    )


# ---------------------------------------------------------------- deciding


async def cancel(payout_id: int, member_id: int, *, now: Instant) -> PayoutView:
    """Give up a request that nobody has decided on, as the member wishes whose it is.

    All verbs that change a payout raise NotFound for one that there is not, or is another
    member's, and AlreadyDecided if something else has become of it.
    """
    async with _opened(payout_id, now=now, of_member=member_id) as (payout, journal):
        rules.check_transition(payout.status, PayoutStatus.CANCELLED)
        await ledger.release(journal, payout.hold_id)
        return await _changed(payout, PayoutStatus.CANCELLED, decided_at=now, decided_by=None)


async def approve(payout_id: int, *, by: int, now: Instant) -> PayoutView:
    """Let a requested payout be paid; `by` is the account of staff who decides.

    Raises NotAllowed if they asked for it themselves on the member's behalf.
    """
    await _found(payout_id)
    payout = await _locked(payout_id)
    _check_decision(payout, PayoutStatus.APPROVED, by=by)
    return await _changed(payout, PayoutStatus.APPROVED, decided_at=now, decided_by=by)


async def reject(payout_id: int, note: str, *, by: int, now: Instant) -> PayoutView:
    """Refuse a requested payout: the member has the cashback back. `note` says why, `by` is the
    account of staff who decides.

    Raises InvalidInput for the note, NotAllowed if they asked for it themselves on the member's
    behalf.
    """
    rules.check_text(note, "note", is_shown=True)
    async with _opened(payout_id, now=now) as (payout, journal):
        _check_decision(payout, PayoutStatus.REJECTED, by=by)
        await ledger.release(journal, payout.hold_id)
        return await _changed(
            payout, PayoutStatus.REJECTED, decided_at=now, decided_by=by, note=note
        )


def _check_decision(payout: PayoutView, to: PayoutStatus, *, by: int) -> None:
    rules.check_transition(payout.status, to)
    if payout.requested_by == by:
        raise errors.own_request()


# ---------------------------------------------------------------- paying


async def mark_paid(payout_id: int, bank_reference: str, *, by: str, now: Instant) -> PayoutView:
    """Note that the money of an approved payout has gone out: its cashback is spent. `by` is the
    name of the staff's account or the key that reports it.

    Raises InvalidInput for the bank's reference, NotAllowed before the payout is approved.
    """
    rules.check_text(bank_reference, "bankReference", is_shown=True)
    async with _opened(payout_id, now=now) as (payout, journal):
        rules.check_transition(payout.status, PayoutStatus.PAID)
        await ledger.settle(
            journal,
            payout.hold_id,
            payout.amount_minor,
            side=ledger.Side.PAID_OUT,
            cause=ledger.Cause(ledger.Reason.PAYOUT, PAYOUT_RULE, payout.id),
        )
        return await _changed(
            payout,
            PayoutStatus.PAID,
            finished_at=now,
            finished_by=by,
            bank_reference=bank_reference,
        )


async def mark_failed(payout_id: int, note: str, *, by: str, now: Instant) -> PayoutView:
    """Note that the money has not arrived, or that the bank has sent it back: the member has the
    cashback back. `note` says why; `by` is the name of the staff's account or the key that reports
    it.

    Cashback whose own expiry has passed meanwhile lives on for the programme's `grace_days`; that
    of a member who was merged into another goes to the other. Raises InvalidInput for the note,
    NotAllowed before the payout is approved.
    """
    rules.check_text(note, "note", is_shown=True)
    then = (await programme.rulebook()).at(now).programme
    async with _opened(payout_id, now=now) as (payout, journal):
        rules.check_transition(payout.status, PayoutStatus.FAILED)
        if payout.status is PayoutStatus.PAID:
            await ledger.restore(
                journal,
                payout.id,
                payout.amount_minor,
                side=ledger.Side.PAID_OUT,
                rule=PAYOUT_RULE,
                restored_by=payout.id,
                grace_expires_at=_grace_expires_at(then, now),
                heirs=await members.survivors(await ledger.users(payout.id)),
            )
        else:
            await ledger.release(journal, payout.hold_id)
        return await _changed(
            payout, PayoutStatus.FAILED, finished_at=now, finished_by=by, note=note
        )


def _grace_expires_at(then: Programme, now: Instant) -> Instant:
    return enrolment.available_at(now, then.returns.grace_days, then.programme.timezone)


# ---------------------------------------------------------------- one transition


@asynccontextmanager
async def _opened(
    payout_id: int, *, now: Instant, of_member: int | None = None
) -> AsyncIterator[tuple[PayoutView, ledger.Journal]]:
    """The payout, its row locked after the accounts of those whose cashback it holds."""
    payout = await _found(payout_id, of_member=of_member)
    holders = await ledger.holders(payout.hold_id)
    # No one is merged while a payout of theirs is under way; but once it is paid, they may be.
    is_paid = payout.status is PayoutStatus.PAID
    heirs = await members.survivors(holders) if is_paid else {}
    concerned = {payout.member_id, *holders, *heirs.values()}
    async with ledger.journal(concerned, [payout.currency], recorded_at=now) as journal:
        yield await _locked(payout_id), journal


async def _found(payout_id: int, *, of_member: int | None = None) -> PayoutView:
    found = (await find_payouts([payout_id])).get(payout_id)
    if found is None or of_member not in (None, found.member_id):
        raise errors.unknown()
    return found


async def _locked(payout_id: int) -> PayoutView:
    row = await models.payout_for_writing(payout_id)
    assert row is not None, "no payout is ever deleted"
    return _view(row)


async def _changed(
    payout: PayoutView, to: PayoutStatus, **values: Instant | int | str | None
) -> PayoutView:
    changed = msgspec.structs.replace(payout, status=to, **values)
    count = await sql.execute(
        models.UPDATE_PAYOUT,
        changed.status,
        changed.decided_at,
        changed.decided_by,
        changed.finished_at,
        changed.finished_by,
        changed.bank_reference,
        changed.note,
        payout.id,
        payout.status,
    )
    assert count == 1, "its row is locked"
    changes.note(changes.MEMBER, payout.member_id)
    return changed


# ---------------------------------------------------------------- reading


async def find_payouts(payout_ids: Collection[int]) -> dict[int, PayoutView]:
    """The payouts by id; unknown ids are left out."""
    if not payout_ids:
        return {}
    return {row[0]: _view(row) for row in await models.payouts(payout_ids)}


async def destinations(payout_ids: Iterable[int]) -> dict[int, str]:
    """Where the payouts go to, by id: personal data, for the member and the staff alone."""
    return {row[0]: row[1] for row in await models.destinations(payout_ids)}


async def payouts_of_members(
    member_ids: Iterable[int], *, before: int | None, limit: int
) -> dict[int, list[PayoutView]]:
    """Each member's newest payouts, or those before the one with that id; newest first."""
    found: dict[int, list[PayoutView]] = {member_id: [] for member_id in member_ids}
    below = _LAST_ID if before is None else before
    rows = await models.payouts_of_members(found, below, limit)
    for view in sorted(map(_view, rows), key=lambda view: -view.id):
        found[view.member_id].append(view)
    return found


async def payouts(
    status: PayoutStatus | None, *, before: int | None, limit: int
) -> list[PayoutView]:
    """Everybody's newest payouts, or those before the one with that id, newest first; of one
    status, if it is given."""
    rows = await models.payout_page(status, _LAST_ID if before is None else before, limit)
    return [_view(row) for row in rows]
