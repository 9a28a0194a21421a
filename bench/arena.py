"""Where peers are measured: one seeded PostgreSQL, one process of clients, one server at a time."""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench import archetypes, clients, cluster, cores, operations, seeding, servers, shots
from bench.cluster import Cluster
from bench.load import Tally
from bench.peers import configuration
from bench.servers import CannotServe, Peer, Server
from bench.shots import Kind
from server import clock, demo

Say = Callable[[str], None]
_COMPARED = 5
"""How many members' home screens must be the same from all before anything is measured."""
_READY_PER_SECOND = {Kind.HOME: 4_000, Kind.BALANCE: 15_000}
"""How many members' requests are made ahead, so that none comes twice within a measurement."""
_LONGEST_SECONDS = 120.0
_WARMING_SEED = 1_000_000
_SERVED_BY = Path(__file__).parent


class NotTheSame(Exception):
    """A peer answers something else; the message says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    members: int = 100_000
    rounds: int = 3
    seconds: float = 6
    warm_up_seconds: float = 2

    @classmethod
    def of(
        cls,
        *,
        is_quick: bool,
        members: int | None = None,
        rounds: int | None = None,
        seconds: float | None = None,
    ) -> "Plan":
        """What was asked for, and else what is usual, or quick."""
        usual = cls(2_000, 1, 2, 1) if is_quick else cls()
        return cls(
            members or usual.members,
            rounds or usual.rounds,
            seconds or usual.seconds,
            usual.warm_up_seconds,
        )


@dataclass(frozen=True, slots=True)
class Arena:
    """The database, the clients and who can be measured; made by `opened`."""

    plan: Plan
    cluster: Cluster
    url: str
    crowd: clients.Clients
    config: Path
    peers: Sequence[Peer]
    say: Say

    def ask(
        self, kind: Kind, servers_: Sequence[Server], *, seed: int, per_second: float | None = None
    ) -> Tally:
        """What the clients get from these servers, of which each gets its share, after a
        warm-up."""
        order = clients.Order(
            kind,
            [one.port for one in servers_],
            seed=seed,
            warm_up_seconds=self.plan.warm_up_seconds,
            seconds=self.plan.seconds,
            per_second=per_second,
            ready_count=self._ready_count(kind),
        )
        return self.crowd.measure(order)

    def ask_with_cost(
        self, kind: Kind, servers_: Sequence[Server], *, seed: int
    ) -> tuple[Tally, float]:
        """The same with the processor's milliseconds that the servers took for each answer, the
        warm-up left out."""
        order = clients.Order(
            kind,
            [one.port for one in servers_],
            seed=_WARMING_SEED + seed,
            warm_up_seconds=0,
            seconds=self.plan.warm_up_seconds,
            ready_count=self._ready_count(kind),
        )
        self.crowd.measure(order)
        before = sum(server.cpu_seconds for server in servers_)
        tally = self.crowd.measure(replace(order, seed=seed, seconds=self.plan.seconds))
        spent = sum(server.cpu_seconds for server in servers_) - before
        return tally, spent * 1000 / max(1, tally.answered * kind.weight)

    def ask_once(self, kind: Kind, server: Server, *, seed: int, members: int) -> Tally:
        """What the clients get if so many members ask once each, after others have warmed the
        server up: nothing can be answered from memory."""
        warming = Kind.HOME_RETURNING if kind is Kind.HOME else Kind.BALANCE_RETURNING
        order = clients.Order(
            warming,
            [server.port],
            seed=_WARMING_SEED + seed,
            warm_up_seconds=0,
            seconds=self.plan.warm_up_seconds,
        )
        self.crowd.measure(order)
        once = replace(
            order,
            kind=kind,
            seed=seed,
            seconds=_LONGEST_SECONDS,
            ready_count=members,
            is_once=True,
        )
        return self.crowd.measure(once)

    def _ready_count(self, kind: Kind) -> int:
        seconds = self.plan.seconds + self.plan.warm_up_seconds
        return int(_READY_PER_SECOND.get(kind, 0) * seconds) + 1

    @contextmanager
    def serving(self, peer: Peer, *, core: int | None = None) -> Iterator[Server]:
        """A fresh server of the peer's."""
        with servers.serving(peer, self.url, self.config, core=core) as server:
            yield server

    def driver_per_second(self, kind: Kind) -> float:
        """What the hand-written statement alone gets, through the driver."""
        command = [sys.executable, "-P", "-m", "bench.driver", kind.value, self.url]
        process = subprocess.Popen(  # noqa: S603 - a part of this package
            [*command, "--seconds", str(self.plan.seconds)], stdout=subprocess.PIPE, text=True
        )
        cores.pin(process.pid, cores.SERVER_CORE)
        said, _ = process.communicate(timeout=self.plan.seconds + 60)
        if process.returncode:
            raise CannotServe("the driver's measurement failed")
        return float(said)


