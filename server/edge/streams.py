"""The open sockets and event streams of one process: how many there may be, and their end."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from server.edge.context import Context
from server.edge.metrics import Metrics
from server.edge.refusing import ErrorShown, RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How much one client, and all of them, may have open, and how long they may take."""

    streams: int = 3_000  # sockets and event streams of the process
    streams_per_caller: int = 50
    beginning_per_address: int = 200  # sockets that have not said yet who they are
    operations_per_socket: int = 500
    operations_at_once: int = 20  # queries and mutations of one socket; more wait for their turn
    subscriptions_per_caller: int = 2_000
    messages: int = 3_000  # at once; afterwards:
    messages_per_second: int = 100
    waiting_bytes: int = 4_000_000  # of one socket, before it counts as too slow
    init_seconds: float = 10
    ping_seconds: float = 25
    silent_seconds: float = 75  # three pings that nobody answered
    send_seconds: float = 10  # without any progress
    close_seconds: float = 2  # for a client that does not read, to be told why it is dropped
    recheck_seconds: float = 10  # between questions whether a quiet stream's session still stands
    comment_seconds: float = 12  # between comments that keep an event stream open


class Places:
    """How many of something each caller has, and all together."""

    def __init__(self, *, each: int, all_together: int) -> None:
        self._each = each
        self._all_together = all_together
        self._taken: Counter[str] = Counter()
        self.taken = 0  # by all together

    def take(self, caller: str) -> bool:
        """One more for the caller; False if that is too many."""
        if self._taken[caller] >= self._each or self.taken >= self._all_together:
            return False
        self._taken[caller] += 1
        self.taken += 1
        return True

    def leave(self, caller: str) -> None:
        """One less."""
        self.taken -= 1
        self._taken[caller] -= 1
        if not self._taken[caller]:
            del self._taken[caller]


@dataclass(slots=True)
class Streams:
    """What is open in one process."""

    limits: StreamLimits = field(default_factory=StreamLimits)
    metrics: Metrics = field(default_factory=Metrics)
    beginning: Places = field(init=False)
    open: Places = field(init=False)
    subscriptions: Places = field(init=False)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Make the places."""
        limits = self.limits
        self.beginning = Places(each=limits.beginning_per_address, all_together=limits.streams)
        self.open = Places(each=limits.streams_per_caller, all_together=limits.streams)
        self.subscriptions = Places(
            each=limits.subscriptions_per_caller, all_together=1_000 * limits.streams
        )

    def stop(self) -> None:
        """End the event streams, so that the server can; uvicorn ends the sockets itself."""
        self.stopping.set()


def too_many_operations(requested: int, *, allowed: int) -> RequestRefused:
    """One more operation than may run at once."""
    return RequestRefused(
        "TOO_MANY_OPERATIONS",
        "streams.operations",
        status=429,
        headers={"Retry-After": "1"},
        extensions={"requested": requested, "allowed": allowed},
        allowed=allowed,
    )


@contextmanager
def subscribing(streams: Streams, context: Context, transport: str) -> Iterator[None]:
    """Within the block one more of the caller's subscriptions runs. Raises RequestRefused (429) if
    too many do."""
    caller = context.caller
    if not streams.subscriptions.take(caller):
        allowed = streams.limits.subscriptions_per_caller
        raise too_many_operations(allowed + 1, allowed=allowed)
    try:
        with streams.metrics.subscription_running(transport):
            yield
    finally:
        streams.subscriptions.leave(caller)


class SourceRefused(RequestRefused):
    """A subscription that has no events to deliver: its source could not be opened."""

    def __init__(self, shown: Sequence[ErrorShown]) -> None:
        super().__init__("SUBSCRIPTION_FAILED", "request.document")
        self._shown = list(shown)

    def errors(self, language: str) -> list[ErrorShown]:
        """The errors of the source, as they have been told already."""
        return self._shown
