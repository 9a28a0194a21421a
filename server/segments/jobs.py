"""Listing the members of frozen segments in the background of a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from server.segments import service
from server.storage import sql

SECONDS_BETWEEN = 10
_log = structlog.get_logger("segments")


@asynccontextmanager
async def listing_segments(*, interval_seconds: float = SECONDS_BETWEEN) -> AsyncIterator[None]:
    """Within the block the rest of frozen segments is listed, soon after they were published.

    It ends with the block at once; what is left is listed by whoever comes next.
    """
    task = asyncio.create_task(_again_and_again(interval_seconds), name="segments")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again_and_again(interval_seconds: float) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        try:
            await service.finish_listings()
        except Exception as error:
            # Whatever it is, the server goes on, and the next time may succeed.
            if sql.is_unavailable(error):
                _log.warning("listing postponed: the database does not answer")
            else:
                _log.exception("listing failed")