@contextmanager
def opened(
    plan: Plan, console: Console, *, wanted: Sequence[Peer] = tuple(Peer)
) -> Iterator[Arena]:
    """Start everything, seed the database unless it is, and hold the peers' answers against
    Laurel's.

    Raises CannotStart, CannotServe, NotTheSame and Answered.
    """
    say = console.print
    with ExitStack() as stack:
        say("starting PostgreSQL with durable commits")
        running = stack.enter_context(cluster.running())
        name = seeded(running, Seed(plan.members), console)
        say(f"copying the database of {plan.members:,} members")
        url = stack.enter_context(running.copy(name))
        peers = available(wanted, say)
        yield stack.enter_context(entered(plan, running, url, peers, console))


def available(wanted: Sequence[Peer], say: Say) -> list[Peer]:
    """Those that can run here, with what they need installed. Raises CannotServe."""
    if not any(peer.is_of_node for peer in wanted):
        return list(wanted)
    if servers.has_node():
        servers.install_node()
        return list(wanted)
    say("Node 20 with npm is not here: Mercurius is left out, and so are the ratios")
    return [peer for peer in wanted if not peer.is_of_node]


@contextmanager
def entered(
    plan: Plan, running: Cluster, url: str, peers: Sequence[Peer], console: Console
) -> Iterator[Arena]:
    """The arena on a seeded database."""
    say = console.print
    with ExitStack() as stack:
        config = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "config.json"
        asyncio.run(configuration.write(url, config))
        crowd = stack.enter_context(clients.started(url))
        running.pin()
        stack.callback(running.unpin)
        arena = Arena(plan, running, url, crowd, config, peers, say)
        if len(peers) > 1:
            say("holding the peers' answers against Laurel's")
            compare(arena)
        running.checkpoint()
        yield arena


@dataclass(frozen=True, slots=True)
class Seed:
    """What a database is filled with."""

    members: int
    purchases_each: int = archetypes.PURCHASES
    is_lean: bool = False  # without what H, B and P don't read

    @property
    def name(self) -> str:
        """The database's name."""
        lean = "_lean" if self.is_lean else ""
        return f"seed_{_digest()}_{self.members}_{self.purchases_each}{lean}"

    async def fill(self, url: str, advance: Callable[[int], None]) -> None:
        """Fill an empty database."""
        await seeding.seed(
            url,
            self.members,
            purchases_each=self.purchases_each,
            is_lean=self.is_lean,
            advance=advance,
        )


def seeded(running: Cluster, seed: Seed, console: Console) -> str:
    """The name of the database, which is made with a bar unless it is there. Those of another day
    or another schema are dropped: their members last bought too long ago."""
    for other in running.names():
        is_seed = other.startswith("seed_")
        if other.startswith(("work_", "filling_")) or (
            is_seed and not other.startswith(f"seed_{_digest()}_")
        ):
            running.drop(other)
    if seed.name in running.names():
        return seed.name
    running.unpin()
    console.print(f"seeding {seed.members:,} members")
    columns = (TextColumn("Seeding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=seed.members)
        running.seeded(
            seed.name, lambda url: seed.fill(url, lambda count: progress.advance(task, count))
        )
    return seed.name


@lru_cache(maxsize=1)
def _digest() -> str:
    """What the seeded members follow from: this code, the schema, the programme and the day."""
    parts = [
        *(_SERVED_BY / f"{module}.py" for module in ("archetypes", "cloning", "seeding")),
        *sorted((_SERVED_BY.parent / "server" / "storage" / "migrations").glob("*.py")),
        demo.PROGRAMME_FILE,
    ]
    text = b"".join(part.read_bytes() for part in parts)
    today = clock.datetime_of(clock.now()).date().isoformat()
    return sha256(text + today.encode()).hexdigest()[:10]


def compare(arena: Arena) -> None:
    """Raise NotTheSame unless all peers show some members the same home screen, with as many
    leaves as is said, as Laurel does."""
    people = asyncio.run(shots.people_of(arena.url))
    count = len(people.people)
    chosen = random.Random(count).sample(range(count), min(count, _COMPARED))
    tokens = [people.token(position) for position in chosen]
    answers: dict[Peer, list[object]] = {}
    for peer in arena.peers:
        with arena.serving(peer) as server:
            answers[peer] = [
                servers.ask(server.port, operations.request(operations.body(document), token))
                for token in tokens
                for document in (operations.HOME, operations.BALANCE)
            ]
    data = {peer: [_data(answer) for answer in some] for peer, some in answers.items()}
    for peer in arena.peers:
        for ours, theirs in zip(data[Peer.LAUREL], data[peer], strict=True):
            if ours != theirs:
                raise NotTheSame(
                    f"{peer.value} answers {json.dumps(theirs)[:1500]}\nand Laurel"
                    f" {json.dumps(ours)[:1500]}"
                )
    shown = [operations.leaves(one) for one in data[Peer.LAUREL][::2]]
    arena.say(f"home screens of {min(shown)} to {max(shown)} leaves, the same from all")


def _data(answer: object) -> object:
    assert isinstance(answer, dict)
    if "errors" in answer:
        raise NotTheSame(str(answer["errors"])[:1500])
    return answer["data"]
