"""The relay: takes what happened out of the outbox and hands it to everybody who follows."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.scheduling import Job
from server.storage import outbox, sql
from server.storage.outbox import Event

EVENTS_AT_ONCE = 500
BATCHES_AT_MOST = 40
"""Of one run: other jobs get their turn, and the next tick goes on."""
_KEY = 0x4C41_5245_4C41_59  # of all processes, one relays at a time: the events keep their order

Follower = Callable[[Sequence[Event], Instant], Awaitable[None]]
"""Does what follows from events, in the caller's transaction: it reaches nobody outside the
database. Events of one member come in their order."""

_log = structlog.get_logger("work")
_followers: tuple[Follower, ...] = ()


def use(followers: Sequence[Follower]) -> None:
    """Relay to these, in this order."""
    global _followers  # noqa: PLW0603 - set once, where the process is put together
    _followers = tuple(followers)


async def relay(now: Instant) -> int:
    """Hand what waits in the outbox to the followers, and remove it; how many events.

    Each batch is followed and removed in one transaction: whatever dies, each is followed once. Of
    a batch with an event that can't be followed, the others are all the same.
    """
    done = 0
    async with sql.alone(_KEY) as is_alone:
        if not is_alone:
            return 0
        for _ in range(BATCHES_AT_MOST):
            count = await _relay_batch(now)
            done += count
            if count < EVENTS_AT_ONCE:
                break
    return done


async def _relay_batch(now: Instant) -> int:
    events: list[Event] = []
    try:
        async with sql.transaction(shares_commit=False):
            events = await outbox.oldest(EVENTS_AT_ONCE)
            if events:
                await _follow(events, now)
    except Exception as error:
        if len(events) < 2 or sql.is_unavailable(error):
            raise
        await _relay_each(events, now)
    return len(events)


async def _follow(events: Sequence[Event], now: Instant) -> None:
    for follow in _followers:
        await follow(events, now)
    await outbox.remove([event.id for event in events])


async def _relay_each(events: Sequence[Event], now: Instant) -> None:
    """Relay them one by one, so that what can't be followed holds up nobody but its member, whose
    events keep their order; it stays in the outbox. Raises for the first of these at the end."""
    failures: list[Exception] = []
    held_up: set[int] = set()
    for event in events:
        if event.member_id in held_up:
            continue
        try:
            async with sql.transaction(shares_commit=False):
                await _follow([event], now)
        except Exception as error:
            if sql.is_unavailable(error):
                raise
            _log.warning("an event can't be followed", event_id=event.id, kind=event.kind)
            failures.append(error)
            if event.member_id is not None:
                held_up.add(event.member_id)
    if failures:
        raise failures[0]


async def lag_seconds(_now: Instant) -> int:
    """For how long the oldest event has waited."""
    _, since = await outbox.waiting()
    return 0 if since is None else max(0, system_now() - since) // MICROSECONDS_PER_SECOND


async def is_due(_now: Instant) -> bool:
    """Whether an event waits."""
    return await sql.fetch_one("SELECT 1 FROM outbox_events LIMIT 1") is not None


JOBS = (Job("relay", "* * * * * *", relay, lag_seconds, is_due),)
