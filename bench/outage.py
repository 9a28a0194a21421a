"""Firebase is away: what purchases are answered in meanwhile, and how the backlog drains.

The server works itself, on SQLite, so that what is measured shares a process, an event loop and a
database with the sending. Purchases come at a fixed rate, each timed from when it was due, and each
makes a push message. FCM is a server on this machine, which is there, away, and there again, so
that what grows with the number of purchases weighs on both alike. The purchases are of many
members, each with a phone.
"""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bench.figures import quantile
from bench.servers import ROOT, environment
from server import clock, demo
from server.clock import Instant
from server.definitions import bundles
from server.definitions import service as definitions
from server.definitions.formats import FileFormat
from server.definitions.importing import bring_in
from server.demo_credentials import TILL_KEY
from server.enrolment import service as enrolment
from server.notifications import devices
from server.notifications.devices import Platform
from server.programme import service as programme
from server.storage import migrate, sql
from server.storage.database import Address, opened
from tests.fcm.running import ServedFcm, serving

MEMBERS = 1_000
WARM_UP_SECONDS = 10.0
THERE_SHARE = 8
"""FCM is there, before an outage and after it, for such a part of its length."""
DRAINED_WITHIN_SECONDS = 900.0
_READY = re.compile(r"^Ready: (\S+)$")
_RECORD = (
    """mutation($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename } }"""
)
_MESSAGE = """
laurel_definitions: 1
definitions:
  - kind: message
    key: points-earned
    document:
      category: service
      default_language: en
      trigger: {kind: points_earned}
      texts: {en: {title: '{points} points', body: 'You have {available}.'}}
"""
"""Without caps and quiet hours: each purchase is a message, at any hour."""
Say = Callable[[str], None]


class CannotMeasure(Exception):
    """What is to be measured does not work; the message says why."""


@dataclass(slots=True)
class Result:
    """What was seen."""

    per_second: int
    outage_seconds: float
    up_seconds: list[list[float]] = field(default_factory=list)  # by round, of each purchase
    down_seconds: list[list[float]] = field(default_factory=list)
    purchases: int = 0
    arrived: int = 0
    doubled: int = 0
    drained_seconds: float = 0.0

    def milliseconds(self, rounds: list[list[float]], per_mille: int) -> float:
        """What so many in a thousand of all rounds took."""
        return quantile([one for some in rounds for one in some], per_mille) * 1000

    @property
    def ratio(self) -> float:
        """The p99 with FCM away, to that with FCM there."""
        up = self.milliseconds(self.up_seconds, 990)
        return self.milliseconds(self.down_seconds, 990) / up

    @property
    def holds(self) -> bool:
        """Whether purchases did not notice, and everybody was told once."""
        return self.ratio <= 1.1 and self.arrived == self.purchases and not self.doubled


def measure(*, rounds: int, outage_seconds: float, per_second: int, say: Say) -> Result:
    """Measure. Raises CannotMeasure."""
    result = Result(per_second, outage_seconds)
    with tempfile.TemporaryDirectory() as name, serving() as fcm:
        folder = Path(name)
        asyncio.run(_prepare(folder))
        with _server(folder, fcm) as url:
            asyncio.run(_measure(result, url, fcm, rounds, say))
    return result


async def _prepare(folder: Path) -> None:
    address = Address.of(database=None, data_folder=folder)
    async with opened(address):
        await migrate.apply_pending(lambda _line: None)
    async with opened(address):
        import server.schema  # noqa: F401, PLC0415 - makes all kinds of documents known

        await demo.make()
        async with sql.transaction():
            await bring_in(
                bundles.read(_MESSAGE, FileFormat.YAML),
                by=definitions.COMMAND_LINE,
                now=clock.now(),
            )
            await _enrol(clock.now())


async def _enrol(now: Instant) -> None:
    """Members with a phone each; the demo member's session stands for theirs."""
    published = (await programme.rulebook()).at(now)
    [session] = await sql.fetch("SELECT MIN(session_id) FROM devices")
    for number in range(MEMBERS):
        newcomer = enrolment.newcomer(now, published, external_id=f"outage-{number}")
        member_id = await enrolment.enrol(newcomer)
        phone = devices.Registration(
            token=f"outage-{number}",
            platform=Platform.ANDROID,
            locale="en",
            time_zone="UTC",
        )
        await devices.register(member_id, session[0], phone, now=now)


