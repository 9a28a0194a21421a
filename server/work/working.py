"""Working: looks each second which jobs are due, and has the engine run them.

A look is cheap: a job of every second says by one small query whether anything is left to do, and
only then there is a run, which the engine records. So a worker with nothing to do writes nothing.
What a run brought about is looked at at once, and not at the next tick.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from types import ModuleType

import structlog

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.scheduling import Job
from server.storage import outbox, sql
from server.storage.database import Address
from server.storage.ids import new_id
from server.work import runs
from server.work.cron import cron
from server.work.figures import Figures, RunOutcome
from server.work.locks import Locks
from server.work.running import run_once

SECONDS_BETWEEN_FIGURES = 15
FINISHING_SECONDS = 10
"""What runs under way may take when the process stops; afterwards they are broken off, and what
they had not committed is done by another worker."""
SLOW_JOBS_AT_ONCE = 3
"""Of those that do not run each second: they leave some of the pool's connections to the others."""
STALE_SECONDS = 3_600
"""A run that the engine takes up again after so long is left to the ticks since."""
SECONDS_TO_LAUNCH_AGAIN = 10
Load = Callable[[], Sequence[Job]]
"""Loads the jobs, in a thread."""
_SQLITE_WORKER = "laurel"
_log = structlog.get_logger("work")


async def is_due(job: Job, now: Instant) -> bool:
    """Whether a run has anything to do, as far as the job can tell cheaply: if it does not say so
    itself, a job of every second has if something is due in a second from now."""
    if job.is_due is not None:
        return await job.is_due(now)
    if not is_of_every_second(job):
        return True
    return await job.lag_seconds(Instant(now + MICROSECONDS_PER_SECOND)) > 0


def is_of_every_second(job: Job) -> bool:
    """Whether the job has a tick each second."""
    return cron(job.cron).is_of_every_second


