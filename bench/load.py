"""The clients: a lean generator of HTTP load in a process of its own, pinned beside the database.

Closed: each of some connections asks again as soon as it is answered. Open: requests are due at a
fixed rate, whether or not those before are answered, and each is timed from when it was due.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

CONNECTIONS = 32
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_LOOKED_AT = 50
"""One answer in so many is looked into for errors."""


class Answered(Exception):
    """A server answered with something else than data; the message says what."""


@dataclass(slots=True)
class Tally:
    """What some clients saw: how long each answer that came in the measured span took."""

    seconds: float  # the measured span
    latencies_seconds: list[float] = field(default_factory=list)
    answered: int = 0  # what came before or after the span included

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return len(self.latencies_seconds) / self.seconds


@dataclass(slots=True)
class _Span:
    """The clients' common state."""

    shots: Iterator[bytes]
    start: float  # of what counts
    end: float
    tally: Tally
    expects: bytes  # stands in every good answer
    failure: str = ""
    last: float = 0.0  # when the last answer came
    is_over: bool = False  # there is nothing left to send
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, why: str) -> None:
        self.failure = self.failure or why
        self.ended.set()

    def note(self, since: float, now: float, answer: bytes | bytearray) -> None:
        self.tally.answered += 1
        self.last = now
        if answer[9:12] != b"200" or (
            self.tally.answered % _LOOKED_AT == 1
            and (b'"errors"' in answer or self.expects not in answer)
        ):
            self.fail(bytes(answer[:2000]).decode(errors="replace"))
        if self.start <= now < self.end:
            self.tally.latencies_seconds.append(now - since)


class _Client(asyncio.Protocol):
    """One connection, which is asked one thing at a time."""

    def __init__(self, span: _Span, on_free: Callable[["_Client"], None]) -> None:
        self._span = span
        self._on_free = on_free
        self._received = bytearray()
        self._wanted = 0  # bytes of the whole answer; 0 before its head is there
        self._since = 0.0
        self._transport: asyncio.Transport | None = None
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def send(self, shot: bytes, *, since: float) -> None:
        assert self._transport is not None
        self.is_busy = True
        self._since = since
        self._transport.write(shot)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._wanted:
            self._wanted = _whole_length(received)
        if self._wanted and len(received) >= self._wanted:
            self._span.note(self._since, time.perf_counter(), received)
            self._received = bytearray()
            self._wanted = 0
            self.is_busy = False
            self._on_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_busy:
            self._span.fail(f"the connection was lost: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self.is_busy = False
            self._transport.close()


def _whole_length(received: bytearray) -> int:
    """How many bytes the answer has, head and body; 0 if its head is not complete."""
    head = received.find(_END_OF_HEAD)
    if head < 0:
        return 0
    lower = received[:head].lower()
    found = lower.find(_LENGTH)
    if found < 0:
        raise Answered(f"an answer without a length: {bytes(received[:head])!r}")
    end = lower.find(b"\r", found)
    length = lower[found + len(_LENGTH) : end if end > 0 else head]
    return head + len(_END_OF_HEAD) + int(length)


async def closed(
    ports: list[int],
    shots: Iterator[bytes],
    *,
    connections: int = CONNECTIONS,
    expects: bytes,
    warm_up_seconds: float,
    seconds: float,
) -> Tally:
    """What so many clients, spread over the ports, get done; if the requests have an end before the
    time is over, until then. Raises Answered."""
    begin = time.perf_counter()
    span = _Span(
        shots, begin + warm_up_seconds, begin + warm_up_seconds + seconds, Tally(seconds), expects
    )

    def again(client: _Client) -> None:
        now = time.perf_counter()
        if now < span.end and not span.failure and not span.is_over:
            shot = next(span.shots, None)
            if shot is None:
                span.is_over = True
                span.ended.set()
            else:
                client.send(shot, since=now)

    clients = await _connected(ports, connections, span, again)
    for client in clients:
        again(client)
    with suppress(TimeoutError):
        await asyncio.wait_for(span.ended.wait(), span.end - time.perf_counter())
    await _quiet(clients, span)
    if span.is_over:
        span.tally.seconds = max(1e-9, min(span.last, span.end) - span.start)
    return span.tally


async def opened(
    ports: list[int],
    shots: Iterator[bytes],
    *,
    expects: bytes,
    per_second: float,
    warm_up_seconds: float,
    seconds: float,
) -> Tally:
    """What requests at a fixed rate are answered in, each from when it was due. Raises Answered."""
    begin = time.perf_counter()
    span = _Span(
        shots, begin + warm_up_seconds, begin + warm_up_seconds + seconds, Tally(seconds), expects
    )
    free: list[_Client] = []
    waiting: list[float] = []  # when what is not sent yet was due

    def next_due(client: _Client) -> None:
        if waiting:
            client.send(next(span.shots), since=waiting.pop(0))
        else:
            free.append(client)

    clients = await _connected(ports, CONNECTIONS, span, next_due)
    free += clients
    due = begin
    while due < span.end and not span.failure:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if free:
            free.pop(0).send(next(span.shots), since=due)
        else:
            waiting.append(due)
        due += 1 / per_second
    span.end += 5  # what was due within the span counts, however late it is answered
    await _quiet(clients, span)
    return span.tally


async def _connected(
    ports: list[int], count: int, span: _Span, on_free: Callable[[_Client], None]
) -> list[_Client]:
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(count):
        _transport, client = await loop.create_connection(
            lambda: _Client(span, on_free), "127.0.0.1", ports[number % len(ports)]
        )
        clients.append(client)
    return clients


async def _quiet(clients: list[_Client], span: _Span) -> None:
    """Wait for the last answers, and hang up."""
    deadline = time.perf_counter() + 10
    while any(client.is_busy for client in clients) and time.perf_counter() < deadline:
        if span.failure:
            break
        await asyncio.sleep(0.01)
    for client in clients:
        client.close()
    await asyncio.sleep(0)
    if span.failure:
        raise Answered(span.failure)
