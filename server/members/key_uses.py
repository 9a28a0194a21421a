"""When API keys were last used: to the minute, written behind the requests that use them.

Where a process keeps `noting_key_uses` open, each key is written at most once a minute, in a short
transaction of its own. A write that fails is told in the log and tried again a minute later; the
request knows nothing of it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from tortoise.connection import get_connections

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.members import key_queries
from server.storage import sql

MINUTE = 60 * MICROSECONDS_PER_SECOND


class _Noted:
    """The uses that are not written yet."""

    def __init__(self) -> None:
        self.waiting: dict[int, int] = {}  # the minute, by key
        self.taken: dict[int, int] = {}  # the latest minute that was noted of each key
        self.has_some = asyncio.Event()
        self.is_ending = False

    async def write(self) -> None:
        """Write what waits."""
        self.has_some.clear()
        uses, self.waiting = self.waiting, {}
        if not uses:
            return
        try:
            async with sql.transaction():
                await key_queries.note_uses((minute, key_id) for key_id, minute in uses.items())
        except Exception as error:
            import structlog  # noqa: PLC0415 - slow to load, and hardly ever needed

            structlog.get_logger().warning(
                "the last uses of API keys were not written", error=repr(error)
            )


_noted: WeakKeyDictionary[Any, _Noted] = WeakKeyDictionary()  # by the database they're for


def note_key_use(key_id: int, last_used_at: Instant | None) -> None:
    """The key is used now; `last_used_at` is what the database says of it. Returns at once."""
    noted = _noted.get(get_connections())
    minute = system_now() // MINUTE * MINUTE
    if noted is None or (last_used_at or 0) >= minute or noted.taken.get(key_id, 0) >= minute:
        return
    noted.waiting[key_id] = noted.taken[key_id] = minute
    noted.has_some.set()


@asynccontextmanager
async def noting_key_uses() -> AsyncIterator[None]:
    """Within the block, in which the database is open, uses of keys are noted; at its end those
    that wait are written."""
    noted = _Noted()
    _noted[get_connections()] = noted
    writing = asyncio.create_task(_write_all(noted), name="uses of API keys")
    try:
        yield
    finally:
        del _noted[get_connections()]
        noted.is_ending = True
        noted.has_some.set()
        await writing


async def _write_all(noted: _Noted) -> None:
    while not noted.is_ending:
        await noted.has_some.wait()
        await noted.write()
    await noted.write()  # what came while the last ones were written
