"""One at a time over all workers: a lock for each job, held while it runs.

All locks of a process are held on one connection beside the pool, so that however many jobs run,
each has the pool's connections for itself. They go with the connection: who dies holds none.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import Any

import asyncpg

from server.storage import database
from server.storage.database import Address

PATIENCE_SECONDS = 5
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


def _key(name: str) -> int:
    digest = blake2b(f"laurel job {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


class Locks:
    """The locks of one process. On SQLite, where one process works, there is nothing to lock."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: Any = None
        self._turn = asyncio.Lock()  # a connection answers one question at a time

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[bool]:
        """Whether no other process runs the job; if so, none does within the block."""
        if self._address.engine == "sqlite":
            yield True
            return
        key = _key(name)
        async with self._turn:
            connection = await self._connected()
            is_held = await self._asked(connection, "SELECT pg_try_advisory_lock($1)", key)
        try:
            yield is_held
        finally:
            # What a connection held that is gone, is held no more.
            if is_held and not connection.is_closed():
                async with self._turn:
                    with suppress(*_FAILURES):
                        await self._asked(connection, "SELECT pg_advisory_unlock($1)", key)

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await database.connection(
                self._address, application_name="laurel work"
            )
        return self._connection

    async def _asked(self, connection: Any, question: str, key: int) -> bool:
        try:
            return bool(await connection.fetchval(question, key, timeout=PATIENCE_SECONDS))
        except BaseException:
            # What it holds is not known any more: all of it goes with the connection.
            connection.terminate()
            raise

    async def close(self) -> None:
        """Hold none any more."""
        if self._connection is not None:
            try:
                await self._connection.close(timeout=PATIENCE_SECONDS)
            except _FAILURES:
                self._connection.terminate()
