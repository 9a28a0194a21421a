"""Tortoise's SQLite backend, made durable and safe: the engine named `server.storage.sqlite`.

One writing connection (WAL, synchronous=FULL, foreign keys on) whose transactions start with BEGIN
IMMEDIATE, so that a transaction that reads and then writes never loses a race; readers of their own
with `query_only`, so that a long write never blocks a read.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiosqlite
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

READER_COUNT = 2
BUSY_TIMEOUT_MILLISECONDS = 5_000


async def fetch_tuples(
    connection: aiosqlite.Connection, statement: str, values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """All rows of a query, also on the writing connection, whose own rows equal no tuple."""

    def run() -> list[tuple[Any, ...]]:
        cursor = connection._conn.cursor()
        cursor.row_factory = None
        return cursor.execute(statement, values).fetchall()

    in_its_thread: Any = connection._execute
    rows: list[tuple[Any, ...]] = await in_its_thread(run)
    return rows


def split_statements(script: str) -> Iterator[str]:
    """The statements of a script, also where a text, a comment or a trigger has semicolons."""
    statement = ""
    for piece in re.split(r"(?<=;)", script):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if statement.strip():
        yield statement.strip()


class ImmediateTransaction(SqliteTransactionWrapper):
    """A transaction that takes the write lock at its start."""

    async def begin(self) -> None:
        """Start the transaction. Raises OperationalError if the lock can't be had."""
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error
        except asyncio.CancelledError:
            # The statement goes on in its thread; what it begins must not stay open.
            await self._connection.rollback()
            raise

    async def execute_script(self, query: str) -> None:
        """Run several statements in the transaction, which sqlite3's own scripts would commit."""
        for statement in split_statements(query):
            await self.execute_query(statement)


class MigrationTransaction(ImmediateTransaction):
    """A transaction in which no foreign key is enforced until all of them are, before its commit.

    A table is changed by dropping it after its copy was made, which must not touch its children.
    """

    async def begin(self) -> None:
        """Start the transaction. Raises OperationalError if the lock can't be had."""
        # The pragma does nothing inside a transaction.
        await self._enforce("OFF")
        try:
            await super().begin()
        except BaseException:
            await self._enforce("ON")
            raise

    async def commit(self) -> None:
        """Check all foreign keys and commit. Raises IntegrityError, undone, if one is broken."""
        rows = await self._connection.execute_fetchall("PRAGMA foreign_key_check")
        if broken := sorted({f"{row[0]} without its {row[2]}" for row in rows}):
            await self.rollback()
            raise IntegrityError(f"the migration would leave rows of {', '.join(broken)}")
        await super().commit()
        await self._enforce("ON")

    async def rollback(self) -> None:
        """Undo the transaction."""
        await super().rollback()
        await self._enforce("ON")

    async def _enforce(self, state: str) -> None:
        await self._connection.execute(f"PRAGMA foreign_keys={state}")


class ReleasingTransactionContext(SqliteTransactionContext):
    """A transaction context that gives its lock back when the transaction can't even start."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            self.token = get_connections().set(self.connection_name, self.connection)
            try:
                await self.connection.begin()
            except BaseException:
                get_connections().reset(self.token)
                raise
        except BaseException:
            self._trxlock.release()
            raise
        return cast(TransactionalDBClient, self.connection)


class DurableSqliteClient(SqliteClient):
    """The one writing connection, and the pool of reading ones."""

    def __init__(self, file_path: str, **options: Any) -> None:
        options.setdefault("synchronous", "FULL")
        options.setdefault("busy_timeout", BUSY_TIMEOUT_MILLISECONDS)
        # Without it REPLACE deletes rows past the triggers that refuse it.
        options.setdefault("recursive_triggers", "ON")
        super().__init__(file_path, **options)
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._opened_readers: list[aiosqlite.Connection] = []
        self._readers_lock = asyncio.Lock()

    def _in_transaction(self) -> SqliteTransactionContext:
        return ReleasingTransactionContext(ImmediateTransaction(self), self._lock)

    def in_migration(self) -> SqliteTransactionContext:
        """A transaction for migrations: foreign keys are checked at its end only."""
        return ReleasingTransactionContext(MigrationTransaction(self), self._lock)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[aiosqlite.Connection]:
        """A reading connection for the block; it sees what is committed when a statement starts."""
        if len(self._opened_readers) < READER_COUNT:
            await self._open_readers()
        connection = await self._readers.get()
        try:
            yield connection
        finally:
            self._readers.put_nowait(connection)

    @asynccontextmanager
    async def snapshot_reader(self) -> AsyncIterator[aiosqlite.Connection]:
        """A reading connection of the block's own, which sees what is committed when its first
        statement starts; the readers stay free for others."""
        if not self._connection:
            await self.create_connection(with_db=True)
        opening = asyncio.ensure_future(self._reading_connection())
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Left alone, its thread would keep the process from ending.
            await (await opening).close()
            raise
        try:
            await connection.execute("BEGIN")
            yield connection
            await connection.rollback()
        finally:
            await connection.close()

    async def _reading_connection(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self.filename, isolation_level=None)
        await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        await connection.execute("PRAGMA query_only=ON")
        return connection

    async def _open_readers(self) -> None:
        async with self._readers_lock:
            if not self._connection:
                await self.create_connection(with_db=True)
            while len(self._opened_readers) < READER_COUNT:
                connection = await self._reading_connection()
                self._opened_readers.append(connection)
                self._readers.put_nowait(connection)

    async def close(self) -> None:
        """Close every connection; without it the process would not end."""
        while self._opened_readers:
            await self._opened_readers.pop().close()
        self._readers = asyncio.Queue()
        await super().close()


client_class = DurableSqliteClient
