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
from itertools import count
from typing import Any, cast

from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

from server.storage.commits import Commits
from server.storage.sqlite_connection import Connection, Pace, Rows, in_its_words

READER_COUNT = 2
BUSY_TIMEOUT_MILLISECONDS = 5_000

_savepoint_numbers = count()


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


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def _begin_without_waiting(connection: sqlite3.Connection) -> bool:
    """Whether it has begun; if not, another process holds the lock."""
    connection.execute("PRAGMA busy_timeout=0")
    try:
        _begin(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
    return True


class ImmediateTransaction(SqliteTransactionWrapper):
    """A transaction that takes the write lock at its start."""

    async def begin(self) -> None:
        """Start the transaction. Raises OperationalError if the lock can't be had."""
        connection = cast(Connection, self._connection)
        try:
            if not await connection.at_once(_begin_without_waiting):
                await connection._execute(_begin, connection._conn)
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error

    async def execute_script(self, query: str) -> None:
        """Run several statements in the transaction, which sqlite3's own scripts would commit."""
        for statement in split_statements(query):
            await self.execute_query(statement)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(Savepoint(self))


def _run(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement)


class Savepoint(ImmediateTransaction):
    """A part of a transaction that can be undone alone."""

    _connection: Connection

    async def savepoint(self) -> None:
        """Start it."""
        self._savepoint = f"nested_{next(_savepoint_numbers)}"
        await self._connection.at_once(_run, f"SAVEPOINT {self._savepoint}")

    async def savepoint_rollback(self) -> None:
        """Undo it."""
        await self._connection.at_once(_run, f"ROLLBACK TO {self._savepoint}")

    async def release_savepoint(self) -> None:
        """Leave it as a part of the transaction."""
        await self._connection.at_once(_run, f"RELEASE {self._savepoint}")


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


class SharingTransactionContext(TransactionContext):
    """A transaction that may share its commit with those before and after it."""

    __slots__ = ("_client", "_is_joined", "_shares", "_token", "_transaction")

    def __init__(self, client: "DurableSqliteClient", *, shares: bool) -> None:
        self._client = client
        self._shares = shares
        self._is_joined = False

    async def __aenter__(self) -> TransactionalDBClient:
        commits = self._client.commits
        self._is_joined = await commits.turn(shares=self._shares)
        if self._is_joined:
            commits.join()
            self._enter()
        else:
            await self._begin()
        return cast(TransactionalDBClient, self._transaction)

    async def _begin(self) -> None:
        connection: Connection | None = None
        try:
            connection = await self._client.writer()
            self._enter()
            try:
                await self._transaction.begin()
            except BaseException:
                self._leave()
                raise
        except BaseException:
            self._client.commits.not_begun(connection)
            raise
        self._client.commits.begun(connection, shares=self._shares)

    def _enter(self) -> None:
        self._transaction = ImmediateTransaction(self._client)
        self._token = get_connections().set(self._client.connection_name, self._transaction)

    def _leave(self) -> None:
        get_connections().reset(self._token)

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        self._leave()
        await self._client.commits.end(is_joined=self._is_joined, error=exc_val)


class MigratingTransactionContext(SqliteTransactionContext):
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
        self.commits = Commits(self._lock)
        self._pace = Pace()
        self._opening = asyncio.Lock()
        self._readers: asyncio.Queue[Connection] = asyncio.Queue()
        self._opened_readers: list[Connection] = []
        self._quick_reader: Connection | None = None  # whose thread does nothing
        self._readers_lock = asyncio.Lock()

    async def create_connection(self, with_db: bool) -> None:
        """Open the writing connection, unless it is."""
        async with self._opening:
            if self._connection:
                return
            connection = Connection(self.filename, self._pace)
            await connection
            connection._conn.row_factory = sqlite3.Row
            for pragma, value in self.pragmas.items():
                await (await connection.execute(f"PRAGMA {pragma}={value}")).close()
            self._connection = connection
            await self._post_connect()

    async def writer(self) -> Connection:
        """The writing connection."""
        if not self._connection:
            await self.create_connection(with_db=True)
        return cast(Connection, self._connection)

    def _in_transaction(self) -> TransactionContext:
        return self.transaction(shares=True)

    def transaction(self, *, shares: bool) -> TransactionContext:
        """A transaction, which may share its commit with others."""
        return SharingTransactionContext(self, shares=shares)

    def in_migration(self) -> SqliteTransactionContext:
        """A transaction for migrations: foreign keys are checked at its end only."""
        return MigratingTransactionContext(MigrationTransaction(self), self._lock)

    async def rows(self, statement: str, values: Sequence[Any]) -> Rows:
        """All rows of a query; it sees what is committed when it starts."""
        text = in_its_words(statement)
        if self._pace.is_quick(text) and self._quick_reader is not None:
            await self._pace.let_others_go_on()
            return self._quick_reader.rows_at_once(text, values)
        if len(self._opened_readers) < READER_COUNT:
            await self._open_readers()
        connection = await self._readers.get()
        try:
            return await connection.rows(text, values)
        finally:
            self._readers.put_nowait(connection)

    @asynccontextmanager
    async def snapshot_reader(self) -> AsyncIterator[Connection]:
        """A reading connection of the block's own, which sees what is committed when its first
        statement starts; the readers stay free for others."""
        await self.writer()
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

    async def _reading_connection(self) -> Connection:
        connection = Connection(self.filename, self._pace)
        await connection
        await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        await connection.execute("PRAGMA query_only=ON")
        return connection

    async def _open_readers(self) -> None:
        async with self._readers_lock:
            await self.writer()
            while len(self._opened_readers) < READER_COUNT:
                connection = await self._reading_connection()
                self._opened_readers.append(connection)
                self._readers.put_nowait(connection)
            if self._quick_reader is None:
                self._quick_reader = await self._reading_connection()

    async def close(self) -> None:
        """Close every connection; without it the process would not end."""
        if self._quick_reader is not None:
            await self._quick_reader.close()
            self._quick_reader = None
        while self._opened_readers:
            await self._opened_readers.pop().close()
        self._readers = asyncio.Queue()
        await super().close()


client_class = DurableSqliteClient
