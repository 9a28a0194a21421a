"""Announcements between processes: PostgreSQL's LISTEN and NOTIFY.

NOTIFY inside of a business transaction would take, from there to the commit, a lock of the whole
database, and let one transaction commit at a time. Therefore each process gathers what its
transactions announced within BATCH_SECONDS after their commits, and sends it in a transaction of
its own, on a connection of its own: under load one NOTIFY stands for many commits.

Who dies in between loses its hints, and so does everybody while the connection is down. Whoever
listens is told of the gap when the connection is there again.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog

from server.integrations.live import Hub, hub, looking_again
from server.storage import changes, database
from server.storage.changes import Change
from server.storage.database import Address

CHANNEL = "laurel_changes"
BATCH_SECONDS = 0.015
KEEPALIVE_SECONDS = 10.0
PATIENCE_SECONDS = 5.0
"""For one answer of the database; after it the connection counts as dead."""
FIRST_BACKOFF_SECONDS = 0.05
LAST_BACKOFF_SECONDS = 5.0
MAXIMUM_PAYLOAD_BYTES = 7_900
"""PostgreSQL takes less than 8,000."""
MAXIMUM_PENDING = 20_000
"""Announcements kept while the connection is down; of more than these nothing is kept but that
there were some."""
_EVERYTHING = "*"
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("live")
Connect = Callable[[], Awaitable[Any]]


def payloads(announced: Iterable[Change]) -> list[str]:
    """The changes as texts, `topic:number,number;topic:number`, each short enough for a NOTIFY."""
    texts: list[str] = []
    text, open_topic = "", ""
    for topic, number in sorted(announced):
        piece = f",{number}" if topic == open_topic else f";{topic}:{number}"
        if len(text) + len(piece) > MAXIMUM_PAYLOAD_BYTES:
            texts.append(text[1:])
            text, piece = "", f";{topic}:{number}"
        text += piece
        open_topic = topic
    return [*texts, text[1:]] if text else texts


def announced_in(payload: str) -> frozenset[Change] | None:
    """The changes of a payload; None if it says that anything may have changed, or is no payload
    of this version."""
    found: set[Change] = set()
    try:
        for part in payload.split(";"):
            topic, numbers = part.split(":")
            found |= {(topic, int(number)) for number in numbers.split(",")}
    except ValueError:
        return None
    return frozenset(found)


class Relay:
    """Carries this process's announcements to the others, and theirs to the hub."""

    def __init__(
        self,
        connect: Connect,
        hub: Hub,
        *,
        batch_seconds: float = BATCH_SECONDS,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
    ) -> None:
        self._connect = connect
        self._hub = hub
        self._batch_seconds = batch_seconds
        self._keepalive_seconds = keepalive_seconds
        self._loop = asyncio.get_running_loop()
        self._pending: set[Change] = set()
        self._has_lost = False
        self._to_do = asyncio.Event()  # something to send, or the connection has ended
        self.connected = asyncio.Event()
        self.sent_count = 0  # statements begun, counted before anybody can hear them

    def announce(self, announced: Collection[Change]) -> None:
        """Send these changes soon; from any thread."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            self._announce(announced)
        else:
            with suppress(RuntimeError):  # the loop has ended, and this relay with it
                self._loop.call_soon_threadsafe(self._announce, announced)

    def _announce(self, announced: Collection[Change]) -> None:
        self._pending |= set(announced)
        if len(self._pending) > MAXIMUM_PENDING:
            self._pending.clear()
            self._has_lost = True
        self._to_do.set()

    async def run(self) -> None:
        """Carry, for ever: what the database does ends nothing but the connection."""
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while True:
            try:
                async with self._connection() as connection:
                    backoff_seconds = FIRST_BACKOFF_SECONDS
                    await self._carry(connection)
            except _FAILURES as error:
                _log.warning("live updates interrupted", reason=type(error).__name__)
            except Exception:
                _log.exception("live updates failed")
            await asyncio.sleep(backoff_seconds * random.uniform(0.5, 1))  # noqa: S311 - no secret
            backoff_seconds = min(2 * backoff_seconds, LAST_BACKOFF_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with asyncio.timeout(database.CONNECT_TIMEOUT_SECONDS):
            connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _connection: self._to_do.set())
            await _within(connection.add_listener(CHANNEL, self._heard))
            # What was announced before this moment was heard by nobody here.
            self._hub.announce_gap()
            self.connected.set()
            yield connection
        finally:
            self.connected.clear()
            connection.terminate()

    def _heard(self, connection: Any, sender_pid: int, _channel: str, payload: object) -> None:
        if sender_pid == connection.get_server_pid():
            return  # this process's own, which the hub has heard of directly
        announced = announced_in(str(payload))
        if announced is None:
            self._hub.announce_gap()
        else:
            self._hub.announce(announced)

    async def _carry(self, connection: Any) -> None:
        while not connection.is_closed():
            try:
                async with asyncio.timeout(self._keepalive_seconds):
                    await self._to_do.wait()
            except TimeoutError:
                await _within(connection.execute("SELECT 1"))
                continue
            await asyncio.sleep(self._batch_seconds)
            self._to_do.clear()
            await self._send(connection)
        raise ConnectionError("the database has ended the connection")

    async def _send(self, connection: Any) -> None:
        sending, has_lost = self._pending, self._has_lost
        self._pending, self._has_lost = set(), False
        texts = [_EVERYTHING] if has_lost else payloads(sending)
        try:
            for text in texts:
                self.sent_count += 1
                await _within(connection.execute("SELECT pg_notify($1, $2)", CHANNEL, text))
        except BaseException:
            self._has_lost |= has_lost
            self._announce(sending)
            raise

    async def flush(self) -> None:
        """Send what is left, on a connection of its own; gives up when the database is away."""
        if not self._pending and not self._has_lost:
            return
        with suppress(*_FAILURES):
            async with asyncio.timeout(PATIENCE_SECONDS):
                connection = await self._connect()
            try:
                await self._send(connection)
            finally:
                connection.terminate()


async def _within(answer: Awaitable[Any]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await answer


@asynccontextmanager
async def relaying(connect: Connect, hub: Hub, **options: float) -> AsyncIterator[Relay]:
    """Within the block this process and the others on the database hear of each other's changes."""
    relay = Relay(connect, hub, **options)
    with changes.announced_to(relay.announce):
        task = asyncio.create_task(relay.run(), name="live relay")
        try:
            yield relay
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await relay.flush()


def connecting(address: Address) -> Connect:
    """What opens a connection for announcements: no commit of theirs waits for the disk."""

    async def connect() -> Any:
        return await database.connection(
            address, synchronous_commit="off", application_name="laurel live"
        )

    return connect


@asynccontextmanager
async def announcing(address: Address) -> AsyncIterator[None]:
    """Within the block, in a process that serves nobody, what it changes is announced to those that
    do: at its end, or MAXIMUM_PENDING changes later as a gap. On SQLite there are no others."""
    if address.engine == "sqlite":
        yield
        return
    relay = Relay(connecting(address), Hub())
    with changes.announced_to(relay.announce):
        try:
            yield
        finally:
            await relay.flush()


@asynccontextmanager
async def carried(address: Address, listeners: Hub = hub) -> AsyncIterator[None]:
    """Within the block, in a process that serves, those who listen hear of the changes of all
    processes on the database, and are told to look for themselves where they may not have."""
    async with looking_again(listeners):
        if address.engine == "sqlite":
            yield
            return
        async with relaying(connecting(address), listeners):
            yield