@contextmanager
def _server(folder: Path, fcm: ServedFcm) -> Iterator[str]:
    settings = {
        "LAUREL_FCM_CREDENTIALS": str(fcm.account.write(folder)),
        "LAUREL_FCM_URL": fcm.url,
        "LAUREL_FCM_TOKEN_URL": fcm.token_url,
        "LAUREL_COST_BUDGET_PERCENT": "0",
        "LAUREL_OPERATION_LOG": "none",
    }
    process = subprocess.Popen(  # noqa: S603 - the product itself
        [
            *(sys.executable, "-P", "-m", "server", "serve", "--demo", "--port", "0"),
            *("--data", str(folder)),
        ],
        cwd=ROOT,
        env={**environment(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if ready := _READY.match(line):
                    yield ready[1]
                    break
            else:
                raise CannotMeasure("the server did not start")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def _measure(result: Result, url: str, fcm: ServedFcm, rounds: int, say: Say) -> None:
    headers = {"authorization": f"Bearer {TILL_KEY}", "content-type": "application/json"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as till:
        await _buy(result, till, WARM_UP_SECONDS)
        there_seconds = result.outage_seconds / THERE_SHARE
        for number in range(rounds):
            result.up_seconds.append(await _buy(result, till, there_seconds))
            await asyncio.to_thread(fcm.down)
            say(f"round {number + 1}: FCM is away, {len(fcm.received)} messages have come")
            result.down_seconds.append(await _buy(result, till, result.outage_seconds))
            await asyncio.to_thread(fcm.up)
            say(f"round {number + 1}: FCM is there, {len(fcm.received)} messages have come")
            await _drained(result, fcm)
            say(f"round {number + 1}: drained after {result.drained_seconds:.0f} s")
            result.up_seconds.append(await _buy(result, till, there_seconds))
        await _drained(result, fcm)
    ids = [one["data"]["notificationId"] for one in _told(fcm)]
    result.arrived, result.doubled = len(set(ids)), len(ids) - len(set(ids))


def _told(fcm: ServedFcm) -> list[dict[str, Any]]:
    """The messages of purchases that a phone would show; there are some of welcome points too."""
    shown = [one.message for one in fcm.received if one.is_delivered]
    return [one for one in shown if one["notification"]["title"] == "10 points"]


async def _drained(result: Result, fcm: ServedFcm) -> None:
    began = time.monotonic()
    while len(_told(fcm)) < result.purchases:
        if time.monotonic() - began > DRAINED_WITHIN_SECONDS:
            break
        await asyncio.sleep(0.1)
    result.drained_seconds = max(result.drained_seconds, time.monotonic() - began)


async def _buy(result: Result, till: httpx2.AsyncClient, seconds: float) -> list[float]:
    """Record purchases at the rate; the seconds that each took, from when it was due."""
    began = time.perf_counter()
    tasks = []
    for number in range(int(seconds * result.per_second)):
        due = began + number / result.per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        result.purchases += 1
        tasks.append(asyncio.create_task(_record(till, result.purchases, due)))
    return await asyncio.gather(*tasks)


async def _record(till: httpx2.AsyncClient, number: int, due: float) -> float:
    line = {"productId": "1", "department": "GROCERY", "quantity": "1", "salesMinor": "100"}
    purchase: dict[str, Any] = {
        "externalId": f"outage-{number}",
        "member": {"externalId": f"outage-{number % MEMBERS}"},
        "occurredAt": clock.datetime_of(clock.system_now()).isoformat(),
        "storeId": "1",
        "currencyCode": "USD",
        "lines": [line],
    }
    given = {"input": {"idempotencyKey": f"outage-{number}", "purchase": purchase}}
    content = json.dumps({"query": _RECORD, "variables": given})
    answer = await till.post("/graphql", content=content)
    taken = time.perf_counter() - due
    if '"RecordedPurchase"' not in answer.text:
        raise CannotMeasure(f"a purchase was not recorded: {answer.text[:500]}")
    return taken


def as_text(result: Result) -> str:
    """The result."""
    lines = [
        f"Purchases at {result.per_second} a second, with FCM away for"
        f" {result.outage_seconds:.0f} s at a time (the server on SQLite sends itself).",
    ]
    for name, rounds in (("FCM there", result.up_seconds), ("FCM away", result.down_seconds)):
        p50, p99 = (result.milliseconds(rounds, per_mille) for per_mille in (500, 990))
        lines.append(f"  {name:10} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms")
    lines += [
        f"  p99 away/there: {result.ratio:.2f} (to hold: at most 1.10)",
        f"  messages: {result.arrived} of {result.purchases} arrived, {result.doubled} twice;"
        f" the backlog was gone {result.drained_seconds:.0f} s after FCM was back",
        f"  {'holds' if result.holds else 'DOES NOT HOLD'}",
    ]
    return "\n".join(lines)
