"""One run of a job: what is told of it, and that its failure is nobody else's."""

from datetime import datetime

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server import clock
from server.clock import Instant
from server.scheduling import Job
from server.storage.database import Address
from server.work import runs
from server.work.figures import Figures, RunOutcome
from server.work.locks import Locks
from server.work.running import run_once


class Fault(Exception):
    """What a job may raise."""


def job(*answers: int | Exception, name: str = "sweep", is_shared: bool = False) -> Job:
    """A job that does as many things, or fails, one after the other."""
    left = list(answers)

    async def run(_now: Instant) -> int:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Job(name, "* * * * * *", run, is_shared=is_shared)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def figures(registry: CollectorRegistry) -> Figures:
    return Figures(registry)


def counted(registry: CollectorRegistry) -> dict[str, float]:
    """How many runs of the job there were, by outcome."""
    found = {
        outcome.value: registry.get_sample_value(
            "laurel_job_runs_total", {"job": "sweep", "outcome": outcome.value}
        )
        for outcome in RunOutcome
    }
    return {outcome: number for outcome, number in found.items() if number is not None}


async def test_runs_are_written_down_and_counted(
    database: Address, figures: Figures, registry: CollectorRegistry
) -> None:
    locks = Locks(database)
    work = job(3, 0, 4)
    outcomes = [await run_once(work, locks=locks, figures=figures) for _ in range(3)]
    await locks.close()
    assert outcomes == [RunOutcome.DONE, RunOutcome.NOTHING, RunOutcome.DONE]
    assert counted(registry) == {"done": 2, "nothing": 1}
    seconds = registry.get_sample_value("laurel_job_duration_seconds_count", {"job": "sweep"})
    assert seconds == 3
    fared = (await runs.all_fared())["sweep"]
    assert fared.done_count == 7
    assert fared.error is None
    assert fared.failed_at is None
    assert fared.started_at is not None
    assert fared.succeeded_at == fared.started_at + fared.duration_microseconds


async def test_a_failure_is_told_without_its_words_and_the_next_run_goes_well(
    database: Address, figures: Figures, registry: CollectorRegistry
) -> None:
    locks = Locks(database)
    work = job(1, Fault("ada@example.com"), 1)
    assert await run_once(work, locks=locks, figures=figures) is RunOutcome.DONE
    with capture_logs() as logs:
        assert await run_once(work, locks=locks, figures=figures) is RunOutcome.FAILED
    assert [(entry["event"], entry["job"]) for entry in logs] == [("job failed", "sweep")]
    failed = (await runs.all_fared())["sweep"]
    assert failed.error is not None
    assert failed.error.startswith("Fault in work/running.py:")
    assert failed.failed_at is not None
    assert await run_once(work, locks=locks, figures=figures) is RunOutcome.DONE
    await locks.close()
    well = (await runs.all_fared())["sweep"]
    assert well.done_count == 2
    assert msgspec.structs.replace(well, done_count=1).error == failed.error
    assert counted(registry) == {"done": 2, "failed": 1}


async def test_of_all_processes_one_runs_a_job_unless_it_is_shared(
    database: Address, engine: str, figures: Figures
) -> None:
    if engine == "sqlite":
        pytest.skip("one process works there")
    own, others = Locks(database), Locks(database)
    async with others.held("sweep") as is_held:
        assert is_held
        assert await run_once(job(1), locks=own, figures=figures) is RunOutcome.BUSY
        another = job(1, name="another")
        assert await run_once(another, locks=own, figures=figures) is RunOutcome.DONE
        shared = job(1, is_shared=True)
        assert await run_once(shared, locks=own, figures=figures) is RunOutcome.DONE
    assert await run_once(job(1), locks=own, figures=figures) is RunOutcome.DONE
    async with others.held("sweep"):
        await others.close()  # as if that process had died
        work = job(1)
        while await run_once(work, locks=own, figures=figures) is RunOutcome.BUSY:
            pass
    await own.close()


def clock_at(text: str) -> Instant:
    """The instant of a day and time in UTC."""
    return clock.instant_of(datetime.fromisoformat(f"2027-06-{text}+00:00"))


@pytest.mark.parametrize(
    ("succeeded", "lag_seconds"),
    [
        ("02T03:23:00", 0),
        ("02T03:22:59", 2 * 3_600),
        ("01T03:23:04", 2 * 3_600),
        ("01T03:22:00", 26 * 3_600),  # since the first that was missed
    ],
)
async def test_a_job_lags_since_the_first_tick_that_no_run_has_gone_well_after(
    succeeded: str, lag_seconds: int
) -> None:
    nightly = msgspec.structs.replace(job(), cron="0 23 3 * * *")
    at, now = clock_at(succeeded), clock_at("02T05:23:00")
    fared = runs.Fared("sweep", clock_at("02T03:23:00"), at, None, None, 0, 0)
    assert await runs.lag_seconds(nightly, fared, now) == lag_seconds
    assert await runs.lag_seconds(nightly, None, now) == 0, "what never ran begins with its tick"

    async def is_due(_now: Instant) -> bool:
        return False

    async def own_lag(_now: Instant) -> int:
        return 7

    # Who looks whether anything is left to do may well have had nothing to do since.
    idle = msgspec.structs.replace(nightly, is_due=is_due, lag_seconds=own_lag)
    assert await runs.lag_seconds(idle, fared, now) == 7
    often = msgspec.structs.replace(nightly, cron="* * * * * *", lag_seconds=own_lag)
    assert await runs.lag_seconds(often, fared, now) == 7
