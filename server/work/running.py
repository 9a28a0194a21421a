"""Running one job once: alone where it must be, timed, written down; a failure ends nothing."""

import traceback
from pathlib import Path

import structlog

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.scheduling import Job
from server.storage import sql
from server.work import runs
from server.work.figures import Figures, RunOutcome
from server.work.locks import Locks

_SERVER = Path(__file__).parents[1]
_log = structlog.get_logger("work")


async def run_once(job: Job, *, locks: Locks, figures: Figures) -> RunOutcome:
    """Do what is left to do of the job now. It raises for no failure: it's logged, counted and
    written down, and the next tick tries again."""
    started_at = clock.system_now()
    try:
        if job.is_shared:
            outcome = await _run(job, started_at)
        else:
            async with locks.held(job.name) as is_held:
                outcome = await _run(job, started_at) if is_held else RunOutcome.BUSY
    except Exception as error:
        outcome = RunOutcome.FAILED
        await _tell_failure(job, error, started_at)
    seconds = (clock.system_now() - started_at) / MICROSECONDS_PER_SECOND
    figures.ran(job.name, outcome, seconds=seconds)
    return outcome


async def _run(job: Job, started_at: Instant) -> RunOutcome:
    done = await job.run(started_at)
    await runs.succeeded(job.name, started_at=started_at, ended_at=clock.system_now(), done=done)
    return RunOutcome.DONE if done else RunOutcome.NOTHING


async def _tell_failure(job: Job, error: Exception, started_at: Instant) -> None:
    if sql.is_unavailable(error):
        _log.warning("job postponed: the database does not answer", job=job.name)
        return
    _log.exception("job failed", job=job.name)
    try:
        await runs.failed(
            job.name, where(error), started_at=started_at, ended_at=clock.system_now()
        )
    except Exception:
        _log.exception("a job's failure could not be written down", job=job.name)


def where(error: BaseException) -> str:
    """What kind of failure it was, and the last line of ours that it passed: what an error says
    itself may be about somebody."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _SERVER in Path(frame.filename).parents
    ]
    if not ours:
        return type(error).__name__
    place = Path(ours[-1].filename).relative_to(_SERVER)
    return f"{type(error).__name__} in {place}:{ours[-1].lineno}"
