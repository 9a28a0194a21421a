"""When members are looked at for what they are to be reminded of."""

from server.campaigns import reminding, reminding_goals, reminding_value
from server.clock import Instant
from server.scheduling import Job
from server.storage import sql

SECONDS = 120.0
"""How long one run goes on; the next, ten minutes later, does the rest."""
_KEY = 0x1A0E9
"""One process at a time looks at members."""
FINDERS = (reminding_goals, reminding_value)
"""What registers how each trigger's occasions are found."""


async def _remind(now: Instant) -> int:
    async with sql.alone(_KEY) as is_alone:
        return await reminding.remind(now, seconds=SECONDS) if is_alone else 0


JOBS: tuple[Job, ...] = (
    # Off the quarters of the hour, when many others send.
    Job("reminders", "0 7/10 * * * *", _remind, reminding.lag_seconds, reminding.is_due),
)
