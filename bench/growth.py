"""Whether an operation costs the same among few members and among many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from bench import arena as arenas
from bench import cluster
from bench.arena import Arena, Plan, Seed
from bench.figures import Spread, in_order, ratios
from bench.servers import Peer
from bench.shots import Kind

ASKED = 1.3
KINDS = (Kind.HOME, Kind.BALANCE, Kind.PURCHASE)
_KIB_PER_PURCHASE = 1.8
"""What a member takes on the disk for each purchase that they made, all that follows included."""
_SPARE_MIB = 5_000


@dataclass(slots=True)
class Grown:
    """One operation among few and among many members, round by round."""

    kind: Kind
    few: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> Spread:
        """How many times as long it takes among many."""
        return Spread.of(ratios(self.few, self.many))


@dataclass(frozen=True, slots=True)
class Sizes:
    """The two databases; many members have longer histories as well."""

    few: Seed
    many: Seed

    @classmethod
    def of(cls, few: int, many: int, *, purchases_each: int) -> "Sizes":
        """So many members each; the many have made `purchases_each` on average."""
        return cls(Seed(few, is_lean=True), Seed(many, purchases_each, is_lean=True))


def lacking_mib(running: cluster.Cluster, seed: Seed) -> int:
    """How much disk is missing for the database; 0 or less if there is enough, or it is there."""
    if seed.name in running.names():
        return 0
    needed = int(seed.members * seed.purchases_each * _KIB_PER_PURCHASE / 1024)
    return needed + _SPARE_MIB - running.free_mib()


def measure(
    plan: Plan, sizes: Sizes, console: Console, *, keeps: bool = False
) -> list[Grown] | None:
    """Measure, or say what is lacking; both databases are dropped at the end unless kept. Raises
    what `arena.opened` does."""
    results = [Grown(kind) for kind in KINDS]
    with cluster.running() as running:
        lacking = lacking_mib(running, sizes.many)
        if lacking > 0:
            console.print(
                f"growth is left out: {lacking:,} MiB of disk are lacking for"
                f" {sizes.many.members:,} members"
            )
            return None
        for seed in (sizes.few, sizes.many):
            arenas.seeded(running, seed, console)
        for number in range(plan.rounds):
            for name in in_order(["few", "many"], number):
                seed = getattr(sizes, name)
                with _entered(plan, running, seed, console) as arena:
                    for result in results:
                        rate = _rate(arena, result.kind, number, sizes.few.members)
                        getattr(result, name).append(rate)
            console.print(f"growth, round {number + 1}")
        if not keeps:
            running.drop(sizes.few.name)
            running.drop(sizes.many.name)
    return results


@contextmanager
def _entered(plan: Plan, running: cluster.Cluster, seed: Seed, console: Console) -> Iterator[Arena]:
    """The arena on the seeded database itself: a copy of a large one would take its size again.
    Purchases that are recorded stay in it."""
    with arenas.entered(plan, running, running.url(seed.name), [Peer.LAUREL], console) as arena:
        yield arena


def _rate(arena: Arena, kind: Kind, number: int, members: int) -> float:
    arena.cluster.checkpoint()
    with arena.serving(Peer.LAUREL) as server:
        if kind is Kind.PURCHASE:
            return arena.ask(kind, [server], seed=5000 + number).per_second
        return arena.ask_once(kind, server, seed=5000 + number, members=members).per_second


def as_text(results: list[Grown], sizes: Sizes) -> str:
    """The result for a terminal."""
    lines = [
        f"growth: {sizes.few.members:,} members against {sizes.many.members:,}, who made"
        f" {sizes.few.purchases_each} and {sizes.many.purchases_each} purchases each (about two"
        " postings a purchase). Reads are of as many members on both sides, each once, so that"
        " none is answered from memory."
    ]
    for result in results:
        few, many, ratio = Spread.of(result.few), Spread.of(result.many), result.ratio
        said = "reached" if ratio.median <= ASKED else "NOT reached"
        lines.append(
            f"  {result.kind.value:<10} {few.median:>8,.0f} /s among few, {many.median:>8,.0f} /s"
            f" among many: {ratio.median:.2f} times as long ({ratio.least:.2f} to {ratio.most:.2f})"
            f"   asked at most {ASKED}: {said}"
        )
    return "\n".join(lines)


def as_json(results: list[Grown], sizes: Sizes) -> dict[str, Any]:
    """The same for programs."""
    return {
        "fewMembers": sizes.few.members,
        "manyMembers": sizes.many.members,
        "purchasesEach": [sizes.few.purchases_each, sizes.many.purchases_each],
        "asked": ASKED,
        "operations": {
            one.kind.value: {"few": one.few, "many": one.many, "ratio": one.ratio.median}
            for one in results
        },
    }
