"""Tortoise's PostgreSQL backend, made to give every connection back: `server.storage.postgres`.

A server that does not answer any more, frozen or cut off, holds nobody for longer than the patience
that the pool was opened with: what waits for it is told by `Unanswered`, and the connection is cut
without another word to the server.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from server.storage import bulk

ENDING_SECONDS = 5.0
"""How long the end of a transaction that has failed may take before its connection is cut."""

FEWEST_ROWS = 50
"""Of which one statement is made: what the driver sends row by row is quicker for fewer."""
ROWS_PER_STATEMENT = 5_000
_STATEMENTS_KEPT = 256
"""Prepared on each connection."""
_LONGEST_KEPT_BYTES = 65_536


class Unanswered(OSError):
    """The database did not answer in time, or no connection to it became free in time."""


@contextmanager
def answering() -> Iterator[None]:
    """Within the block a time limit of the driver is told by Unanswered, which no other time limit
    is."""
    try:
        yield
    except TimeoutError as error:
        if error.errno is not None:  # the system's own word, on a connection that can't be made
            raise
        raise Unanswered("the database did not answer in time") from error


def _is_lost(error: BaseException | None) -> bool:
    """Whether nothing can be said to the server on the connection any more."""
    return isinstance(error, Unanswered | ConnectionError)


async def _released(pool: Any, connection: Any, error: BaseException | None) -> None:
    if _is_lost(error):
        connection.terminate()
    await pool.release(connection)


class PatientConnection(PoolConnectionWrapper[Any]):
    """A connection of the pool for a block, waited for only as long as the client allows."""

    __slots__ = ()

    async def __aenter__(self) -> Any:
        with answering():
            await self.ensure_connection()
            client: Any = self.client
            self.connection = await client._pool.acquire(timeout=client.acquire_seconds)
        return self.connection

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        with answering():
            client: Any = self.client
            await _released(client._pool, self.connection, exc_val)


class ReleasingTransactionContext(TransactionContextPooled):
    """A transaction context that returns its connection when the transaction can't even start, and
    cuts it when the transaction can't be ended.

    Otherwise each request that is cancelled in such a moment takes one from the pool for ever.
    """

    async def __aenter__(self) -> TransactionalDBClient:
        parent: Any = self.client._parent
        with answering():
            await self.ensure_connection()
            pool = parent._pool
            self.client._connection = await pool.acquire(timeout=parent.acquire_seconds)
        self.token = get_connections().set(self.connection_name, self.client)
        try:
            with answering():
                await self.client.begin()
        except BaseException as error:
            get_connections().reset(self.token)
            await _released(pool, self.client._connection, error)
            raise
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        pool = self.client._parent._pool
        failure: BaseException | None = exc_val
        try:
            if not self.client._finalized and not _is_lost(exc_val):
                await self._end(exc_val)
        except BaseException as error:
            failure = error
            raise
        finally:
            get_connections().reset(self.token)
            if pool:
                with answering():
                    await _released(pool, self.client._connection, failure)

    async def _end(self, failure: BaseException | None) -> None:
        if failure is None:
            with answering():
                await self.client.commit()
            return
        if isinstance(failure, TransactionManagementError):
            return  # there is nothing to roll back any more
        try:
            # The statement that was broken off has to end first, which a frozen server never says.
            async with asyncio.timeout(ENDING_SECONDS):
                await self.client.rollback()
        except TimeoutError:
            self.client._connection.terminate()


class Session:
    """What is asked on one connection; `written` are the texts of its pool's bulk statements."""

    __slots__ = ("_connection", "_written")

    def __init__(self, connection: Any, written: dict[str, "_Written | None"]) -> None:
        self._connection = connection
        self._written = written

    async def rows(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query."""
        with answering():
            found: Sequence[Sequence[Any]] = await self._connection.fetch(statement, *values)
        return found

    async def change(self, statement: str, values: Sequence[Any]) -> int:
        """Run a write; the number of rows that it changed."""
        with answering():
            status: str = await self._connection.execute(statement, *values)
        return int(status.rsplit(" ", 1)[-1]) if status[-1].isdigit() else 0

    async def change_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a write once for each row."""
        with answering():
            if len(rows) == 1:
                await self._connection.execute(statement, *rows[0])
                return
            if len(rows) < FEWEST_ROWS:
                await self._connection.executemany(statement, rows)
                return
            written = await self.written_for_many(statement)
            remaining = iter(rows)
            while some := list(islice(remaining, ROWS_PER_STATEMENT)):
                if written is not None and written.form.is_for(some):
                    await self._connection.execute(written.statement, *zip(*some, strict=True))
                else:
                    await self._connection.executemany(statement, some)

    async def written_for_many(self, statement: str) -> "_Written | None":
        """The statement for many rows at once; None if it has to be run row by row."""
        if statement not in self._written:
            self._written[statement] = await self._write_for_many(statement)
        return self._written[statement]

    async def _write_for_many(self, statement: str) -> "_Written | None":
        form = bulk.form(statement)
        if form is None:
            return None
        types = (await self._connection.prepare(statement)).get_parameters()
        if any(type_.kind != "scalar" for type_ in types):
            return None  # an array of arrays has no rows
        return _Written(form, form.statement([f'"{one.schema}"."{one.name}"' for one in types]))


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement for many rows, with the types of its values."""

    form: bulk.Form
    statement: str


class SharedSession(Session):
    """A session for several tasks, which take turns: it runs one statement at a time."""

    __slots__ = ("_turn",)

    def __init__(self, connection: Any, written: dict[str, "_Written | None"]) -> None:
        super().__init__(connection, written)
        self._turn = asyncio.Lock()

    async def rows(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query, when those before it have been answered."""
        async with self._turn:
            return await super().rows(statement, values)

    async def change(self, statement: str, values: Sequence[Any]) -> int:
        """As `rows`."""
        async with self._turn:
            return await super().change(statement, values)

    async def change_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """As `rows`."""
        async with self._turn:
            await super().change_many(statement, rows)


async def _leave_as_it_is(_connection: Any) -> None:
    """What a connection is reset with when it is given back, after its transaction was undone.

    Nobody changes a session's settings, listens on it or leaves a cursor open, and `sql.alone` cuts
    a connection that may hold its lock: to ask the server to undo all that, as the driver does by
    itself, would double the exchanges of each read.
    """


class PostgresClient(AsyncpgDBClient):
    """The pool of connections.

    `acquire_seconds` is how long a free one is waited for; None is for ever.
    """

    def __init__(self, *, acquire_seconds: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.acquire_seconds = acquire_seconds
        self._written: dict[str, _Written | None] = {}

    async def create_pool(self, **options: Any) -> Any:
        """The pool of these options."""
        return await asyncpg.create_pool(
            None,
            reset=_leave_as_it_is,
            statement_cache_size=_STATEMENTS_KEPT,
            max_cacheable_statement_size=_LONGEST_KEPT_BYTES,
            **options,
        )

    def session(self, connection: Any) -> Session:
        """For what is asked on a connection of the pool."""
        return Session(connection, self._written)

    def shared_session(self, connection: Any) -> SharedSession:
        """The same, for several tasks."""
        return SharedSession(connection, self._written)

    async def rows(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query, on a connection of the pool."""
        async with self.acquire_connection() as connection:
            with answering():
                found: Sequence[Sequence[Any]] = await connection.fetch(statement, *values)
            return found

    def acquire_connection(self) -> PatientConnection:
        """A connection of the pool, for a block."""
        return PatientConnection(self, self._pool_init_lock)

    def _in_transaction(self) -> ReleasingTransactionContext:
        return ReleasingTransactionContext(TransactionWrapper(self), self._pool_init_lock)


client_class = PostgresClient
