"""The process of the clients: it loads the members once, and sends what it is told to."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from uvicorn.loops.auto import auto_loop_factory

from bench import cores, load, shots
from bench.load import Answered, Tally
from bench.shots import Kind


@dataclass(frozen=True, slots=True)
class Order:
    """What the clients are to send: as fast as they are answered, or at a fixed rate."""

    kind: Kind
    ports: Sequence[int]
    seed: int
    warm_up_seconds: float
    seconds: float
    per_second: float | None = None  # None: closed
    ready_count: int = 100_000
    is_once: bool = False  # each member asks once, and then it is over


@dataclass(frozen=True, slots=True)
class _Failed:
    message: str


class Clients:
    """The process, seen from here; made by `started`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._answer()

    def measure(self, order: Order) -> Tally:
        """What came of the order. Raises Answered for errors."""
        self._pipe.send(order)
        answer = self._answer()
        assert isinstance(answer, Tally)
        return answer

    def _answer(self) -> object:
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise Answered("the process of the clients has ended before its time") from None
        if isinstance(answer, _Failed):
            raise Answered(answer.message)
        return answer


@contextmanager
def started(url: str) -> Iterator[Clients]:
    """The clients of the database's members, for the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(url, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        cores.pin(process.pid or 0, cores.OTHER_CORE)
        yield Clients(ours)
        ours.send(None)
        process.join(timeout=10)
    finally:
        process.terminate()
        process.join()


def _run(url: str, pipe: Connection) -> None:
    import asyncio  # noqa: PLC0415 - only this process runs loops of its own

    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            people = runner.run(shots.people_of(url))
            pipe.send("ready")
            while (order := pipe.recv()) is not None:
                try:
                    pipe.send(runner.run(_obey(order, people)))
                except (Answered, OSError) as error:
                    pipe.send(_Failed(str(error) or repr(error)))
    except (KeyboardInterrupt, EOFError):
        return
    except Exception as error:
        pipe.send(_Failed(f"{type(error).__name__}: {error}"))


async def _obey(order: Order, people: shots.People) -> Tally:
    made = shots.shots(
        order.kind,
        people,
        seed=order.seed,
        ready_count=order.ready_count,
        is_once=order.is_once,
    )
    if order.per_second is None:
        return await load.closed(
            list(order.ports),
            made,
            connections=order.kind.connections,
            expects=order.kind.expects,
            warm_up_seconds=order.warm_up_seconds,
            seconds=order.seconds,
        )
    return await load.opened(
        list(order.ports),
        made,
        expects=order.kind.expects,
        per_second=order.per_second,
        warm_up_seconds=order.warm_up_seconds,
        seconds=order.seconds,
    )
