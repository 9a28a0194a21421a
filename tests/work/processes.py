"""Servers and workers as processes, with FCM on this machine, and a till that records purchases."""

import asyncio
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import asyncpg

from server.demo_credentials import TILL_KEY
from tests.fcm.running import ServedFcm
from tests.serving.servers import Server, command, environment

PATIENCE_SECONDS = 180.0  # the lease of who died, and a busy machine
_DELIVERIES = (
    "SELECT d.status, d.settled_at FROM deliveries d"
    " JOIN notifications n ON n.id = d.notification_id WHERE n.message = 'points-earned'"
)
_RECORD = """mutation($input: RecordPurchaseInput!) {
  recordPurchase(input: $input) { __typename ... on RecordedPurchase { points } }
}"""


def pushed_to(fcm: ServedFcm, folder: Path) -> dict[str, str]:
    """The settings by which messages go to this FCM."""
    return {
        "LAUREL_FCM_CREDENTIALS": str(fcm.account.write(folder)),
        "LAUREL_FCM_URL": fcm.url,
        "LAUREL_FCM_TOKEN_URL": fcm.token_url,
    }


@contextmanager
def at_work(*words: str, cwd: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """A process of `work`, which has said that it works; killed if it still runs at the end."""
    process = subprocess.Popen(
        command("work", *words),
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        worker = Server(process, time.monotonic())
        try:
            worker.wait_for("^Working on ")
            yield worker
        finally:
            process.kill()
            worker.ended()


def buy(url: str, number: int) -> None:
    """The first sample member buys something now, for 250 points."""
    line = {"productId": "1", "department": "GROCERY", "quantity": "1", "salesMinor": "2500"}
    purchase = {
        "externalId": f"bought-{number}",
        "member": {"externalId": "sample-1"},
        "occurredAt": datetime.now(UTC).isoformat(),
        "storeId": "1",
        "currencyCode": "USD",
        "lines": [line],
    }
    given = {"input": {"idempotencyKey": f"key-{number}", "purchase": purchase}}
    request = Request(  # noqa: S310 - it is this machine's
        f"{url}/graphql",
        json.dumps({"query": _RECORD, "variables": given}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {TILL_KEY}"},
    )
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        data: Any = json.load(answer)["data"]
    assert data["recordPurchase"]["__typename"] == "RecordedPurchase"


def arrived(fcm: ServedFcm, count: int) -> list[str]:
    """The ids of the notifications that the phone shows, when there are so many."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        shown = [one for one in fcm.received if one.is_delivered]
        if len(shown) >= count:
            return [one.message["data"]["notificationId"] for one in shown]
        time.sleep(0.02)
    raise AssertionError(f"{len(fcm.received)} of {count} messages came")


async def all_settled(url: str, count: int) -> Counter[str]:
    """What became of so many deliveries of points earned, when it is known of each, by status."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                rows = await connection.fetch(_DELIVERIES)
                if len(rows) == count and all(row["settled_at"] for row in rows):
                    return Counter(row["status"] for row in rows)
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


def kill(worker: Server) -> None:
    """End it as a machine does that loses its power."""
    worker.process.send_signal(signal.SIGKILL)
    assert worker.ended() == -signal.SIGKILL
