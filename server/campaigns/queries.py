"""Statements about campaigns being sent."""

from collections.abc import Collection, Sequence
from typing import Any

from server.campaigns.shapes import Run, RunState
from server.clock import Instant
from server.storage import sql
from server.storage.ids import new_id

_COLUMNS = (
    "id, campaign, version_id, message, state, resumes_as, after_id, looked_at, started_at,"
    " planned_at, changed_at"
)
_ADD = sql.insert(
    "campaign_runs", _COLUMNS, otherwise="ON CONFLICT (campaign, version_id, message) DO NOTHING"
)
_OPEN = "'queued', 'claimed', 'attempting'"
"""The statuses of deliveries that something still becomes of."""
LATEST = 2**63 - 1


def _run(row: Sequence[Any]) -> Run:
    state, resumes_as = RunState(row[4]), None if row[5] is None else RunState(row[5])
    return Run(row[0], row[1], row[2], row[3], state, resumes_as, *row[6:])


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def add_run(
    campaign: str,
    version_id: int,
    now: Instant,
    *,
    message: str = "",
    state: RunState = RunState.PLANNING,
    resumes_as: RunState | None = None,
) -> bool:
    """Begin to send the version; whether that had not begun. Writes."""
    paused_as = None if resumes_as is None else resumes_as.value
    values = (message, state.value, paused_as, 0, 0, now, None, now)
    return await sql.execute(_ADD, new_id(), campaign, version_id, *values) == 1


async def run(run_id: int, *, is_locked: bool = False) -> Run | None:
    """One run."""
    lock = _lock() if is_locked else ""
    row = await sql.fetch_one(f"SELECT {_COLUMNS} FROM campaign_runs WHERE id = $1{lock}", run_id)
    return None if row is None else _run(row)


async def runs_in(*states: RunState) -> list[Run]:
    """The runs that are so far, the oldest first."""
    rows = await sql.fetch(
        f"SELECT {_COLUMNS} FROM campaign_runs"
        f" WHERE state IN ({sql.placeholders(len(states))}) ORDER BY id",
        *(state.value for state in states),
    )
    return [_run(row) for row in rows]


async def runs_of(campaign: str, *, is_locked: bool = False) -> list[Run]:
    """All runs of the campaign, the newest first."""
    lock = _lock() if is_locked else ""
    rows = await sql.fetch(
        f"SELECT {_COLUMNS} FROM campaign_runs WHERE campaign = $1 ORDER BY id DESC{lock}", campaign
    )
    return [_run(row) for row in rows]


async def page(*, before: int, limit: int) -> list[Run]:
    """The newest runs of all campaigns, those with an id below."""
    rows = await sql.fetch(
        f"SELECT {_COLUMNS} FROM campaign_runs WHERE id < $1 ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )
    return [_run(row) for row in rows]


async def begun(version_ids: Collection[int]) -> set[int]:
    """Those of the versions that have a run."""
    if not version_ids:
        return set()
    wanted = sql.padded(version_ids)
    rows = await sql.fetch(
        "SELECT version_id FROM campaign_runs"
        f" WHERE version_id IN ({sql.placeholders(len(wanted))})",
        *wanted,
    )
    return {row[0] for row in rows}


async def advance(run_id: int, *, after_id: int, audience: int) -> None:
    """Note that members up to an id were looked at, and how many more are in the audience."""
    await sql.execute(
        "UPDATE campaign_runs SET after_id = $1, looked_at = looked_at + $2 WHERE id = $3",
        after_id,
        audience,
        run_id,
    )


async def become(
    run_id: int, state: RunState, now: Instant, *, resumes_as: RunState | None = None
) -> None:
    """Let the run be so far."""
    await sql.execute(
        "UPDATE campaign_runs SET state = $1, resumes_as = $2, changed_at = $3 WHERE id = $4",
        state.value,
        None if resumes_as is None else resumes_as.value,
        now,
        run_id,
    )


async def planned(run_id: int, now: Instant) -> None:
    """Note that all members were looked at."""
    await sql.execute(
        "UPDATE campaign_runs SET state = 'sending', planned_at = $1, changed_at = $1"
        " WHERE id = $2 AND state = 'planning'",
        now,
        run_id,
    )


# ---------------------------------------------------------------- deliveries


async def progress(run_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """How many deliveries of each of the runs have each status."""
    wanted = sql.padded(run_ids)
    rows = await sql.fetch(
        "SELECT run_id, status, COUNT(*) FROM deliveries"
        f" WHERE run_id IN ({sql.placeholders(len(wanted))}) GROUP BY run_id, status",
        *wanted,
    )
    found: dict[int, dict[str, int]] = {run_id: {} for run_id in run_ids}
    for run_id, status, count in rows:
        found[run_id][status] = int(count)
    return found


async def has_open_deliveries(run_id: int) -> bool:
    """Whether something still becomes of a delivery of the run."""
    row = await sql.fetch_one(
        f"SELECT 1 FROM deliveries WHERE run_id = $1 AND status IN ({_OPEN}) LIMIT 1", run_id
    )
    return row is not None


async def stop_some(run_id: int, now: Instant, *, limit: int) -> int:
    """Suppress queued deliveries of a run that was stopped; how many. Writes."""
    return await sql.execute(
        "UPDATE deliveries SET status = 'suppressed', reason = 'stopped', settled_at = $1"
        " WHERE id IN (SELECT id FROM deliveries WHERE run_id = $2 AND status = 'queued'"
        f" ORDER BY id LIMIT $3{' FOR UPDATE SKIP LOCKED' if sql.engine() == 'postgres' else ''})",
        now,
        run_id,
        limit,
    )


_WAITING_OF_STOPPED = (
    "FROM campaign_runs r WHERE r.state = 'stopped' AND EXISTS"
    " (SELECT 1 FROM deliveries d WHERE d.run_id = r.id AND d.status = 'queued')"
)


async def stopped_with_waiting() -> list[int]:
    """The runs that were stopped and still have something that waits."""
    rows = await sql.fetch(f"SELECT r.id {_WAITING_OF_STOPPED} ORDER BY r.id")
    return [row[0] for row in rows]


async def stopped_at() -> Instant | None:
    """When the first of them was stopped."""
    row = await sql.fetch_one(f"SELECT MIN(r.changed_at) {_WAITING_OF_STOPPED}")
    return None if row is None else row[0]


async def finish(run_id: int, now: Instant) -> int:
    """Note that a run is done, if it was being sent and nothing of it is left; 1 or 0. Writes."""
    return await sql.execute(
        "UPDATE campaign_runs SET state = 'done', changed_at = $1"
        " WHERE id = $2 AND state = 'sending' AND NOT EXISTS (SELECT 1 FROM deliveries"
        f" WHERE run_id = $2 AND status IN ({_OPEN}))",
        now,
        run_id,
    )
