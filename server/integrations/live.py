"""Live fan-out: who shows something hears, after a commit, that it may have changed.

What is announced are hints, conflated: a subscriber has what it has not looked at yet as a set, and
never as a queue, so that a slow one costs no more memory than a fast one. Whoever hears reads the
database. Hints may be lost between processes; who has to know looks again when `may_lack` says so,
which happens after each interruption and every LOOK_AGAIN_SECONDS.

Within a process the announcements of `server.storage.changes` arrive directly. Between processes
they go through PostgreSQL (`live_postgres`); another carrier is another `announce` and another
caller of `Hub.announce`.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from server.storage import changes
from server.storage.changes import Change

LOOK_AGAIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Heard:
    """What a subscriber has not looked at yet."""

    changes: frozenset[Change] = frozenset()
    may_lack: bool = False  # announcements may have been lost: anything may have changed


class Subscriber:
    """One listener to some changes; made by `Live.subscribed`."""

    __slots__ = ("_hub", "_loop", "_may_lack", "_pending", "_topics", "_waiting")

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._topics: frozenset[Change] = frozenset()
        self._pending: set[Change] = set()
        self._may_lack = False
        self._waiting: asyncio.Future[None] | None = None

    def listen_to(self, topics: Collection[Change]) -> None:
        """From now on hear of these changes, and of no others."""
        self._hub._listen(self, self._topics, frozenset(topics))
        self._topics = frozenset(topics)
        self._pending &= self._topics

    @property
    def topics(self) -> frozenset[Change]:
        """What is listened to."""
        return self._topics

    def drain(self) -> None:
        """Forget what was announced so far: the caller is about to look."""
        self._pending.clear()
        self._may_lack = False

    async def wait(self) -> Heard:
        """What was announced since the last call, or the next announcement.

        Several are one. Cancelled, it loses nothing: the next call answers.
        """
        while not self._pending and not self._may_lack:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        heard = Heard(frozenset(self._pending), self._may_lack)
        self.drain()
        return heard

    def hear(self, heard: Change | None) -> None:
        """Take note of a change, or (None) that some may have been missed; from any thread."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            self._hear(heard)
        else:
            with suppress(RuntimeError):  # the loop has ended, and who listened with it
                self._loop.call_soon_threadsafe(self._hear, heard)

    def _hear(self, heard: Change | None) -> None:
        if heard is None:
            self._may_lack = True
        elif heard in self._topics:
            self._pending.add(heard)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Live(Protocol):
    """What carries announcements."""

    def subscribed(self, *topics: Change) -> AbstractAsyncContextManager[Subscriber]:
        """Within the block the subscriber hears of these changes."""
        ...

    def announce(self, announced: Collection[Change]) -> None:
        """Tell all subscribers of these changes."""
        ...


class Hub:
    """The subscribers of one process. Idle ones cost memory, and nothing else."""

    def __init__(self, *, hears_this_process: bool = True) -> None:
        self._hears_this_process = hears_this_process
        self._listening: dict[Change, set[Subscriber]] = {}
        self._subscribers: set[Subscriber] = set()
        self._registration = ExitStack()

    @property
    def subscriber_count(self) -> int:
        """How many listen."""
        return len(self._subscribers)

    @asynccontextmanager
    async def subscribed(self, *topics: Change) -> AsyncIterator[Subscriber]:
        """Within the block the subscriber hears of these changes, those of transactions that
        commit after its start included."""
        subscriber = Subscriber(self)
        if not self._subscribers and self._hears_this_process:
            self._registration.enter_context(changes.announced_to(self.announce))
        self._subscribers.add(subscriber)
        subscriber.listen_to(topics)
        try:
            yield subscriber
        finally:
            subscriber.listen_to(())
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._registration.close()

    def _listen(
        self, subscriber: Subscriber, before: frozenset[Change], after: frozenset[Change]
    ) -> None:
        for topic in before - after:
            listening = self._listening[topic]
            listening.discard(subscriber)
            if not listening:
                del self._listening[topic]
        for topic in after - before:
            self._listening.setdefault(topic, set()).add(subscriber)

    def announce(self, announced: Collection[Change]) -> None:
        """Tell the subscribers of this process of these changes; others are not woken."""
        for change in announced:
            for subscriber in tuple(self._listening.get(change, ())):
                subscriber.hear(change)

    def announce_gap(self) -> None:
        """Tell all subscribers that announcements may have been lost."""
        for subscriber in tuple(self._subscribers):
            subscriber.hear(None)


hub = Hub()
"""This process's own."""


@asynccontextmanager
async def looking_again(
    listeners: Hub, *, interval_seconds: float = LOOK_AGAIN_SECONDS
) -> AsyncIterator[None]:
    """Within the block all subscribers are told again and again to look for themselves."""

    async def remind() -> None:
        while True:
            await asyncio.sleep(interval_seconds)
            listeners.announce_gap()

    task = asyncio.create_task(remind(), name="live")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
