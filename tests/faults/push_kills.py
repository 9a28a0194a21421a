"""A campaign that is sent by a worker which is killed again and again, and what came of it.

`python -m tests.faults.push_kills [--tokens 100000] [--kills 20] [--postgres]` tells the figures.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.notifications import writing
from server.storage import migrate, sql
from server.storage.database import Address, opened
from tests.fcm import FcmProcess, busiest, running
from tests.notifications.posting import DAY, NOON, counted, draft, run, willing
from tests.postgres import create_database
from tests.postgres import running as postgres_running
from tests.serving.servers import CHECKOUT, environment

LEASE_SECONDS = 2
MEMBERS_AT_ONCE = 5_000
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Outcome:
    """What came of a campaign."""

    tokens: int
    kills: int
    shown: Counter[str]
    """How often each phone has shown it."""
    statuses: dict[str, int]
    busiest_minute: int
    seconds: float

    @property
    def in_doubt(self) -> int:
        """What nobody knows of, as it is counted."""
        return self.statuses.get("in_doubt", 0)

    @property
    def attempted_percent(self) -> float:
        """Of the tokens, those that FCM was asked for."""
        return 100 * len(self.shown) / self.tokens

    def told(self) -> str:
        """In a few lines."""
        twice = sum(times > 1 for times in self.shown.values())
        return (
            f"{self.tokens} tokens, {self.kills} kills, {self.seconds:.0f} s:"
            f" {twice} got it twice; {self.attempted_percent:.3f} % attempted;"
            f" {self.statuses}; busiest minute {self.busiest_minute}"
        )


async def campaign(address: Address, tokens: int) -> None:
    """A campaign that is due to so many members with a device each."""
    async with opened(address):
        run_id = await run()
        for _ in range(0, tokens, MEMBERS_AT_ONCE):
            members = await willing(min(tokens, MEMBERS_AT_ONCE))
            async with sql.transaction():
                await writing.write(
                    [draft(one, run_id=run_id, lasts=2 * DAY) for one in members], NOON
                )


@contextmanager
def worker(address: Address, fcm: FcmProcess) -> Iterator["subprocess.Popen[str]"]:
    """One that is ready and waits to be told to begin; it does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.faults.push_worker"],
        cwd=CHECKOUT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def begin(told: dict[str, Any], *processes: "subprocess.Popen[str]") -> None:
    """Let them begin, once all are ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()


def killed_again_and_again(
    address: Address, folder: Path, *, tokens: int, kills: int, seed: int
) -> Outcome:
    """Send a campaign by workers of which so many are killed, each at a moment of chance."""
    chance = random.Random(seed)
    asyncio.run(campaign(address, tokens))
    folder.mkdir(exist_ok=True)
    with running(folder, is_logged=True) as fcm:
        told = {
            "database": (address.engine, address.location),
            "credentials": str(fcm.credentials),
            "url": fcm.url,
            "lease_seconds": LEASE_SECONDS,
            "now": NOON,
        }
        began = time.monotonic()
        moments = sorted(chance.sample(range(1, tokens * 9 // 10), kills))
        for moment in moments:
            with worker(address, fcm) as process:
                begin(told, process)
                _wait_for(fcm, process, moment)
                time.sleep(chance.uniform(0, 0.05))
                process.kill()
                process.wait()
        with worker(address, fcm) as process:
            begin(told, process)
            assert process.wait(PATIENCE_SECONDS) == 0
        took = time.monotonic() - began
        lines = fcm.lines()
    statuses = asyncio.run(_statuses(address))
    return Outcome(
        tokens=tokens,
        kills=kills,
        shown=Counter(line["token"] for line in lines if line["is_delivered"]),
        statuses=statuses,
        busiest_minute=busiest(sorted(line["at"] for line in lines), 60.0),
        seconds=took,
    )


def _wait_for(fcm: FcmProcess, process: "subprocess.Popen[str]", count: int) -> None:
    """Until FCM has been asked for so many messages."""
    until = time.monotonic() + PATIENCE_SECONDS
    while fcm.tell()["count"] < count:
        assert process.poll() is None, "the worker has ended"
        assert time.monotonic() < until, "the worker does not get on"
        time.sleep(0.002)


async def _statuses(address: Address) -> dict[str, int]:
    async with opened(address):
        found: Counter[str] = Counter()
        for (status, _reason), count in (await counted()).items():
            found[status] += count
        return dict(found)


async def _migrated(address: Address) -> None:
    async with opened(address):
        await migrate.apply_pending()


def main() -> None:
    """Tells the figures of one campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if told.postgres:
            with postgres_running(is_durable=True) as server:
                _measure(Address("postgres", create_database(server)), folder, told)
        else:
            _measure(Address("sqlite", str(folder / "laurel.sqlite3")), folder, told)


def _measure(address: Address, folder: Path, told: argparse.Namespace) -> None:
    asyncio.run(_migrated(address))
    outcome = killed_again_and_again(
        address, folder / "fcm", tokens=told.tokens, kills=told.kills, seed=told.seed
    )
    print(address.engine, outcome.told())


if __name__ == "__main__":
    main()
