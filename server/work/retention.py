"""How long what was for a while is kept: the numbers, in one place, and the job that keeps to them.

What happened with points and money, and the evidence of what a member chose, is kept for ever and
is not touched here. An event leaves the outbox when it has been followed.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.notifications import devices
from server.scheduling import Job
from server.storage import sql
from server.storage.ids import first_id_at

NOTIFICATION_DAYS = 400
"""Messages, from their writing: a year of what members were told, and of what campaigns led to."""
DELIVERY_DAYS = NOTIFICATION_DAYS
"""Deliveries, from when it was settled what became of them, or was too late for that: without them
a campaign's funnel and the log of a message would say that nothing was sent."""
SEND_RATE_DAYS = 1
"""How many messages were sent in each second; the quota looks back for a minute."""
RUN_DAYS = 1
"""The engine's records of runs."""
FORGOTTEN_JOB_DAYS = 90
"""How a job fares that no version runs any more."""
ROWS_AT_ONCE = 1_000
"""In one transaction, so that nobody waits for it."""

_DAY_MICROSECONDS = 86_400 * MICROSECONDS_PER_SECOND
Purge = Callable[[Instant], Awaitable[int]]
"""Deletes what a domain need not keep at an instant, in transactions of its own; how much."""

# Ids grow with time: the first condition finds the old rows, the second decides.
_NOTIFICATIONS = (
    "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications"
    " WHERE id < $1 AND created_at < $2 ORDER BY id LIMIT $3)"
)
_DELIVERIES = (
    "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
    " WHERE id < $1 AND COALESCE(settled_at, expires_at) < $2 ORDER BY id LIMIT $3)"
)
_SEND_RATES = "DELETE FROM send_rates WHERE id < $1"
_JOB_RUNS = "DELETE FROM job_runs WHERE started_at < $1"


def before(now: Instant, days: int) -> Instant:
    """The instant so many days ago."""
    return Instant(now - days * _DAY_MICROSECONDS)


async def _delete(statement: str, earlier: Instant) -> int:
    deleted = 0
    while True:
        async with sql.transaction():
            count = await sql.execute(statement, first_id_at(earlier), earlier, ROWS_AT_ONCE)
        deleted += count
        if count < ROWS_AT_ONCE:
            return deleted


async def _purge_messages(now: Instant) -> int:
    deleted = await _delete(_DELIVERIES, before(now, DELIVERY_DAYS))
    deleted += await _delete(_NOTIFICATIONS, before(now, NOTIFICATION_DAYS))
    async with sql.transaction():
        second = before(now, SEND_RATE_DAYS) // MICROSECONDS_PER_SECOND
        deleted += await sql.execute(_SEND_RATES, second)
        deleted += await sql.execute(_JOB_RUNS, before(now, FORGOTTEN_JOB_DAYS))
    return deleted


async def _forget_runs(now: Instant) -> int:
    # Only a process that works has loaded the engine, and only there are records to be removed.
    engine = sys.modules.get("server.work.engine")
    if engine is None:
        return 0
    deleted = 0
    while count := await asyncio.to_thread(engine.forget, before(now, RUN_DAYS)):
        deleted += count
    return deleted


def jobs(purges: Sequence[Purge]) -> tuple[Job, ...]:
    """The jobs that delete what is not kept any longer, by the domains' own verbs too."""

    async def retain(now: Instant) -> int:
        deleted = await _purge_messages(now)
        for purge in (devices.purge, *purges):
            deleted += await purge(now)
        return deleted

    return (
        Job("retention", "0 23 3 * * *", retain),
        Job("runs", "30 7 * * * *", _forget_runs),
    )
