"""The limit: the hand-written statements through the driver alone, without HTTP or GraphQL.

    python -m bench.driver home|balance|purchase URL --seconds N

Ten clients, each with a connection, in one process; it prints how many statements a second it got.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncpg
from uvicorn.loops.auto import auto_loop_factory

from bench.servers import PEERS
from server import clock

CLIENTS = 10
_WARM_UP_SECONDS = 1.0
_LINES_READ = 41
_ZONE = "America/New_York"

Draw = Callable[[random.Random], tuple[Any, ...]]


def _draws(kind: str, members: list[tuple[int, str]]) -> Draw:
    today = clock.local_day(clock.now(), _ZONE)
    starts = [clock.start_of_week(today), clock.start_of_month(today)]

    def draw(chance: random.Random) -> tuple[Any, ...]:
        member_id, external_id = members[int(chance.random() * len(members))]
        if kind == "home":
            return (member_id, starts, min(starts) - 31, clock.month_of(today), _LINES_READ)
        if kind == "balance":
            return (member_id, clock.now())
        return (external_id, 100, clock.now())

    return draw


async def measure(kind: str, url: str, seconds: float) -> float:
    """Statements a second."""
    # psycopg's and node-postgres's types follow from the columns; asyncpg wants to be told.
    statement = (PEERS / "node" / f"{kind}.sql").read_text(encoding="utf-8")
    statement = statement.replace("$2, a.balance", "$2::bigint, a.balance")
    pool = await asyncpg.create_pool(url, min_size=CLIENTS, max_size=CLIENTS)
    rows = await pool.fetch("SELECT id, external_id FROM members")
    draw = _draws(kind, [(row[0], row[1]) for row in rows])
    start = time.perf_counter() + _WARM_UP_SECONDS
    end = start + seconds
    done = 0

    async def client(number: int) -> None:
        nonlocal done
        chance = random.Random(number + time.monotonic_ns())
        async with pool.acquire() as connection:
            prepared = await connection.prepare(statement)
            while (now := time.perf_counter()) < end:
                await prepared.fetch(*draw(chance))
                done += now >= start

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    await pool.close()
    return done / seconds


def main() -> None:
    """Measure, and print the rate."""
    kind, url, _option, seconds = sys.argv[1:5]
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        sys.stdout.write(f"{runner.run(measure(kind, url, float(seconds)))}\n")


if __name__ == "__main__":
    main()
