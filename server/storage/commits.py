"""Transactions that share a commit: on SQLite, where one writes at a time.

To make a commit last takes the disk many times as long as the statements before it. So whoever ends
well while others wait for their turn does not commit, but leaves the transaction open to the next,
who works in a savepoint of it; the last one commits for all. Nobody is told anything before that
commit: what was written and what was refused (who was refused has seen what the others wrote) is
known to callers only when it is on disk. While nobody waits, each transaction is committed at its
end.

Who fails undoes their own savepoint and no more. If the commit fails, or SQLite gives up the whole
transaction because the disk is full, it has failed for everybody who had a part in it.
"""

import asyncio
import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from server.storage.sqlite_connection import Connection, again

MAXIMUM_SHARERS = 64
MAXIMUM_SECONDS = 0.02
"""After its begin, from when on nobody joins a transaction: who ended first waits for the last."""

_Told = asyncio.Future[None]


@dataclass(slots=True)
class _Shared:
    """A transaction from its begin to its commit."""

    connection: Connection
    is_open_to_others: bool
    begun_at: float = field(default_factory=time.perf_counter)
    sharer_count: int = 1
    waiting: list[_Told] = field(default_factory=list)
    """Of those who have ended, well or refused: they are told with the commit."""


@dataclass(slots=True)
class _Turn:
    """Somebody who waits to write."""

    comes: "asyncio.Future[None]"
    shares: bool


class Commits:
    """Whose turn it is to write on a connection, and what is still to be committed."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock  # held from a begin to its commit; the ORM and migrations take it too
        self._is_taken = False
        self._turns: deque[_Turn] = deque()
        self._shared: _Shared | None = None

    # ------------------------------------------------------------ the start

    async def turn(self, *, shares: bool) -> bool:
        """Wait for one's turn; whether there is a transaction to `join`. If not, one is to be
        begun, and `begun` or `not_begun` called."""
        if self._is_taken:
            mine = _Turn(asyncio.get_running_loop().create_future(), shares)
            self._turns.append(mine)
            try:
                await mine.comes
            except asyncio.CancelledError:
                if not mine.comes.cancelled():  # it had just come
                    self._go_on(None)
                raise
        self._is_taken = True
        if self._shared is not None:
            return True
        try:
            await self._lock.acquire()
        except BaseException:
            self._next()
            raise
        return False

    def join(self) -> None:
        """Be one more in the transaction that is open. Raises sqlite3.Error."""
        shared = self._shared
        assert shared is not None, "somebody has left it open"
        shared.sharer_count += 1
        try:
            # Those before have ended: nothing is under way.
            shared.connection._conn.execute("SAVEPOINT sharer")
        except sqlite3.Error as error:
            self._go_on(error)
            raise

    def begun(self, connection: Connection, *, shares: bool) -> None:
        """The transaction is open, by its first."""
        connection.is_in_transaction = True
        self._shared = _Shared(connection, is_open_to_others=shares)

    def not_begun(self, connection: Connection | None) -> None:
        """It could not be opened, or who began it was cancelled meanwhile."""
        if connection is None:
            self._free()
        else:
            connection.when_idle(_roll_back, lambda _error: self._free())

    # ------------------------------------------------------------ the end

    async def end(self, *, is_joined: bool, error: BaseException | None) -> None:
        """End one's part, well or with an error; it is over when it is on disk, or undone. Raises
        the commit's error, which is everybody's, instead of one's own."""
        shared = self._shared
        assert shared is not None, "it was begun"
        told: _Told = asyncio.get_running_loop().create_future()
        if error is not None and not is_joined:
            shared.connection.when_idle(_roll_back, partial(self._over, told))
        elif error is not None:
            if isinstance(error, Exception):
                shared.waiting.append(told)
            else:  # who is cancelled answers nobody
                told.set_result(None)
            shared.connection.when_idle(_undo, self._go_on)
        else:
            shared.waiting.append(told)
            if is_joined:
                shared.connection.when_idle(_keep, self._go_on)
            else:
                self._go_on(None)
        await _known(told)

    def _go_on(self, error: BaseException | None) -> None:
        """Nobody works in the transaction: somebody else does, or it is committed."""
        shared = self._shared
        if shared is None:
            self._next()
            return
        error = shared.connection.lost_by or error
        if error is not None:
            shared.connection.when_idle(_roll_back, lambda _error: self._settled(error))
        elif self._is_joined_by_another(shared):
            self._next()
        else:
            shared.connection.when_idle(_commit, self._settled, in_thread=True)

    def _is_joined_by_another(self, shared: _Shared) -> bool:
        while self._turns and self._turns[0].comes.done():  # cancelled
            self._turns.popleft()
        return (
            bool(self._turns)
            and self._turns[0].shares
            and shared.is_open_to_others
            and shared.sharer_count < MAXIMUM_SHARERS
            and time.perf_counter() - shared.begun_at < MAXIMUM_SECONDS
        )

    def _over(self, told: _Told, error: BaseException | None) -> None:
        """The first has failed, and with it ends the transaction."""
        assert self._shared is not None, "it is open until here"
        self._shared.waiting.append(told)
        # What was wrong is known to whoever failed already.
        self._settled(None if self._shared.connection.lost_by else error)

    def _settled(self, error: BaseException | None) -> None:
        """The transaction is on disk, or undone."""
        shared, self._shared = self._shared, None
        assert shared is not None, "it is open until here"
        shared.connection.is_in_transaction = False
        shared.connection.lost_by = None
        for told in shared.waiting:
            if error is None:
                told.set_result(None)
            else:
                told.set_exception(again(error))
        self._free()

    def _free(self) -> None:
        self._lock.release()
        self._next()

    def _next(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.comes.done():
                turn.comes.set_result(None)
                return
        self._is_taken = False


async def _known(told: _Told) -> None:
    """Wait until it is told, also if cancelled: what is announced after a commit has to be there,
    and it takes no longer than that."""
    cancelled: asyncio.CancelledError | None = None
    while not told.done():
        try:
            await asyncio.shield(told)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            break
    failure = told.exception()
    if cancelled is not None:
        raise cancelled
    if failure is not None:
        raise failure


def _roll_back(connection: sqlite3.Connection) -> None:
    connection.rollback()


def _keep(connection: sqlite3.Connection) -> None:
    connection.execute("RELEASE sharer")


def _undo(connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK TO sharer")
    connection.execute("RELEASE sharer")


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
