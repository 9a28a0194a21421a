"""Statements and transactions, the same on both engines.

SQL is written once, with PostgreSQL's placeholders ($1, $2, ...). Inside `transaction()` statements
run on its connection; outside, `fetch` reads what is committed, on a connection of its own.
Rows are tuples in the order of the selected columns, whichever engine answers.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

import asyncpg
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException, IntegrityError, OperationalError

from server.clock import system_now
from server.integrations.tracing import statement_span
from server.storage import changes
from server.storage.ids import new_ids
from server.storage.postgres import PostgresClient
from server.storage.sqlite import DurableSqliteClient

Row = Sequence[Any]
_Answer = TypeVar("_Answer")

MAXIMUM_ATTEMPTS = 3

_transaction: ContextVar[Any] = ContextVar("transaction", default=None)
_counted: ContextVar[list[str] | None] = ContextVar("counted", default=None)
_BUMP = (
    "INSERT INTO versions (id, version) VALUES ($1, 1)"
    " ON CONFLICT (id) DO UPDATE SET version = versions.version + 1"
)
_EVENT_COLUMNS = "id, kind, member_id, facts, occurred_at, recorded_at"
_PUT = f"INSERT INTO outbox_events ({_EVENT_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"
_BUMP_AND_PUT = (
    "WITH bumped AS (INSERT INTO versions (id, version)"
    " SELECT id, 1 FROM unnest($1::bigint[]) AS changed (id) ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET version = versions.version + 1)"
    f" INSERT INTO outbox_events ({_EVENT_COLUMNS}) SELECT * FROM"
    " unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])"
)

_SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
}


def is_unavailable(error: BaseException) -> bool:
    """Whether the error says that the database can't be reached or can't write at the moment: the
    transaction has left nothing behind, and the same request may succeed later."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _SQLITE_UNAVAILABLE
    if isinstance(error, BaseORMException):
        return any(isinstance(a, BaseException) and is_unavailable(a) for a in error.args)
    if isinstance(error, TimeoutError) and error.errno is None:
        return False  # somebody's own time limit; the driver's is told by Unanswered
    return isinstance(
        error,
        OSError  # Unanswered among them
        | asyncpg.InterfaceError
        | asyncpg.PostgresConnectionError
        | asyncpg.InsufficientResourcesError
        | asyncpg.OperatorInterventionError
        # What a statement meets on a connection that the server has just said it will end.
        | asyncpg.InternalClientError,
    )


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Within the block, the text of each statement of this task is added to the yielded list."""
    statements: list[str] = []
    token = _counted.set(statements)
    try:
        yield statements
    finally:
        _counted.reset(token)


def _count(statement: str) -> None:
    statements = _counted.get()
    if statements is not None:
        statements.append(statement)


def _client() -> Any:
    connections = get_connections()
    return connections.get(next(iter(connections.db_config)))


def engine() -> str:
    """The engine in use: "sqlite" or "postgres"."""
    return "sqlite" if _client().capabilities.dialect == "sqlite" else "postgres"


def in_a_transaction() -> bool:
    """Whether this task is inside `transaction()`."""
    return _transaction.get() is not None


def without_transaction() -> Context:
    """A copy of this task's context for a task that must not use its transaction."""
    context = copy_context()
    context.run(_transaction.set, None)
    return context


@asynccontextmanager
async def transaction(*, shares_commit: bool = True) -> AsyncIterator[None]:
    """One transaction: all of the block is committed at its end, or none of it if it raises.

    A nested block is a savepoint. On SQLite the outermost takes the write lock at its start, and
    shares its commit with others that wait meanwhile: long work says `shares_commit=False`, so that
    no one who is done waits for its end. What was noted in it (`server.storage.changes`) gets its
    next version with it, and is announced after its commit.
    """
    is_outermost = not in_a_transaction()
    _count("BEGIN")
    with changes.announced() as noted:
        async with _begun(shares_commit=shares_commit) as client:
            token = _transaction.set(_asked_through(client))
            try:
                yield
                if is_outermost:
                    await _write_noted(noted)
            finally:
                _transaction.reset(token)
            noted.is_complete = True
    _count("COMMIT")


async def _write_noted(noted: changes.Noted) -> None:
    """Write the next versions of what has changed, and the events: on PostgreSQL together."""
    version_ids = sorted(noted.version_ids)
    if not noted.events:
        await execute_many(_BUMP, [(id_,) for id_ in version_ids])
        return
    recorded_at = system_now()
    ids = new_ids(len(noted.events))
    rows = [(id_, *event, recorded_at) for id_, event in zip(ids, noted.events, strict=True)]
    if engine() == "sqlite":
        await execute_many(_BUMP, [(id_,) for id_ in version_ids])
        await execute_many(_PUT, rows)
        return
    await execute(_BUMP_AND_PUT, version_ids, *(list(column) for column in zip(*rows, strict=True)))


def _begun(*, shares_commit: bool) -> Any:
    client = _client()
    if isinstance(client, DurableSqliteClient):
        return client.transaction(shares=shares_commit)
    return client._in_transaction()


