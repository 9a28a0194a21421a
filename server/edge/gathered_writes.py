"""Writes of many requests, done together: concurrent requests share statements and a commit.

Each request is answered after the commit that wrote it, as if it had come alone: once for each
idempotency key, and a refusal spoils no other. Who comes alone starts at once and waits for nobody;
who comes while a round is under way shares the next one with all who wait by then, so that the
busier the server is, the less each request costs.

A round that fails, because one of its requests meets a defect or loses a race to another process,
leaves nothing behind: each of its requests is then done alone (`server.edge.idempotency`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from server import clock
from server.clock import Instant
from server.edge import idempotency
from server.edge.observing import note_repetition
from server.errors import DomainError, IdempotencyConflict
from server.storage import sql
from server.storage.exchange import Asked, Companion, Written

MAXIMUM_ROUND = 64
ROUNDS_AT_ONCE = {"sqlite": 1, "postgres": 2}
"""SQLite has one writer; on PostgreSQL one round is reckoned while the other is written."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result", bound=msgspec.Struct)
_Alone = Callable[[], Awaitable[_Result]]


Together = Callable[
    [Sequence[_Item], Companion[_Result | DomainError]],
    Awaitable[Sequence[_Result | DomainError | None]],
]
"""Does many things in the transaction that it is called in, in the company of what keeps their
answers: the result or the refusal of each that the companion leaves, None for the others."""


@dataclass(frozen=True, slots=True)
class _Answer(Generic[_Result]):
    result: _Result
    is_repetition: bool


