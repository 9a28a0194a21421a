"""Tortoise's PostgreSQL backend, made to give every connection back: `server.storage.postgres`.

A server that does not answer any more, frozen or cut off, holds nobody for longer than the patience
that the pool was opened with: what waits for it is told by `Unanswered`, and the connection is cut
without another word to the server.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

ENDING_SECONDS = 5.0
"""How long the end of a transaction that has failed may take before its connection is cut."""


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


class PostgresClient(AsyncpgDBClient):
    """The pool of connections.

    `acquire_seconds` is how long a free one is waited for; None is for ever.
    """

    def __init__(self, *, acquire_seconds: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.acquire_seconds = acquire_seconds

    def acquire_connection(self) -> PatientConnection:
        """A connection of the pool, for a block."""
        return PatientConnection(self, self._pool_init_lock)

    def _in_transaction(self) -> ReleasingTransactionContext:
        return ReleasingTransactionContext(TransactionWrapper(self), self._pool_init_lock)


client_class = PostgresClient