class Worker:
    """This process as one that works: its jobs, and which of them run just now."""

    def __init__(self, jobs: Sequence[Job], *, address: Address, figures: Figures) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._address = address
        self._figures = figures
        self._locks = Locks(address)
        self._seen: dict[str, Instant] = {}  # the last tick of each job that was looked at
        self._looked_at: set[str] = set()  # just now, or about to begin
        self._running: set[str] = set()
        self._under_way: set[asyncio.Task[str]] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._slow = asyncio.Semaphore(SLOW_JOBS_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()  # outside of any transaction
        self._launching: asyncio.Task[None] | None = None
        self._engine: ModuleType | None = None
        self._is_stopping = False

    # ------------------------------------------------------------ starting and stopping

    async def launched(self) -> bool:
        """Start the engine, in a thread: the loop goes on meanwhile. Whether it could be."""
        # On SQLite one process works after another; elsewhere nobody is this process again.
        worker = _SQLITE_WORKER if self._address.engine == "sqlite" else f"worker-{new_id()}"
        self._launching = asyncio.create_task(asyncio.to_thread(self._launch, worker))
        try:
            await asyncio.shield(self._launching)
            await self._remember()
        except Exception:
            _log.exception("the engine of background work can't be started")
            return False
        gc.freeze()  # what was loaded stays, and need not be looked through
        return True

    def _launch(self, worker: str) -> None:
        from server.work import engine  # noqa: PLC0415 - slow to load, and only workers need it

        if self._engine is None:
            engine.launch(self._address, worker=worker, execute=self._execute)
        self._engine = engine

    async def _remember(self) -> None:
        """Look at what was missed while nobody worked; what never ran begins with its next tick."""
        fared = await runs.all_fared()
        now = clock.system_now()
        for name in self._jobs:
            before = fared.get(name)
            self._seen[name] = (before and before.started_at) or now

    async def stop(self) -> None:
        """Finish the runs under way, or break them off after a while; then stop the engine."""
        self._is_stopping = True
        if self._launching is not None:
            await asyncio.gather(self._launching, return_exceptions=True)
        for look in self._looks:
            look.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=FINISHING_SECONDS)
        for run in self._under_way:
            run.cancel()
        await asyncio.gather(*self._looks, *self._under_way, return_exceptions=True)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.stop)
        await self._locks.close()

    # ------------------------------------------------------------ looking

    async def tick_forever(self) -> None:
        """Look at each second which jobs are due."""
        while True:
            now = clock.system_now()
            await asyncio.sleep(1 - now % MICROSECONDS_PER_SECOND / MICROSECONDS_PER_SECOND)
            self.tick(clock.system_now())

    def tick(self, now: Instant) -> None:
        """Look at each job that has had a tick since it was looked at last."""
        for name, job in self._jobs.items():
            latest = cron(job.cron).latest(now)
            if latest is not None and latest > self._seen.get(name, now):
                self._seen[name] = latest
                self._look_at(job, latest)

    def _look_at(self, job: Job, tick: Instant) -> None:
        if job.name in self._running | self._looked_at or self._is_stopping:
            return  # the former run goes on, and sees what is due meanwhile
        self._looked_at.add(job.name)
        look = self._loop.create_task(self._look(job, tick), context=self._context.copy())
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    async def _look(self, job: Job, tick: Instant) -> None:
        try:
            if await is_due(job, clock.system_now()):
                await asyncio.to_thread(self._start, job, tick)
        except Exception as error:
            if sql.is_unavailable(error):
                _log.warning("job postponed: the database does not answer", job=job.name)
            else:
                _log.exception("job not started", job=job.name)
        finally:
            self._looked_at.discard(job.name)

    def _start(self, job: Job, tick: Instant) -> None:
        assert self._engine is not None, "who looks has launched the engine"
        run_id = f"{job.name}@{tick}"
        if job.is_shared:
            run_id = f"{run_id}@{new_id()}"
        self._engine.start(run_id, job.name, tick)

    def look_at_followers(self) -> None:
        """What has just been done may be what other jobs wait for."""
        for job in self._jobs.values():
            if is_of_every_second(job):
                self._look_at(job, clock.system_now())

    # ------------------------------------------------------------ running

    def _execute(self, run_id: str, name: str, tick: int) -> str:
        """Called in a thread of the engine: the run itself belongs to the loop, which has the
        database open."""
        told: Future[str] = Future()
        self._loop.call_soon_threadsafe(
            self._begin, run_id, name, tick, told, context=self._context.copy()
        )
        try:
            return told.result()
        except CancelledError:
            return RunOutcome.STOPPED.value

    def _begin(self, run_id: str, name: str, tick: int, told: "Future[str]") -> None:
        job = self._jobs.get(name)
        is_stale = clock.system_now() - tick > STALE_SECONDS * MICROSECONDS_PER_SECOND
        if self._is_stopping or job is None or is_stale:
            told.set_result(RunOutcome.STOPPED.value)
            return
        if name in self._running:
            told.set_result(RunOutcome.BUSY.value)
            return
        self._running.add(name)
        task = self._loop.create_task(self._run(job), name=f"run {run_id}")
        self._under_way.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, name, told))

    async def _run(self, job: Job) -> str:
        if is_of_every_second(job):
            return await run_once(job, locks=self._locks, figures=self._figures)
        async with self._slow:
            return await run_once(job, locks=self._locks, figures=self._figures)

    def _ended(self, task: "asyncio.Task[str]", name: str, told: "Future[str]") -> None:
        self._under_way.discard(task)
        self._running.discard(name)
        if task.cancelled():
            told.cancel()
        elif (error := task.exception()) is not None:
            told.set_exception(error)
        else:
            told.set_result(str(task.result()))
            if task.result() == RunOutcome.DONE:
                self.look_at_followers()

    # ------------------------------------------------------------ figures

    async def tell_forever(self) -> None:
        """Tell the figures how far behind each job is, again and again."""
        while True:
            try:
                await self.tell()
            except Exception as error:
                if not sql.is_unavailable(error):
                    _log.exception("the jobs' lags are not known")
            await asyncio.sleep(SECONDS_BETWEEN_FIGURES)

    async def tell(self) -> None:
        """Tell the figures how far behind each job is."""
        fared, now = await runs.all_fared(), clock.system_now()
        for name, job in self._jobs.items():
            try:
                self._figures.lags(name, await runs.lag_seconds(job, fared.get(name), now))
            except Exception as error:
                if sql.is_unavailable(error):
                    raise
                _log.exception("a job's lag is not known", job=name)
        self._figures.waits((await outbox.waiting())[0])


@asynccontextmanager
async def working(
    load: Load, *, address: Address, figures: Figures, beginning: asyncio.Event
) -> AsyncIterator[asyncio.Event]:
    """Within the block, which has the database open, the jobs are run; the event tells since when.

    It begins with `beginning`: to load the jobs and the engine takes a while, in which a server
    should be ready.
    """
    has_begun = asyncio.Event()
    task = asyncio.create_task(
        _work(load, address, figures, beginning=beginning, has_begun=has_begun), name="work"
    )
    try:
        yield has_begun
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _work(
    load: Load,
    address: Address,
    figures: Figures,
    *,
    beginning: asyncio.Event,
    has_begun: asyncio.Event,
) -> None:
    await beginning.wait()
    while True:
        try:
            await _work_on(load, address, figures, has_begun=has_begun)
        except Exception:
            # Nobody waits for this task: what it died of would be known to nobody.
            _log.exception("background work has broken off, and begins anew")
            await asyncio.sleep(SECONDS_TO_LAUNCH_AGAIN)


async def _work_on(
    load: Load, address: Address, figures: Figures, *, has_begun: asyncio.Event
) -> None:
    worker = Worker(await asyncio.to_thread(load), address=address, figures=figures)
    try:
        while not await worker.launched():  # noqa: ASYNC110 - nothing tells when it could be
            await asyncio.sleep(SECONDS_TO_LAUNCH_AGAIN)
        has_begun.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.tick_forever())
            group.create_task(worker.tell_forever())
    finally:
        await worker.stop()