class _DoneAlone:
    """What a request is told whose round has failed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish(Generic[_Item, _Result]):
    """One request that waits."""

    scope: str
    key: str
    content: str
    item: _Item
    apart: frozenset[Hashable]  # no two requests of one time share any of these
    moved_to: Instant | None  # the simulated present, which all of a round have in common
    answered: asyncio.Future[_Answer[_Result] | DomainError | type[_DoneAlone]]


class _Keeping(Generic[_Item, _Result]):
    """The idempotency records of a round: the companion of its work."""

    def __init__(
        self, wishes: Sequence[_Wish[_Item, _Result]], result: type[_Result], at: Instant
    ) -> None:
        self._wishes = wishes
        self._result = result
        self._at = at
        self.asked: Sequence[Asked] = idempotency.records_asked(
            [(wish.scope, wish.key) for wish in wishes]
        )
        self.answers: list[_Answer[_Result] | DomainError | None] = [None] * len(wishes)

    def left(self, found: Sequence[Sequence[sql.Row]]) -> Collection[int]:
        """Answer the repetitions; the others are left."""
        records = {(row[0], row[1]): row for rows in found for row in rows}
        left: list[int] = []
        for position, wish in enumerate(self._wishes):
            row = records.get((wish.scope, wish.key))
            if row is None:
                left.append(position)
            elif row[2] != wish.content:
                self.answers[position] = IdempotencyConflict()
            else:
                self.answers[position] = _Answer(
                    msgspec.json.decode(row[3], type=self._result), is_repetition=True
                )
        return left

    def written(self, answers: Sequence[_Result | DomainError | None]) -> Iterable[Written]:
        """The records of what was done; a refusal leaves none, so that its key may be used
        again."""
        rows = [
            idempotency.record(wish.scope, wish.key, wish.content, answer, self._at)
            for wish, answer in zip(self._wishes, answers, strict=True)
            if answer is not None and not isinstance(answer, DomainError)
        ]
        return [(idempotency.INSERT, rows)]

    def take(self, answers: Sequence[_Result | DomainError | None]) -> bool:
        """Take what became of those that were left; whether anything was written for any."""
        is_written = False
        for position, answer in enumerate(answers):
            if isinstance(answer, DomainError):
                self.answers[position] = answer
            elif answer is not None:
                self.answers[position] = _Answer(answer, is_repetition=False)
                is_written = True
        return is_written


class _NothingWritten(Exception):
    """Undoes a round in which nothing was recorded."""


class _Queue(Generic[_Item, _Result]):
    """Who waits, and what is under way, on one event loop."""

    def __init__(
        self, do: Together[_Item, _Result], result: type[_Result], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._do = do
        self._result = result
        self._loop = loop
        self._waiting: deque[_Wish[_Item, _Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._under_way: set[Hashable] = set()
        self._is_called = False

    def add(self, wish: _Wish[_Item, _Result]) -> None:
        """Let a request wait for the next round."""
        self._waiting.append(wish)
        self._call()

    def _call(self) -> None:
        is_free = not self._is_called and len(self._running) < ROUNDS_AT_ONCE[sql.engine()]
        if is_free and self._waiting:
            # At the end of this turn of the loop: until then others may join.
            self._is_called = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._is_called = False
        wishes = self._taken()
        if not wishes:
            return
        task = self._loop.create_task(self._run(wishes), context=sql.without_transaction())
        self._running.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, wishes))
        self._call()

    def _ended(self, task: asyncio.Task[None], wishes: Sequence[_Wish[_Item, _Result]]) -> None:
        self._running.discard(task)
        for wish in wishes:
            self._under_way -= wish.apart
        self._call()

    def _taken(self) -> list[_Wish[_Item, _Result]]:
        """The requests of the next round: the first that wait and may be done now, together."""
        taken: list[_Wish[_Item, _Result]] = []
        left: deque[_Wish[_Item, _Result]] = deque()
        while self._waiting and len(taken) < MAXIMUM_ROUND:
            wish = self._waiting.popleft()
            if wish.answered.done():
                continue  # who asked has gone, before anything was done
            is_of_another_time = bool(taken) and wish.moved_to != taken[0].moved_to
            if is_of_another_time or not self._under_way.isdisjoint(wish.apart):
                left.append(wish)
            else:
                taken.append(wish)
                self._under_way |= wish.apart
        self._waiting.extendleft(reversed(left))
        return taken

    async def _run(self, wishes: Sequence[_Wish[_Item, _Result]]) -> None:
        moved_to = wishes[0].moved_to
        try:
            with clock.moved_to(moved_to):  # the task has the context of whoever called for it
                answers = await self._done(wishes)
        except BaseException as error:
            for wish in wishes:
                _told_of_failure(wish, error)
            if not isinstance(error, Exception):
                raise
        else:
            for wish, answer in zip(wishes, answers, strict=True):
                if not wish.answered.done():
                    wish.answered.set_result(_DoneAlone if answer is None else answer)

    async def _done(
        self, wishes: Sequence[_Wish[_Item, _Result]]
    ) -> Sequence[_Answer[_Result] | DomainError | None]:
        keeping = _Keeping(wishes, self._result, clock.system_now())
        try:
            async with sql.transaction():
                answers = await self._do([wish.item for wish in wishes], keeping)
                if not keeping.take(answers):
                    raise _NothingWritten
        except _NothingWritten:
            pass
        except DomainError as refusal:
            if len(wishes) > 1:
                raise
            return [refusal]
        return keeping.answers


def _told_of_failure(wish: _Wish[Any, Any], error: BaseException) -> None:
    if wish.answered.done():
        return
    if not isinstance(error, Exception):
        wish.answered.cancel()
    elif sql.is_unavailable(error):
        # Nobody has more luck alone, and all of them would wait for it.
        wish.answered.set_exception(error)
    else:
        wish.answered.set_result(_DoneAlone)


class GatheredWrites(Generic[_Item, _Result]):
    """Writes of one kind that concurrent requests do together; `do` does those of one round."""

    def __init__(self, do: Together[_Item, _Result], result: type[_Result]) -> None:
        self._do = do
        self._result = result
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[_Item, _Result]] = (
            WeakKeyDictionary()
        )

    async def once(
        self,
        *,
        scope: str,
        key: str,
        content: str,
        item: _Item,
        apart: Iterable[Hashable],
        alone: _Alone[_Result],
    ) -> _Result:
        """Do what `item` says, with others, or answer what was answered the first time.

        `alone` does the same by itself, for when it can't be done with others. Requests that have
        one of `apart` in common are never done at once: the later finds what the earlier has
        written. Raises what `idempotency.once` raises, and the refusal. Who is cancelled can't know
        whether it was written.
        """
        idempotency.check_key(key)
        if not sql.in_a_transaction():
            loop = asyncio.get_running_loop()
            wish: _Wish[_Item, _Result] = _Wish(
                scope,
                key,
                content,
                item,
                frozenset((*apart, (scope, key))),
                clock.moved_now(),
                loop.create_future(),
            )
            queue = self._queues.get(loop)
            if queue is None:
                queue = self._queues[loop] = _Queue(self._do, self._result, loop)
            queue.add(wish)
            answer = await wish.answered
            if isinstance(answer, DomainError):
                raise answer
            if isinstance(answer, _Answer):
                if answer.is_repetition:
                    note_repetition()
                return answer.result
        return await idempotency.once(
            scope=scope, key=key, content=content, work=alone, result=self._result
        )
