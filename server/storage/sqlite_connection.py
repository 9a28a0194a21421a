"""A connection to SQLite that runs quick statements at once, and slow ones in its thread.

A look-up by a key takes SQLite some microseconds; to hand it to a thread and back takes many times
that. So a statement whose text has been quick so far runs where it is asked for, and what isn't
known yet or was slow once runs in the connection's thread, where it holds up nobody else. Commits,
which wait for the disk, always do.
"""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

import aiosqlite

QUICK_SECONDS = 0.0005
"""What may run on the event loop at a time: other requests wait for so long."""
_CAUTION = 0.98
"""A slow statement counts as this much quicker with each time that it was quick."""
_MAXIMUM_TEXTS = 4_096
_STATEMENTS_KEPT = 512

_PLACEHOLDER = re.compile(r"\$(\d+)")
_Answer = TypeVar("_Answer")
Rows = list[tuple[Any, ...]]
_Values = Sequence[Any]


@lru_cache(maxsize=_MAXIMUM_TEXTS)
def in_its_words(statement: str) -> str:
    """The statement with SQLite's placeholders."""
    return _PLACEHOLDER.sub(r"?\1", statement)


class Pace:
    """How long statements take, by their text: for each row of those that write many."""

    __slots__ = ("_seconds", "_turn_began")

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._turn_began = 0.0

    def is_quick(self, statement: str, times: int = 1) -> bool:
        """Whether to expect that it takes no longer than others can wait."""
        return self._seconds.get(statement, 1.0) * times <= QUICK_SECONDS

    def note(self, statement: str, seconds: float) -> None:
        """It has taken so long."""
        known = self._seconds.get(statement, 0.0) * _CAUTION
        if not known and len(self._seconds) >= _MAXIMUM_TEXTS:
            self._seconds.clear()
        self._seconds[statement] = max(known, seconds)

    async def let_others_go_on(self) -> None:
        """To be called before a statement that waits for nothing: a task with very many of them
        gives way to others from time to time."""
        if time.perf_counter() - self._turn_began > QUICK_SECONDS:
            await asyncio.sleep(0)
            self._turn_began = time.perf_counter()


class Connection(aiosqlite.Connection):
    """One connection of a client; the client's connections share its pace.

    It knows whether a statement runs in its thread, and whether SQLite has given up the transaction
    of its own accord, as it does when the disk is full: what follows is refused then, for it would
    be done and committed alone.
    """

    def __init__(self, file: str, pace: Pace) -> None:
        connector = partial(
            _opened,
            file,
            isolation_level=None,
            check_same_thread=False,  # two threads use it, one at a time
            cached_statements=_STATEMENTS_KEPT,
        )
        super().__init__(connector, iter_chunk_size=64)
        self._pace = pace
        self._under_way = 0  # in the thread
        self.is_in_transaction = False
        """Whether a transaction was begun, and not yet ended by who began it."""
        self.lost_by: sqlite3.Error | None = None
        """What SQLite gave up the transaction for."""

    # ------------------------------------------------------------ statements

    async def rows(self, statement: str, values: _Values) -> Rows:
        """All rows of a query."""
        return await self._run(_rows, in_its_words(statement), values)

    async def change(self, statement: str, values: _Values) -> int:
        """Run a write; the number of rows that it changed."""
        return await self._run(_changed, in_its_words(statement), values)

    async def change_many(self, statement: str, rows: Sequence[_Values]) -> None:
        """Run a write once for each row."""
        await self._run(_changed_many, in_its_words(statement), rows, times=len(rows))

    async def at_once(self, work: Callable[..., _Answer], *values: Any) -> _Answer:
        """Do what takes no time, such as a savepoint: here, unless the thread is at work."""
        if self._under_way:
            waited: _Answer = await self._execute(work, self._conn, *values)
            return waited
        done: _Answer = self._minded(work, self._conn, *values)
        return done

    async def _run(
        self,
        run: Callable[[sqlite3.Connection, str, Any], _Answer],
        statement: str,
        values: Any,
        *,
        times: int = 1,
    ) -> _Answer:
        if self._pace.is_quick(statement, times):
            await self._pace.let_others_go_on()
            if not self._under_way:
                done: _Answer = self._minded(self._timed, run, statement, values, times)
                return done
        answer: _Answer = await self._execute(self._timed, run, statement, values, times)
        return answer

    def rows_at_once(self, statement: str, values: _Values) -> Rows:
        """All rows of a query, in SQLite's words: for a connection whose thread does nothing."""
        return self._timed(_rows, statement, values, 1)

    def _timed(
        self,
        run: Callable[[sqlite3.Connection, str, Any], _Answer],
        statement: str,
        values: Any,
        times: int,
    ) -> _Answer:
        # The thread's own time: neither waiting for Python's lock nor other processes count.
        start = time.thread_time()
        try:
            return run(self._conn, statement, values)
        finally:
            self._pace.note(statement, (time.thread_time() - start) / times)

    # ------------------------------------------------------------ where they run

    def when_idle(
        self,
        work: Callable[[sqlite3.Connection], object],
        then: Callable[[BaseException | None], None],
        *,
        in_thread: bool = False,
    ) -> None:
        """Do the work after what is under way, and then call `then`, with its error if it fails.

        Both are done whatever becomes of the task that asks.
        """
        error: BaseException | None = None
        try:
            if in_thread or self._under_way:
                submitted = self._submitted(partial(work, self._conn))
                submitted.add_done_callback(lambda future: then(future.exception()))
                return
            work(self._conn)
        except (sqlite3.Error, ValueError) as failure:  # ValueError: it is closed
            error = failure
        then(error)

    def _submitted(self, function: Callable[[], _Answer]) -> "asyncio.Future[_Answer]":
        """The answer of the function from the thread; nobody may cancel it."""
        if not self._running or not self._connection:
            raise ValueError("Connection closed")
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._under_way += 1
        future.add_done_callback(self._arrived)
        self._tx.put_nowait((future, function))
        return future

    def _arrived(self, _future: "asyncio.Future[Any]") -> None:
        self._under_way -= 1

    async def _execute(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Everything that aiosqlite does comes through here."""
        # Who is cancelled leaves the statement running, and it counts until it has ended.
        return await asyncio.shield(self._submitted(partial(self._minded, fn, *args, **options)))

    def _minded(self, fn: Callable[..., _Answer], *args: Any, **options: Any) -> _Answer:
        if self.lost_by is not None:
            raise again(self.lost_by)
        try:
            return fn(*args, **options)
        except sqlite3.Error as error:
            if self.is_in_transaction and not self._conn.in_transaction:
                self.lost_by = error
            raise


def again(error: BaseException) -> BaseException:
    """The same error, for one more task to raise."""
    copy = type(error)(*error.args)
    vars(copy).update(vars(error))
    copy.__cause__ = error
    return copy


def _opened(file: str, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(file, **options)
    return connection


def _rows(connection: sqlite3.Connection, statement: str, values: _Values) -> Rows:
    cursor = connection.cursor()
    cursor.row_factory = None  # rows of the ORM's kind equal no tuple
    return cursor.execute(statement, values).fetchall()


def _changed(connection: sqlite3.Connection, statement: str, values: _Values) -> int:
    return connection.execute(statement, values).rowcount


def _changed_many(connection: sqlite3.Connection, statement: str, rows: Sequence[_Values]) -> None:
    connection.executemany(statement, rows)
