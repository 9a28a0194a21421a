"""A worker that delivers webhooks until nothing waits, in a process that may be killed.

`python -m tests.faults.webhook_worker`: it loads what it needs, waits for a line of JSON on
standard input (database, held_seconds, now) and begins.
"""

import asyncio
import json
import sys
from typing import Any

import standardwebhooks  # noqa: F401 - loaded before it begins

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.storage import sql
from server.storage.database import Address, opened
from server.webhooks import claiming, guarding
from server.webhooks.delivering import deliver_due

_WAITING = "SELECT COUNT(*) FROM webhook_deliveries WHERE status = 'queued'"


async def work(told: dict[str, Any]) -> None:
    """Deliver until all is settled."""
    claiming.HELD_SECONDS = told["held_seconds"]  # type: ignore[misc] # the dead are waited for
    guarding.use(guarding.Policy(allows_private=True))
    now = told["now"]
    async with opened(Address(*told["database"])):
        while await _is_anything_waiting():
            if not await deliver_due(Instant(now)):
                await asyncio.sleep(0.05)
            now += 6 * MICROSECONDS_PER_SECOND  # what was refused is due again


async def _is_anything_waiting() -> bool:
    row = await sql.fetch_one(_WAITING)
    return row is not None and row[0] > 0


if __name__ == "__main__":
    print("ready", flush=True)
    asyncio.run(work(json.loads(sys.stdin.readline())))
