"""Working: ticks become runs of the engine, once each, and never on top of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server import clock
from server.clock import Instant
from server.edge.metrics import Metrics
from server.scheduling import Job
from server.settings import Settings
from server.storage.database import Address
from server.work import engine as dbos_engine
from server.work import registry, runs, showing, working
from server.work.figures import Figures
from server.work.working import Worker

SECOND = clock.MICROSECONDS_PER_SECOND
MINUTE = 60 * SECOND


class Work:
    """A job that can be watched and held up."""

    def __init__(self, name: str, schedule: str = "0 * * * * *") -> None:
        self.count = 0
        self.left = 1_000
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.job = Job(name, schedule, self._run, self._lag)

    async def _run(self, _now: Instant) -> int:
        self.count += 1
        self.left -= 1
        self.begun.set()
        await self.may_end.wait()
        return 1

    async def _lag(self, _now: Instant) -> int:
        return self.left


@asynccontextmanager
async def launched(address: Address, *works: Work) -> AsyncIterator[Worker]:
    """A worker whose ticks are the test's."""
    jobs = [work.job for work in works]
    worker = Worker(jobs, address=address, figures=Figures(CollectorRegistry()))
    assert await worker.launched()
    try:
        yield worker
    finally:
        await worker.stop()


async def test_a_tick_is_one_run_and_none_begins_on_top_of_another(database: Address) -> None:
    slow, other = Work("slow"), Work("other")
    slow.may_end.clear()
    start = clock.system_now()
    async with asyncio.timeout(60), launched(database, slow, other) as worker:
        for minutes in (1, 2, 3):
            worker.tick(Instant(start + minutes * MINUTE))
            worker.tick(Instant(start + minutes * MINUTE))
            await other.begun.wait()
            await ended(worker, "other")
            other.begun.clear()
        assert (slow.count, other.count) == (1, 3)
        slow.may_end.set()
        await ended(worker, "slow")
        slow.begun.clear()
        worker.tick(Instant(start + 4 * MINUTE))
        await slow.begun.wait()
        await other.begun.wait()
        assert (slow.count, other.count) == (2, 4)
    fared = await runs.all_fared()
    assert {name: one.done_count for name, one in fared.items()} == {"slow": 2, "other": 4}


async def ended(worker: Worker, name: str) -> None:
    """Wait until the job does not run any more."""
    while name in worker._running | worker._looked_at:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.005)


async def test_the_same_run_asked_for_twice_is_made_once(database: Address) -> None:
    work = Work("once")
    async with asyncio.timeout(60), launched(database, work) as worker:
        tick = clock.system_now()
        for run_id in ("once@1", "once@1", "once@2"):
            await asyncio.to_thread(dbos_engine.start, run_id, "once", tick)
            await ended(worker, "once")
            while work.count == 0 or (run_id == "once@2" and work.count == 1):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert work.count == 2
        assert await asyncio.to_thread(dbos_engine.forget, Instant(tick - MINUTE)) == 0
        assert await asyncio.to_thread(dbos_engine.forget, clock.system_now()) == 2


async def test_a_job_of_every_second_runs_when_something_is_due(database: Address) -> None:
    often = Work("often", "* * * * * *")
    often.left = 0
    start = clock.system_now()
    async with asyncio.timeout(60), launched(database, often) as worker:
        worker.tick(Instant(start + SECOND))
        await ended(worker, "often")
        assert often.count == 0
        often.left = 3
        worker.tick(Instant(start + 2 * SECOND))
        while often.left:  # noqa: ASYNC110 - what a run leaves to be done is looked at at once
            await asyncio.sleep(0.005)
        await ended(worker, "often")
        assert often.count == 3


async def test_a_run_that_does_not_end_is_broken_off_and_made_up_for(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "FINISHING_SECONDS", 0.05)
    stuck = Work("stuck")
    stuck.may_end.clear()
    async with asyncio.timeout(60), launched(database, stuck) as worker:
        worker.tick(Instant(clock.system_now() + MINUTE))
        await stuck.begun.wait()
    assert await runs.all_fared() == {}, "what was broken off has not succeeded"
    again = Work("stuck")
    async with asyncio.timeout(60), launched(database, again) as worker:
        worker.tick(Instant(clock.system_now() + 2 * MINUTE))
        await again.begun.wait()
        await ended(worker, "stuck")
    assert (await runs.all_fared())["stuck"].done_count >= 1


async def test_what_was_missed_while_nobody_worked_is_made_up_for(database: Address) -> None:
    long_ago = Instant(clock.system_now() - 3 * MINUTE)
    await runs.succeeded("known", started_at=long_ago, ended_at=long_ago, done=1)
    known, new = Work("known"), Work("new")
    async with asyncio.timeout(60), launched(database, known, new) as worker:
        # Within this minute: only who has run before knows that it missed one.
        worker.tick(Instant(worker._seen["new"]))
        await known.begun.wait()
        await ended(worker, "known")
        assert (known.count, new.count) == (1, 0)


async def test_a_lag_that_is_not_known_hides_no_other_ones(database: Address) -> None:
    async def fails(_now: Instant) -> int:
        raise LookupError

    known, unknown = Work("known").job, msgspec.structs.replace(Work("x").job, lag_seconds=fails)
    collected = CollectorRegistry()
    worker = Worker([unknown, known], address=database, figures=Figures(collected))
    with capture_logs() as logged:
        await worker.tell()
    assert collected.get_sample_value("laurel_job_lag_seconds", {"job": "known"}) == 1_000
    assert [(one["event"], one["job"]) for one in logged] == [("a job's lag is not known", "x")]


async def test_every_job_tells_how_it_fares_before_there_is_a_programme(database: Address) -> None:
    shown = await showing.all_shown(Settings())
    assert {one.lag_seconds for one in shown} == {0}
    for job in registry.all_jobs(Settings(), Metrics()):
        if job.name == "reminders":
            assert not await working.is_due(job, clock.system_now())
            assert await job.run(clock.system_now()) == 0


async def test_work_that_breaks_off_is_told_of_and_begins_anew(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "SECONDS_TO_LAUNCH_AGAIN", 0.01)
    faults: list[Exception] = [LookupError("first"), LookupError("second")]
    work = Work("often", "* * * * * *")

    def load() -> list[Job]:
        if len(faults) == 2:
            raise faults.pop()
        return [work.job]

    def tick(self: Worker, now: Instant) -> None:
        if faults:
            raise faults.pop()
        self._look_at(work.job, now)

    monkeypatch.setattr(Worker, "tick", tick)
    beginning = asyncio.Event()
    beginning.set()
    figures = Figures(CollectorRegistry())
    with capture_logs() as logged:
        async with (
            asyncio.timeout(60),
            working.working(load, address=database, figures=figures, beginning=beginning),
        ):
            await work.begun.wait()
    told = [one for one in logged if one["event"].startswith("background work has broken off")]
    assert len(told) == 2
