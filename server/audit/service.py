"""The verbs of auditing: of everything, of some members, and of what has changed since.

An audit reads and locks nothing. Each batch of members is one consistent snapshot, and shows what
is wrong whatever writers do meanwhile; the memory that it takes does not depend on their number.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection

import msgspec

from server import clock
from server.audit import models, queries
from server.audit.batches import Batch, walked
from server.audit.holding import check_holds, check_lots
from server.audit.incentives import check_incentives
from server.audit.purchases import check_purchases
from server.audit.rules import Check, Findings, Problem, Report
from server.audit.standing import check_cashback, check_challenges, check_tiers
from server.audit.uses import check_uses
from server.clock import Instant
from server.programme import service as programme
from server.storage import ids, sql

__all__ = [
    "Check",
    "Findings",
    "Problem",
    "Report",
    "Status",
    "audit_all",
    "audit_changes",
    "audit_members",
    "status",
]

MEMBERS_PER_BATCH = 100
MEMBERS_PER_STEP = 10
"""Of what has changed: so much at a time that requests never wait long."""
OVERLAP_SECONDS = 120
"""Rows are numbered before they are committed, and on machines whose clocks differ."""
_CHANGES = "changes"
AUDITING_KEY = 0x6C61_7572_656C_6175  # "laurelau": nobody else's advisory lock
_MEMBERS_KEPT = 1_000

Progress = Callable[[int, int, int], None]
"""Told after each batch: members done, of how many, and problems so far."""


async def audit_all(
    *, members_per_batch: int = MEMBERS_PER_BATCH, progress: Progress | None = None
) -> Report:
    """Audit every member."""
    found = Findings()
    total = await queries.member_count()
    last = 0
    while batch := await queries.member_ids_after(last, members_per_batch):
        await audit_members(batch, found)
        last = batch[-1]
        if progress is not None:
            progress(found.member_count, max(total, found.member_count), found.problem_count)
    return found.report()


async def audit_members(member_ids: Collection[int], found: Findings) -> None:
    """Audit some members, in one snapshot; what is wrong is added to the findings."""
    async with sql.snapshot():
        book = await programme.rulebook()
        batch = await walked(member_ids, book, found)
        await check_lots(batch)
        await check_holds(batch)
        await check_uses(batch)
        await check_incentives(batch)
        bought = await check_purchases(batch)
        await check_tiers(batch, bought)
        await check_challenges(batch, bought)
        await check_cashback(batch, bought)
        await _check_merged(batch)


async def _check_merged(batch: Batch) -> None:
    """A duplicate that was merged holds nothing, and what it leads to exists."""
    rows = await queries.chosen("members", "id, merged_into", batch.member_ids, by="id")
    merged = {row[0]: row[1] for row in rows if row[1] is not None}
    if not merged:
        return
    survivors = await queries.existing("members", merged.values())
    for member_id, survivor in merged.items():
        if survivor not in survivors:
            row = ("members", member_id, member_id)
            batch.found.add(Check.MERGED, row, "merged_into", expected="a member", found=survivor)
    for account in batch.accounts.values():
        if account[1] not in merged:
            continue
        row = ("ledger_accounts", account[0], account[1])
        for what, value in (("balance", account[5]), ("held", account[6]), ("owed", account[7])):
            batch.found.same(
                Check.MERGED, row, f"{what} of a merged duplicate", expected=0, found=value
            )
    for tally in batch.walked.lots.values():
        if tally.row[1] in merged and tally.row[5]:
            row = ("lots", tally.row[0], tally.row[1])
            batch.found.add(
                Check.MERGED, row, "remaining of a merged duplicate", expected=0,
                found=tally.row[5],
            )  # fmt: skip


# ---------------------------------------------------------------- what has changed


class _Suspects(msgspec.Struct, frozen=True):
    """What stays wrong until it is mended: looked at again each time, changed or not."""

    line: str
    member_ids: list[int]


class Status(msgspec.Struct, frozen=True):
    """How far the changes are audited, and what is wrong."""

    last_run_at: Instant
    audited_at: Instant  # everything up to here is audited
    member_count: int
    problem_count: int
    first_problem: str | None
    problems: tuple[Problem, ...] = ()  # of a run that was just made

    def lag_seconds(self, now: Instant) -> int:
        """How long ago `audited_at` was, in whole seconds."""
        return max(0, now - self.audited_at) // clock.MICROSECONDS_PER_SECOND


async def status() -> Status | None:
    """What the latest audit of changes said; None before the first."""
    row = await models.last_run(_CHANGES)
    return None if row is None else _status(row)


def _status(row: sql.Row, problems: tuple[Problem, ...] = ()) -> Status:
    suspects = _suspects(row)
    return Status(
        last_run_at=row[3] if row[3] is not None else row[2],
        audited_at=ids.instant_of(row[4]),
        member_count=row[5],
        problem_count=row[6],
        first_problem=None if suspects is None else suspects.line,
        problems=problems,
    )


def _suspects(row: sql.Row | None) -> _Suspects | None:
    if row is None or row[7] is None:
        return None
    return msgspec.json.decode(row[7], type=_Suspects)


async def audit_changes(*, seconds_apart: int = 0, share_percent: int = 100) -> Status | None:
    """Audit the members of whom something was written since the last time, and those of whom
    something was wrong then; the first time, everybody.

    It works `share_percent` of the time that it takes and rests in between, so that requests find
    the process free. On several processes one audits at a time, and not within `seconds_apart` of
    another. What the
    latest said is returned, whoever made it; None if there is none yet. Writes a note of its own,
    in a transaction of its own.
    """
    async with sql.alone(AUDITING_KEY) as is_alone:
        last = await models.last_run(_CHANGES)
        started_at = clock.system_now()
        if not is_alone or (last is not None and _is_recent(last, started_at, seconds_apart)):
            return None if last is None else _status(last)
        found = Findings()
        async for members in _concerned(last):
            began = time.monotonic()
            await audit_members(members, found)
            await asyncio.sleep((time.monotonic() - began) * (100 - share_percent) / share_percent)
        row = _run(found, started_at)
        return _status(await _note(row, last), tuple(found.problems))


def _is_recent(last: sql.Row, now: Instant, seconds: int) -> bool:
    before: Instant = last[2]
    return now < before + seconds * clock.MICROSECONDS_PER_SECOND


async def _concerned(last: sql.Row | None) -> AsyncIterator[list[int]]:
    """Whom to audit, a few at a time."""
    since = 0
    if last is not None:
        overlap = OVERLAP_SECONDS * clock.MICROSECONDS_PER_SECOND
        since = ids.first_id_at(Instant(ids.instant_of(last[4]) - overlap))
    before = _suspects(last)
    suspects = [] if before is None else before.member_ids
    for start in range(0, len(suspects), MEMBERS_PER_STEP):
        yield suspects[start : start + MEMBERS_PER_STEP]
    again = set(suspects)
    after = 0
    while changed := await _changed(since, after):
        after = changed[-1]
        fresh = [member_id for member_id in changed if member_id not in again]
        if fresh:
            yield fresh


async def _changed(since: int, after: int) -> list[int]:
    if not since:
        return await queries.member_ids_after(after, MEMBERS_PER_STEP)
    return await queries.changed_member_ids(since, after=after, limit=MEMBERS_PER_STEP)


def _run(found: Findings, started_at: Instant) -> sql.Row:
    suspects = None
    if found.problems:
        members = list(found.member_ids)[:_MEMBERS_KEPT]
        suspects = msgspec.json.encode(_Suspects(found.problems[0].line, members)).decode()
    return (
        ids.new_id(),
        _CHANGES,
        started_at,
        clock.system_now(),
        ids.first_id_at(started_at),
        found.member_count,
        found.problem_count,
        suspects,
    )


async def _note(row: sql.Row, last: sql.Row | None) -> sql.Row:
    """Write the run down: a row for each change of what is wrong, and not one a minute."""
    async with sql.transaction():
        if last is not None and tuple(last[6:8]) == tuple(row[6:8]):
            prolonged = (last[0], *row[1:])
            await models.prolong_run(prolonged)
            return prolonged
        await models.add_run(row)
    return row
