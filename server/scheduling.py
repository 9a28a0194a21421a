"""Jobs: what the clock triggers, each declared by the domain whose work it is.

A job is told the time and says how much it has done. It may be run twice at once, or again after it
died half-way: what it does takes effect once all the same, for it works in transactions whose first
step is to see what is left to do.
"""

from collections.abc import Awaitable, Callable

import msgspec

from server.clock import Instant


async def _no_lag(_now: Instant) -> int:
    return 0


class Job(msgspec.Struct, frozen=True):
    """Something done again and again.

    `cron` has six fields, the first of them seconds, in UTC. `run` does what is left to do at an
    instant and returns how much it did. `lag_seconds` is for how long the oldest thing that is due
    has waited; that a run is overdue itself is added by who works. Jobs of every second have an
    `is_due`, a cheap look whether anything is left to do, or are due when they lag; the others run
    at each tick if they have none. Of all workers one at a time runs a job, unless it is shared:
    then each that has a look takes a part.
    """

    name: str  # such as "relay"
    cron: str
    run: Callable[[Instant], Awaitable[int]]
    lag_seconds: Callable[[Instant], Awaitable[int]] = _no_lag
    is_due: Callable[[Instant], Awaitable[bool]] | None = None
    is_shared: bool = False
