"""Listing the members of frozen segments in the background, soon after they were published."""

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.scheduling import Job
from server.segments import models, service


async def _list_the_rest(_now: Instant) -> int:
    return await service.finish_listings()


async def _is_due(_now: Instant) -> bool:
    return bool(await models.open_listings())


async def _lag_seconds(_now: Instant) -> int:
    since = await models.open_since()
    return 0 if since is None else max(0, system_now() - since) // MICROSECONDS_PER_SECOND


JOBS = (Job("segments", "*/10 * * * * *", _list_the_rest, _lag_seconds, _is_due),)