def _asked_through(transaction: Any) -> Any:
    if transaction.capabilities.dialect == "sqlite":
        return transaction._connection
    client = transaction
    while not isinstance(client, PostgresClient):
        client = client._parent
    return client.session(transaction._connection)


@asynccontextmanager
async def snapshot() -> AsyncIterator[None]:
    """Within the block every query sees the database as it is at the first of them.

    It locks nothing and writes nothing, and waits for no writer. Inside a transaction it is that
    one. Tasks that are started within the block may read at once, and take turns. Keep it short:
    what writers replace meanwhile can't be thrown away before its end.
    """
    if in_a_transaction():
        yield
        return
    client = _client()
    if isinstance(client, DurableSqliteClient):
        async with client.snapshot_reader() as reader:
            with _seen_through(reader):
                yield
        return
    async with (
        client.acquire_connection() as pooled,
        pooled.transaction(isolation="repeatable_read", readonly=True),
    ):
        with _seen_through(client.shared_session(pooled)):
            yield


@contextmanager
def _seen_through(connection: Any) -> Iterator[None]:
    token = _transaction.set(connection)
    try:
        yield
    finally:
        _transaction.reset(token)


@asynccontextmanager
async def alone(key: int) -> AsyncIterator[bool]:
    """Whether no other process on this database is in such a block with the key now.

    Whoever is told no does nothing and tries again later: nobody waits. A process that dies is
    not in its block any more. SQLite has one process that writes, which is always alone. A pool of
    one connection has none to spare for the key: who has such a pool is told yes.
    """
    client = _client()
    if isinstance(client, DurableSqliteClient) or client._pool.get_max_size() == 1:
        yield True
        return
    async with client.acquire_connection() as pooled:
        with _cut_if_broken_off(pooled):
            is_alone = bool(await pooled.fetchval("SELECT pg_try_advisory_lock($1)", key))
        try:
            yield is_alone
        finally:
            if is_alone:
                with _cut_if_broken_off(pooled):
                    await pooled.execute("SELECT pg_advisory_unlock($1)", key)


@contextmanager
def _cut_if_broken_off(pooled: Any) -> Iterator[None]:
    """A lock that may be held goes with its connection."""
    try:
        yield
    except BaseException:
        pooled.terminate()
        raise


async def retried(work: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Run `work`, which opens its own transaction, again if it lost a race to another writer.

    A unique key that a concurrent transaction has just taken, a serialization failure and a
    deadlock are races: the second attempt sees what the winner wrote.
    """
    for attempt in range(1, MAXIMUM_ATTEMPTS + 1):
        try:
            return await work()
        except (IntegrityError, sqlite3.IntegrityError, asyncpg.UniqueViolationError):
            if attempt == MAXIMUM_ATTEMPTS:
                raise
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            if attempt == MAXIMUM_ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def fetch(statement: str, *values: Any) -> Sequence[Row]:
    """All rows of a query."""
    _count(statement)
    with statement_span(statement):
        return await _fetch(statement, values)


async def _fetch(statement: str, values: Sequence[Any]) -> Sequence[Row]:
    connection = _transaction.get()
    rows: Sequence[Row] = await (_client() if connection is None else connection).rows(
        statement, values
    )
    return rows


async def fetch_one(statement: str, *values: Any) -> Row | None:
    """The first row of a query, or None."""
    rows = await fetch(statement, *values)
    return rows[0] if rows else None


def writing_connection() -> Any:
    """The session of this task's transaction. Raises OperationalError outside of one."""
    connection = _transaction.get()
    if connection is None:
        raise OperationalError("a write outside of a transaction")
    return connection


async def execute(statement: str, *values: Any) -> int:
    """Run a write inside a transaction; the number of rows that it changed."""
    connection = writing_connection()
    _count(statement)
    with statement_span(statement):
        changed: int = await connection.change(statement, values)
    return changed


async def execute_many(statement: str, rows: Iterable[Row]) -> None:
    """Run a write once for each row, in one exchange with the database; nothing for no rows."""
    connection = writing_connection()
    values = rows if isinstance(rows, list) else list(rows)
    if not values:
        return
    _count(statement)
    with statement_span(statement):
        await connection.change_many(statement, values)


def placeholders(count: int, first: int = 1) -> str:
    """`$first, ..., $last` for an IN list of `count` values."""
    return ", ".join(f"${number}" for number in range(first, first + count))


def padded(values: Iterable[Any]) -> list[Any]:
    """The distinct values, in order, with the last repeated up to the next power of two.

    An IN list of such a length keeps the number of different statement texts, and so of prepared
    statements, small whatever the length of the list.
    """
    distinct = sorted(set(values))
    if not distinct:
        raise ValueError("an IN list needs at least one value")
    size = 1 << (len(distinct) - 1).bit_length()
    return distinct + [distinct[-1]] * (size - len(distinct))


def insert(table: str, columns: str, *, otherwise: str = "") -> str:
    """`INSERT INTO table (columns) VALUES ($1, ...)` with an optional ON CONFLICT clause."""
    count = columns.count(",") + 1
    return f"INSERT INTO {table} ({columns}) VALUES ({placeholders(count)}) {otherwise}".rstrip()
