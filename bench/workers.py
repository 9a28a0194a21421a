"""The clients, as tasks of several processes that measure the same span of time together."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import asyncpg
from uvicorn.loops.auto import auto_loop_factory

from bench import purchasing
from bench.conditions import network, programme_row
from server.storage.database import Address, opened

_SECONDS_TO_GET_READY = 0.2


class WorkerFailed(Exception):
    """A process of clients failed; the message says what of."""


@dataclass(frozen=True, slots=True)
class Span:
    """What all clients do, and from when to when by `time.monotonic()`, which they share."""

    is_bare: bool
    has_programme_row: bool
    wait_milliseconds: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What the clients of one process, or of all, did in a span."""

    seconds: list[float]  # that each answer took
    python_seconds: float  # of the processors' time


@dataclass(frozen=True, slots=True)
class _Failed:
    message: str


@dataclass(frozen=True, slots=True)
class _Worker:
    """One process of clients."""

    url: str
    clients: Sequence[int]
    all_clients: int
    pipe: Connection

    async def serve(self) -> None:
        """Measure spans as they are asked for, until None is."""
        async with opened(Address("postgres", self.url), pool_size=len(self.clients)):
            members = await purchasing.member_ids()
            assets = await purchasing.account_assets()
            own = {client: members[client :: self.all_clients] for client in self.clients}
            self.pipe.send("ready")
            while (span := await asyncio.to_thread(self.pipe.recv)) is not None:
                self.pipe.send(await self._measure(span, own, assets))

    async def _measure(
        self, span: Span, own: dict[int, list[int]], assets: dict[int, str]
    ) -> Tally:
        with ExitStack() as conditions:
            if span.has_programme_row:
                conditions.enter_context(programme_row(assets))
            if span.wait_milliseconds:
                conditions.enter_context(network(span.wait_milliseconds))
            await asyncio.sleep(max(0.0, span.start - time.monotonic()))
            before = time.process_time()
            taken = await asyncio.gather(
                *(
                    self._commit(client, span.end)
                    if span.is_bare
                    else purchasing.shop(client, members, span.end)
                    for client, members in own.items()
                )
            )
        python_seconds = time.process_time() - before
        return Tally([one for some in taken for one in some], python_seconds)

    async def _commit(self, client: int, until: float) -> list[float]:
        """Commit single rows, which is the least that a transaction can do."""
        taken: list[float] = []
        connection = await asyncpg.connect(self.url)
        try:
            while (start := time.monotonic()) < until:
                number = time.monotonic_ns() * self.all_clients + client
                await connection.execute("INSERT INTO bare_commits (id) VALUES ($1)", number)
                end = time.monotonic()
                if end < until:
                    taken.append(end - start)
        finally:
            await connection.close()
        return taken


def _run(url: str, clients: Sequence[int], all_clients: int, pipe: Connection) -> None:
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_Worker(url, clients, all_clients, pipe).serve())
    except (KeyboardInterrupt, EOFError):
        return
    except Exception as error:
        pipe.send(_Failed(f"{type(error).__name__}: {error}"))


class Crowd:
    """All clients; made by `crowd`."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes
        for pipe in pipes:
            self._answer(pipe)

    def measure(
        self,
        seconds: float,
        *,
        is_bare: bool = False,
        has_programme_row: bool = False,
        wait_milliseconds: int = 0,
    ) -> Tally:
        """What all of them do in so many seconds. Raises WorkerFailed."""
        start = time.monotonic() + _SECONDS_TO_GET_READY
        span = Span(is_bare, has_programme_row, wait_milliseconds, start, start + seconds)
        for pipe in self._pipes:
            pipe.send(span)
        tallies = [self._answer(pipe) for pipe in self._pipes]
        return Tally(
            [one for tally in tallies for one in tally.seconds],
            sum(tally.python_seconds for tally in tallies),
        )

    def _answer(self, pipe: Connection) -> Tally:
        try:
            answer = pipe.recv()
        except EOFError:
            raise WorkerFailed("a process of clients has ended before its time") from None
        if isinstance(answer, _Failed):
            raise WorkerFailed(answer.message)
        return answer  # type: ignore[no-any-return] # what comes through a pipe has no type


@contextmanager
def crowd(url: str, *, clients: int, processes: int) -> Iterator[Crowd]:
    """Clients in several processes, each with a connection of its own, connected for the block."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started = []
    try:
        for number in range(processes):
            ours, theirs = context.Pipe()
            own = range(number, clients, processes)
            process = context.Process(target=_run, args=(url, own, clients, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            started.append(process)
        yield Crowd(pipes)
        for pipe in pipes:
            pipe.send(None)
        for process in started:
            process.join(timeout=10)
    finally:
        for process in started:
            process.terminate()
