"""A worker that sends what is due by push until nothing is left, in a process that may be killed.

`python -m tests.faults.push_worker`: it loads what it needs, waits for a line of JSON on standard
input (database, credentials, url, lease_seconds, now; quota, limit and counted_seconds if others
than usual) and begins.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import firebase_admin.messaging  # noqa: F401 - loaded before it begins, which takes most of a second
import uvloop

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.integrations import fcm_service  # noqa: F401 - likewise
from server.integrations.fcm import FirebasePusher
from server.notifications import claiming, sending, sending_rates
from server.notifications.shapes import Policy
from server.storage import sql
from server.storage.database import Address, opened
from server.storage.ids import new_id

_UNSETTLED = "SELECT COUNT(*) FROM deliveries WHERE status IN ('queued', 'claimed', 'attempting')"


async def work(told: dict[str, Any]) -> None:
    """Send until all is settled."""
    claiming.LEASE_SECONDS = told["lease_seconds"]
    limit = told.get("limit", claiming.MAXIMUM_BATCH)
    if "counted_seconds" in told:
        sending_rates.COUNTED_SECONDS = told["counted_seconds"]
    pusher = FirebasePusher(Path(told["credentials"]), url=told["url"])
    began = time.monotonic()
    sender_id = new_id()
    async with opened(Address(*told["database"])):
        while True:
            now = Instant(told["now"] + int((time.monotonic() - began) * MICROSECONDS_PER_SECOND))
            await claiming.recover(now)
            some = await sending.send_due(
                now,
                pusher=pusher,
                mailer=None,
                policy=Policy(),
                sender_id=sender_id,
                limit=limit,
                messages_per_minute=told.get("quota"),
            )
            if some:
                continue
            row = await sql.fetch_one(_UNSETTLED)
            if row is not None and row[0] == 0:
                break
            await asyncio.sleep(0.05)
        await pusher.close()


if __name__ == "__main__":
    print("ready", flush=True)
    uvloop.run(work(json.loads(sys.stdin.readline())))
