"""The claim: telling other processes of each commit costs the commits nothing.

Clients commit small transactions on PostgreSQL with durable commits in three ways, in turn: telling
nobody, with a NOTIFY in each transaction, and as the product does it, with the changes of some
milliseconds in one NOTIFY of its own. Another process listens, and says how long after the commit
it heard of each.
"""

import asyncio
import multiprocessing
import time
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path

import asyncpg

from bench.figures import Spread, in_order, quantile, ratios
from bench.ledger import Say, durable_database
from bench.limits import check_on_disk, sync_milliseconds
from server.integrations.live import Hub
from server.integrations.live_postgres import CHANNEL, announced_in, connecting, relaying
from server.storage.changes import MEMBER
from server.storage.database import Address

_ROWS = 8  # that a transaction writes, as a purchase of few lines does
_TABLE = "CREATE TABLE moved (id BIGINT GENERATED ALWAYS AS IDENTITY, member BIGINT, amount BIGINT)"
_INSERT = "INSERT INTO moved (member, amount) SELECT $1, n FROM generate_series(1, $2) n"
_LAST_SECONDS = 2.0  # for the last notification to arrive


class Telling(StrEnum):
    """How the others are told."""

    NOBODY = "telling nobody"
    EACH = "a NOTIFY in each transaction"
    BATCHED = "one NOTIFY for all of some ms"


@dataclass(slots=True)
class Measured:
    """What one way gave, round by round."""

    per_second: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)  # from commit to hearing, in seconds
    notifications: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured."""

    clients: int
    rounds: int
    seconds: int
    sync_milliseconds: float
    measured: dict[Telling, Measured]

    @property
    def text(self) -> str:
        """The result for a terminal."""
        lines = [
            f"{self.clients} clients, {self.rounds} interleaved rounds of {self.seconds} s;"
            f" writing 8 KiB and fdatasync: {self.sync_milliseconds:.3f} ms.",
            "",
        ]
        nobody = self.measured[Telling.NOBODY].per_second
        for way, one in self.measured.items():
            rate, ratio = Spread.of(one.per_second), Spread.of(ratios(one.per_second, nobody))
            line = (
                f"  {way.value:<32} {rate.median:>7,.0f} commits/s"
                f" ({rate.least:,.0f} to {rate.most:,.0f})  RATIO {ratio.median:.2f}"
            )
            if one.delays:
                p50, p99 = (quantile(one.delays, mille) * 1000 for mille in (500, 990))
                commits = sum(one.per_second) * self.seconds / max(1, one.notifications)
                line += f"  heard after p50 {p50:.0f} ms, p99 {p99:.0f} ms"
                line += f"; {commits:.1f} commits a notification"
            lines.append(line)
        return "\n".join(lines)


def measure(*, clients: int, rounds: int, seconds: int, say: Say) -> Result:
    """Start PostgreSQL and measure; `say` is told what goes on. Raises CannotStart, NotOnDisk."""
    say("starting PostgreSQL with durable commits")
    with durable_database() as url:
        folder = Path(asyncio.run(_prepare(url))).parent
        check_on_disk(folder)
        measured = {way: Measured() for way in Telling}
        for number in range(-1, rounds):
            for name in in_order(list(Telling), number):
                way = Telling(name)
                told = asyncio.run(_round(url, way, clients, seconds))
                which = f"round {number + 1} of {rounds}" if number >= 0 else "warm-up"
                say(f"{which}: {told.commits / seconds:.0f} commits/s, {way.value}")
                if number >= 0:
                    measured[way].per_second.append(told.commits / seconds)
                    measured[way].delays += told.delays
                    measured[way].notifications += told.notifications
        return Result(clients, rounds, seconds, sync_milliseconds(folder), measured)


async def _prepare(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TABLE)
        return str(await connection.fetchval("SHOW data_directory"))
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class _Told:
    commits: int
    delays: list[float]
    notifications: int


async def _round(url: str, way: Telling, clients: int, seconds: int) -> _Told:
    ours, theirs = multiprocessing.Pipe()
    listener = multiprocessing.get_context("spawn").Process(target=_listen, args=(url, theirs))
    listener.start()
    await asyncio.to_thread(ours.recv)
    committed: dict[int, float] = {}
    hub = Hub(hears_this_process=False)
    async with relaying(connecting(Address("postgres", url)), hub) as relay:
        await relay.connected.wait()
        end = time.monotonic() + seconds

        async def work(client: int) -> None:
            connection = await asyncpg.connect(url)
            number = client
            while time.monotonic() < end:
                number += clients
                async with connection.transaction():
                    await connection.execute(_INSERT, number, _ROWS)
                    if way is Telling.EACH:
                        told = f"{MEMBER}:{number}"
                        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, told)
                committed[number] = time.monotonic()
                if way is Telling.BATCHED:
                    relay.announce({(MEMBER, number)})
            await connection.close()

        await asyncio.gather(*(work(client) for client in range(clients)))
        if way is not Telling.NOBODY:
            await asyncio.sleep(_LAST_SECONDS)
    ours.send(None)
    heard, notifications = await asyncio.to_thread(ours.recv)
    await asyncio.to_thread(listener.join)
    delays = [max(0.0, heard[one] - at) for one, at in committed.items() if one in heard]
    return _Told(len(committed), delays, notifications)


def _listen(url: str, pipe: Connection) -> None:
    """The other process: when it heard of which number."""

    async def listen() -> None:
        heard: dict[int, float] = {}
        notifications = 0

        def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            nonlocal notifications
            notifications += 1
            now = time.monotonic()
            heard.update((number, now) for _topic, number in announced_in(str(payload)) or ())

        connection = await asyncpg.connect(url)
        await connection.add_listener(CHANNEL, hear)
        pipe.send(None)
        await asyncio.to_thread(pipe.recv)
        pipe.send((heard, notifications))
        await connection.close()

    asyncio.run(listen())
