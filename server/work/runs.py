"""How each job fares: one row a job, written after each of its runs."""

from collections.abc import Sequence

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.scheduling import Job
from server.storage import sql
from server.storage.ids import new_id
from server.work.cron import cron

_COLUMNS = "name, started_at, succeeded_at, failed_at, error, done_count, duration_microseconds"
_SUCCEEDED = """
    INSERT INTO job_runs (id, name, started_at, succeeded_at, done_count, duration_microseconds)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at,
        succeeded_at = excluded.succeeded_at,
        done_count = job_runs.done_count + excluded.done_count,
        duration_microseconds = excluded.duration_microseconds
"""
_FAILED = """
    INSERT INTO job_runs
        (id, name, started_at, failed_at, error, done_count, duration_microseconds)
    VALUES ($1, $2, $3, $4, $5, 0, $6)
    ON CONFLICT (name) DO UPDATE SET started_at = excluded.started_at,
        failed_at = excluded.failed_at, error = excluded.error,
        duration_microseconds = excluded.duration_microseconds
"""


class Fared(msgspec.Struct, frozen=True):
    """How a job fares."""

    name: str
    started_at: Instant | None  # the last time
    succeeded_at: Instant | None
    failed_at: Instant | None
    error: str | None  # of the last failure
    done_count: int
    duration_microseconds: int  # of the last run


async def lag_seconds(job: Job, fared: Fared | None, now: Instant) -> int:
    """For how long what a job is to do has waited: as it says itself, or, of one that does what is
    left at each tick, since the first tick that no run has gone well after."""
    lag = await job.lag_seconds(now)
    schedule = cron(job.cron)
    if job.is_due is not None or schedule.is_of_every_second or fared is None:
        return lag
    missed = schedule.next(fared.succeeded_at or fared.started_at or now)
    overdue = 0 if missed is None else max(0, now - missed) // MICROSECONDS_PER_SECOND
    return max(lag, overdue)


async def all_fared() -> dict[str, Fared]:
    """How all jobs fare that have run so far, by name."""
    rows: Sequence[sql.Row] = await sql.fetch(f"SELECT {_COLUMNS} FROM job_runs")  # noqa: S608 - columns
    return {row[0]: Fared(*row) for row in rows}


async def succeeded(name: str, *, started_at: Instant, ended_at: Instant, done: int) -> None:
    """Write down a run that went well. Opens a transaction of its own."""
    async with sql.transaction():
        await sql.execute(
            _SUCCEEDED, new_id(), name, started_at, ended_at, done, ended_at - started_at
        )


async def failed(name: str, error: str, *, started_at: Instant, ended_at: Instant) -> None:
    """Write down a run that failed. Opens a transaction of its own."""
    async with sql.transaction():
        await sql.execute(
            _FAILED, new_id(), name, started_at, ended_at, error[:200], ended_at - started_at
        )
