"""The claim: push messages leave at three times the rate of firebase-admin's own client.

A loopback FCM in a process of its own takes them; it speaks HTTP v1 as documented, checks access
tokens and messages, and names what it has taken. In turn it is sent the same messages by Laurel and
by the library's `send_each_async`, both 500 at a time and in this process, and by a generator of
load that knows the bytes of a request and looks at nothing that is answered: what that reaches is
the loopback server's own limit.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import Spread, in_order, ratios
from bench.ledger import Say
from server.integrations.fcm import FirebasePusher
from server.integrations.push import MAXIMUM_BATCH, OutcomeKind, PushMessage
from tests.fcm import FcmProcess, running

ASKED_RATIO = 3.0
_CONNECTIONS = 16
_PIPELINED = 32
_OK = b"HTTP/1.1 200 "


class NotSent(Exception):
    """What was sent did not arrive, so nothing was measured."""


class Sender(StrEnum):
    """Who sends."""

    LAUREL = "Laurel"
    LIBRARY = "firebase-admin's send_each_async"
    LOAD = "the loopback server's limit"


@dataclass(slots=True)
class Measured:
    """What one sender gave, round by round."""

    per_second: list[float] = field(default_factory=list)
    own_microseconds: list[float] = field(default_factory=list)  # of a processor, for a message
    fcm_microseconds: list[float] = field(default_factory=list)  # of the loopback server's


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured."""

    rounds: int
    seconds: float
    measured: dict[Sender, Measured]

    @property
    def ratio(self) -> Spread:
        """Laurel's rate over the library's."""
        return self._ratio(Sender.LAUREL, Sender.LIBRARY)

    @property
    def of_limit(self) -> Spread:
        """Laurel's rate over what the loopback server can take."""
        return self._ratio(Sender.LAUREL, Sender.LOAD)

    @property
    def cost(self) -> Spread:
        """The library's time of a core for a message over Laurel's."""
        costs = (self.measured[one].own_microseconds for one in (Sender.LIBRARY, Sender.LAUREL))
        return Spread.of(ratios(*costs))

    def _ratio(self, ours: Sender, others: Sender) -> Spread:
        rates = (self.measured[one].per_second for one in (ours, others))
        return Spread.of(ratios(*rates))

    @property
    def text(self) -> str:
        """The result for a terminal."""
        lines = [
            f"{self.rounds} interleaved rounds of {self.seconds:g} s, {MAXIMUM_BATCH} messages at a"
            " time; medians, with the least and the most.",
            "",
        ]
        for sender, one in self.measured.items():
            rate, own, fcm = (
                Spread.of(some)
                for some in (one.per_second, one.own_microseconds, one.fcm_microseconds)
            )
            lines.append(
                f"  {sender.value:<34} {rate.median:>8,.0f} messages/s"
                f" ({rate.least:,.0f} to {rate.most:,.0f})"
                f"   {own.median:,.0f} us of a core each, the server {fcm.median:,.0f} us"
            )
        laurel = self.measured[Sender.LAUREL]
        here, there = (
            Spread.of(some).median for some in (laurel.own_microseconds, laurel.fcm_microseconds)
        )
        ratio, limit, cost = self.ratio, self.of_limit, self.cost
        limiting = "Laurel's own Python" if here > there else "the loopback server"
        return "\n".join(
            [
                *lines,
                "",
                f"  RATIO to the library {ratio.median:.1f} ({ratio.least:.1f} to"
                f" {ratio.most:.1f}; asked {ASKED_RATIO:g})",
                f"  RATIO of a core's time for a message, the library's over Laurel's"
                f" {cost.median:.1f} ({cost.least:.1f} to {cost.most:.1f})",
                f"  RATIO to the loopback server's limit {limit.median:.2f}"
                f" ({limit.least:.2f} to {limit.most:.2f})",
                f"  What limits it: {limiting}. A message takes {here:,.0f} us of a core here and"
                f" {there:,.0f} us there; a core of its own would send {1e6 / here:,.0f} a second.",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """The result for programs: every round, and the figures of `text`."""
        return {
            "rounds": self.rounds,
            "secondsPerRound": self.seconds,
            "ratioToLibrary": self.ratio.median,
            "ratioOfCost": self.cost.median,
            "ratioToLimit": self.of_limit.median,
            "senders": {
                sender.name.lower(): {
                    "messagesPerSecond": one.per_second,
                    "ownMicroseconds": one.own_microseconds,
                    "fcmMicroseconds": one.fcm_microseconds,
                }
                for sender, one in self.measured.items()
            },
        }


def measure(*, rounds: int, seconds: float, say: Say) -> Result:
    """Start the loopback FCM and measure; `say` is told what goes on. Raises NotSent."""
    with (
        tempfile.TemporaryDirectory(prefix="laurel-push-") as folder,
        running(Path(folder)) as fcm,
    ):
        return uvloop.run(_measured(fcm, rounds, seconds, say))


async def _measured(fcm: FcmProcess, rounds: int, seconds: float, say: Say) -> Result:
    pusher = FirebasePusher(fcm.credentials, url=fcm.url)
    library = await asyncio.to_thread(_Library, fcm)
    load = _Load(fcm, library.token)
    sending: dict[Sender, Callable[[], Awaitable[int]]] = {
        Sender.LAUREL: lambda: _by_laurel(pusher),
        Sender.LIBRARY: library.send,
        Sender.LOAD: load.send,
    }
    measured = {sender: Measured() for sender in Sender}
    try:
        for number in range(-1, rounds):
            for name in in_order(list(Sender), number):
                sender = Sender(name)
                told = await _round(fcm, sending[sender], seconds if number >= 0 else 1.0)
                which = f"round {number + 1} of {rounds}" if number >= 0 else "warm-up"
                say(f"{which}: {told[0]:,.0f} messages/s, {sender.value}")
                if number >= 0:
                    one = measured[sender]
                    one.per_second.append(told[0])
                    one.own_microseconds.append(told[1])
                    one.fcm_microseconds.append(told[2])
    finally:
        await pusher.close()
        await library.close()
    return Result(rounds, seconds, measured)


async def _round(
    fcm: FcmProcess, send: Callable[[], Awaitable[int]], seconds: float
) -> tuple[float, float, float]:
    """Messages in a second, and a processor's microseconds for each here and there."""
    counted = (await asyncio.to_thread(fcm.tell))["count"]
    own, theirs, start = time.process_time(), _cpu_seconds(fcm.process.pid), time.perf_counter()
    sent = 0
    while time.perf_counter() - start < seconds:
        sent += await send()
    taken = time.perf_counter() - start
    own, theirs = time.process_time() - own, _cpu_seconds(fcm.process.pid) - theirs
    if (await asyncio.to_thread(fcm.tell))["count"] != counted + sent:
        raise NotSent("the loopback server has counted other messages than were sent")
    return sent / taken, own / sent * 1e6, theirs / sent * 1e6


def _cpu_seconds(pid: int) -> float:
    """What the process has used of the processors."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # not on this system
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


# ---------------------------------------------------------------- the senders


def _messages() -> list[PushMessage]:
    """Of a campaign: each member's own name and own token."""
    return [
        PushMessage(
            token=f"bench-{number:0>20}-{'x' * 130}",
            title=f"Good morning, member {number}",
            body="Three times the points on coffee until Sunday. Your offer is ready in the app.",
            data={"notification_id": f"Tm90aWZpY2F0aW9uOjEyMzQ1Njc4{number}", "kind": "offer"},
            image="https://shop.example.com/offers/coffee.jpg",
            link="https://shop.example.com/offers/coffee",
            collapse_key="offers",
            ttl_seconds=259_200,
            android={"notification": {"channel_id": "offers", "color": "#336699"}},
        )
        for number in range(MAXIMUM_BATCH)
    ]


_MESSAGES = _messages()


async def _by_laurel(pusher: FirebasePusher) -> int:
    outcomes = await pusher.send(_MESSAGES)
    if any(outcome.kind is not OutcomeKind.SENT for outcome in outcomes):
        raise NotSent(f"Laurel: {outcomes[0].kind} {outcomes[0].reason}")
    return len(outcomes)


class _Library:
    """firebase-admin as it comes. Its messages are made beforehand, its access token is there."""

    def __init__(self, fcm: FcmProcess) -> None:
        import google.oauth2.credentials  # noqa: PLC0415 - slow to load
        import requests  # noqa: PLC0415 - slow to load
        from firebase_admin import credentials, initialize_app, messaging  # noqa: PLC0415 - same
        from google.auth.transport.requests import Request  # noqa: PLC0415 - same

        from server.integrations import fcm_messages  # noqa: PLC0415 - same

        account = credentials.Certificate(str(fcm.credentials)).get_credential()
        with requests.Session() as session:
            account.refresh(Request(session))
        self.token: str = account.token
        held = google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
            self.token
        )

        class Held(credentials.Base):  # type: ignore[misc] # it has no types
            def get_credential(self) -> Any:
                return held

        messaging._MessagingService.FCM_URL = f"{fcm.url}/v1/projects/{{0}}/messages:send"
        self._app = initialize_app(Held(), {"projectId": account.project_id}, name="bench-push")
        self._messages = [fcm_messages.message_of(message) for message in _MESSAGES]

    async def send(self) -> int:
        """How many it has sent."""
        from firebase_admin import messaging  # noqa: PLC0415 - slow to load

        batch = await messaging.send_each_async(self._messages, app=self._app)
        if batch.failure_count:
            raise NotSent(f"firebase-admin: {batch.responses[0].exception}")
        return int(batch.success_count)

    async def close(self) -> None:
        """Let go of its connections; its own way can't be gone inside an event loop."""
        import firebase_admin  # noqa: PLC0415 - slow to load
        from firebase_admin import messaging  # noqa: PLC0415 - same

        await messaging._get_messaging_service(self._app)._async_client.aclose()
        await asyncio.to_thread(firebase_admin.delete_app, self._app)


class _Load:
    """The bytes of requests, and a count of the answers."""

    def __init__(self, fcm: FcmProcess, token: str) -> None:
        from server.integrations import fcm_messages  # noqa: PLC0415 - slow to load

        address = fcm.url.removeprefix("http://")
        self._host, _, self._port = address.partition(":")
        self._block = b"".join(
            f"POST /v1/projects/laurel-test/messages:send HTTP/1.1\r\nHost: {address}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
            for body in map(fcm_messages.body, _MESSAGES[:_PIPELINED])
        )

    async def send(self) -> int:
        """How many were answered with 200."""
        counts = await asyncio.gather(*(self._sent(20) for _ in range(_CONNECTIONS)))
        return sum(counts)

    async def _sent(self, blocks: int) -> int:
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        for _ in range(blocks):
            writer.write(self._block)
            answered, kept = 0, b""
            while answered < _PIPELINED:
                data = await reader.read(65_536)
                if not data:
                    raise NotSent("the loopback server has closed a connection")
                kept += data
                answered += kept.count(_OK)
                kept = kept[-len(_OK) + 1 :]
        writer.close()
        await writer.wait_closed()
        return blocks * _PIPELINED
