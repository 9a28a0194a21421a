"""Connections that can't hurt: each has its deadlines and bounds, and a slow one is dropped.

uvicorn's protocols wait for ever for the rest of a request, and for a client that never reads.
These close what makes no progress. One timer looks at all connections of the process, so that a
connection costs no task and no timer of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from uvicorn.protocols.utils import get_remote_addr


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how much a client may take. Seconds are of the loop's monotonic clock."""

    head_seconds: float = 10  # from the connection, or a request's first byte, to its last header
    idle_seconds: float = 5  # between two requests
    body_seconds: float = 10  # for a body, and one second more for each so many bytes of it
    body_bytes_per_second: int = 10_000
    discarding_seconds: float = 5  # for the rest of a body that is refused
    stalled_seconds: float = 10  # without so many bytes read per second, while some are waiting
    answer_bytes_per_second: int = 2_000
    end_seconds: float = 1  # to close its side, once it is told that it is refused
    surplus_seconds: float = 2  # for the request of a connection that is one too many
    tick_seconds: float = 0.5  # how exactly all of them are measured
    head_bytes: int = 32 * 1024
    header_count: int = 100
    pipelined_requests: int = 16  # sent before the one in front of them is answered
    connections: int = 4_000
    connections_per_address: int = 1_000


class Watched(Protocol):
    """A connection that is looked at on every tick."""

    def look(self, now: float) -> None:
        """Drop the connection if it has had its time."""


class Guard:
    """Knows all connections of a process, counts them, and looks after them."""

    def __init__(
        self, bounds: Bounds, *, is_shared: Callable[[str], bool] = lambda _address: False
    ) -> None:
        """`is_shared` tells the addresses that many clients come from: those of our proxies."""
        self.bounds = bounds
        self._is_shared = is_shared
        self._open: dict[Watched, str] = {}
        self._by_address: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def admit(self, connection: Watched, transport: asyncio.BaseTransport) -> bool:
        """Look after the connection until it is released; False if it is one too many."""
        address = _address_of(transport)
        self._open[connection] = address
        self._by_address[address] += 1
        if self._timer is None:
            self._arm()
        has_room = self._by_address[address] <= self.bounds.connections_per_address
        return len(self._open) <= self.bounds.connections and (has_room or self._is_shared(address))

    @property
    def is_overrun(self) -> bool:
        """Whether there are so many that those who are too many aren't even told."""
        return len(self._open) > self.bounds.connections * 5 // 4

    def release(self, connection: Watched) -> None:
        """Forget the connection."""
        address = self._open.pop(connection, None)
        if address is None:
            return
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.bounds.tick_seconds, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.look(now)
        if self._open:
            self._arm()


class CountedTransport:
    """A transport that counts what is written, so that what was sent of it is known."""

    __slots__ = ("_transport", "_written_bytes")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._written_bytes = 0

    @classmethod
    def around(cls, transport: asyncio.BaseTransport) -> asyncio.Transport:
        """The transport, counted, as what the protocols take for one."""
        found: object = transport
        return cast(asyncio.Transport, found if isinstance(found, cls) else cls(transport))

    def write(self, data: bytes) -> None:
        """Write and count."""
        self._written_bytes += len(data)
        self._transport.write(data)

    @property
    def sent_bytes(self) -> int:
        """How much the system has taken; it takes no more than the client makes room for."""
        return self._written_bytes - self._transport.get_write_buffer_size()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Reader:
    """Whether a client takes what is written for it, fast enough."""

    __slots__ = ("_bounds", "_sent_bytes", "_since", "_transport")

    def __init__(self, transport: asyncio.Transport, bounds: Bounds) -> None:
        self._transport = transport
        self._bounds = bounds
        self._since: float | None = None  # None while nothing waits
        self._sent_bytes = 0

    def is_stalled(self, now: float) -> bool:
        """Whether something has been waiting for too long; call it on each tick."""
        if not self._transport.get_write_buffer_size():
            self._since = None
            return False
        sent = cast(CountedTransport, self._transport).sent_bytes
        enough = self._bounds.answer_bytes_per_second * self._bounds.stalled_seconds
        if self._since is None or sent - self._sent_bytes >= enough:
            self._since, self._sent_bytes = now, sent
            return False
        return now - self._since >= self._bounds.stalled_seconds


def _address_of(transport: asyncio.BaseTransport) -> str:
    client = get_remote_addr(cast(asyncio.Transport, transport))
    return client[0] if client else ""
