"""The verbs of adjustments: staff give or take value, above a limit with a second person."""

from collections.abc import Collection

import msgspec

from server import clock
from server.adjustments import models, rules
from server.adjustments.rules import AdjustmentStatus
from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.enrolment import service as enrolment
from server.errors import (
    AlreadyDecided,
    InsufficientCashback,
    InsufficientPoints,
    NotAllowed,
    NotFound,
)
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.storage import sql
from server.storage.ids import new_id

__all__ = [
    "ADJUSTMENT_RULE",
    "Adjusted",
    "AdjustmentStatus",
    "AdjustmentView",
    "MemberReference",
    "Wish",
    "adjust",
    "approve",
    "find",
    "page",
    "reasons",
    "reject",
]
ADJUSTMENT_RULE = "adjustment"
_FIRST_PAGE = 2**63 - 1


class AdjustmentView(msgspec.Struct, frozen=True):
    """An adjustment; `amount` is in points or minor units of `asset`, negative for what is taken.

    `decided_by` is the second person; None for what was applied alone.
    """

    id: int
    member_id: int
    asset: str
    amount: int
    reason: str
    status: AdjustmentStatus
    requested_by: int
    requested_at: Instant
    decided_by: int | None
    decided_at: Instant | None
    note: str | None


class Adjusted(msgspec.Struct, frozen=True):
    """An adjustment as it was first answered; a major unit has 10**`digits` minor units."""

    adjustment: AdjustmentView
    digits: int


class Wish(msgspec.Struct, frozen=True):
    """What one of the staff wants to give (or take, if negative): points, or minor units."""

    member: MemberReference
    is_points: bool
    amount: int
    reason: str


def _view(row: sql.Row) -> AdjustmentView:
    values = list(row)
    values[5] = AdjustmentStatus(values[5])
    return AdjustmentView(*values)


async def adjust(wish: Wish, *, by: int, now: Instant) -> Adjusted:
    """Give or take value at once, or leave it PENDING for a second person above the limit.

    Counted against the limit is also what the same person has applied alone for the same member
    and asset on this local day. Writes; call it inside a transaction. `by` is an account of staff.
    Raises InvalidInput, NotFound, CardUnusable, InsufficientPoints or InsufficientCashback.
    """
    reason = rules.checked_reason(wish.reason, field="reason")
    field = "points" if wish.is_points else "amountMinor"
    amount = rules.checked_amount(wish.amount, field=field)
    member_id = await cards.member_of(wish.member, path=("member",))
    published = (await programme.rulebook()).at(now)
    identity = published.programme.programme
    asset = POINTS if wish.is_points else identity.currency
    limit = rules.limit_of(published.programme, is_points=wish.is_points)
    async with ledger.journal([member_id], [asset], recorded_at=now) as journal:
        # After the lock, so that two parts sent at once count against each other.
        day = clock.local_day(now, identity.timezone)
        applied = await models.applied_alone(
            member_id,
            asset,
            by=by,
            start=clock.start_of_day(day, identity.timezone),
            before=clock.start_of_day(clock.LocalDay(day + 1), identity.timezone),
        )
        is_alone = rules.may_apply_alone(amount, applied_today=applied, limit=limit)
        status = AdjustmentStatus.APPLIED if is_alone else AdjustmentStatus.PENDING
        made = AdjustmentView(
            id=new_id(),
            member_id=member_id,
            asset=asset,
            amount=amount,
            reason=reason,
            status=status,
            requested_by=by,
            requested_at=now,
            decided_by=None,
            decided_at=now if is_alone else None,
            note=None,
        )
        await sql.execute(models.INSERT_ADJUSTMENT, *msgspec.structs.astuple(made))
        if is_alone:
            await _apply(journal, made, published)
    return Adjusted(made, identity.minor_unit_digits)


async def _apply(
    journal: ledger.Journal, made: AdjustmentView, published: PublishedProgramme
) -> None:
    """Give or take what the adjustment says, under the rules of the moment."""
    if made.amount > 0:
        journal.grant(made.member_id, _grant(made, published, journal.recorded_at))
        return
    cause = ledger.Cause(ledger.Reason.ADJUSTMENT, ADJUSTMENT_RULE, made.id)
    try:
        await journal.spend(
            made.member_id, made.asset, -made.amount, cause=cause, side=ledger.Side.ADJUSTED
        )
    except InsufficientPoints as refusal:
        if made.asset == POINTS:
            raise
        raise InsufficientCashback(
            available=refusal.available,
            required=refusal.required,
            currency=made.asset,
            digits=published.programme.programme.minor_unit_digits,
        ) from None


def _grant(made: AdjustmentView, published: PublishedProgramme, now: Instant) -> ledger.Grant:
    """A lot that can be used at once; points expire as all points do, cashback never."""
    grant = enrolment.points_grant(
        published,
        made.amount,
        now,
        reason=ledger.Reason.ADJUSTMENT,
        rule=ADJUSTMENT_RULE,
        reference=made.id,
    )
    expires_at = grant.expires_at if made.asset == POINTS else clock.NEVER
    return ledger.Grant(
        asset=made.asset,
        amount=made.amount,
        earned_at=now,
        available_at=now,
        expires_at=expires_at,
        reason=grant.reason,
        rule=grant.rule,
        programme_version=grant.programme_version,
        reference=grant.reference,
        side=ledger.Side.ADJUSTED,
    )


async def approve(adjustment_id: int, *, by: int, now: Instant) -> Adjusted:
    """Apply a pending adjustment as the second person.

    Writes; call it inside a transaction. Raises NotFound, NotAllowed for the person who asked for
    it, AlreadyDecided, InsufficientPoints or InsufficientCashback; it then stays pending.
    """
    found = await _pending(adjustment_id, by=by)
    published = (await programme.rulebook()).at(now)
    async with ledger.journal([found.member_id], [found.asset], recorded_at=now) as journal:
        decided = await _decide(found, AdjustmentStatus.APPLIED, by=by, now=now, note=None)
        await _apply(journal, decided, published)
    return Adjusted(decided, published.programme.programme.minor_unit_digits)


async def reject(adjustment_id: int, note: str, *, by: int, now: Instant) -> Adjusted:
    """Refuse a pending adjustment as the second person; the note says why.

    Writes; call it inside a transaction. Raises InvalidInput, NotFound, NotAllowed for the person
    who asked for it, or AlreadyDecided.
    """
    said = rules.checked_reason(note, field="note")
    found = await _pending(adjustment_id, by=by)
    published = (await programme.rulebook()).at(now)
    decided = await _decide(found, AdjustmentStatus.REJECTED, by=by, now=now, note=said)
    return Adjusted(decided, published.programme.programme.minor_unit_digits)


async def _pending(adjustment_id: int, *, by: int) -> AdjustmentView:
    """The adjustment, locked, which `by` may decide."""
    path = ("adjustmentId",)
    row = await models.adjustment_for_writing(adjustment_id)
    if row is None:
        raise NotFound("not_found", path=path)
    found = _view(row)
    if found.status is not AdjustmentStatus.PENDING:
        raise AlreadyDecided("adjustment.decided", status=found.status.name, path=path)
    if found.requested_by == by:
        raise NotAllowed("adjustment.second_person", path=path)
    return found


async def _decide(
    found: AdjustmentView, status: AdjustmentStatus, *, by: int, now: Instant, note: str | None
) -> AdjustmentView:
    await models.decide(found.id, status=status.value, by=by, at=now, note=note)
    return msgspec.structs.replace(found, status=status, decided_by=by, decided_at=now, note=note)


async def find(adjustment_id: int) -> AdjustmentView | None:
    """One adjustment."""
    row = await models.adjustment(adjustment_id)
    return _view(row) if row else None


async def page(
    status: AdjustmentStatus | None, *, before: int | None, limit: int
) -> list[AdjustmentView]:
    """The newest adjustments of the status, or of all; those before the one with that id."""
    below = _FIRST_PAGE if before is None else before
    rows = await models.adjustment_page(status.value if status else None, below, limit)
    return [_view(row) for row in rows]


async def reasons(adjustment_ids: Collection[int]) -> dict[int, str]:
    """What staff have said about the adjustments, by id; unknown ids are left out."""
    if not adjustment_ids:
        return {}
    return {row[0]: row[1] for row in await models.reasons(adjustment_ids)}
