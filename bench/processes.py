"""Two server processes on two cores against one: how much more they answer, and at what cost.

The database and the clients run on the same two cores, in both situations, so the rate can't double
here; what an answer takes of a processor's time says whether the processes hinder each other.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench import cores
from bench.arena import Arena
from bench.figures import Spread, in_order, ratios
from bench.servers import Peer, Server
from bench.shots import Kind

ASKED = 1.6
KINDS = (Kind.HOME, Kind.PURCHASE)


@dataclass(slots=True)
class Scaled:
    """One operation with one process and with two, round by round."""

    kind: Kind
    per_second: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: []})
    cpu_milliseconds: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: []})

    @property
    def ratio(self) -> Spread:
        """The rate of two over that of one."""
        return Spread.of(ratios(self.per_second[2], self.per_second[1]))

    @property
    def cost(self) -> Spread:
        """A processor's time for an answer with one process over that with two: 1 if they don't
        hinder each other."""
        return Spread.of(ratios(self.cpu_milliseconds[1], self.cpu_milliseconds[2]))


def measure(arena: Arena) -> list[Scaled]:
    """Measure both operations. Raises Answered and CannotServe."""
    arena.cluster.unpin()
    results = [Scaled(kind) for kind in KINDS]
    for number in range(arena.plan.rounds):
        for name in in_order(["1", "2"], number):
            count = int(name)
            with ExitStack() as stack:
                some = [
                    stack.enter_context(
                        arena.serving(Peer.LAUREL, core=(cores.SERVER_CORE, cores.OTHER_CORE)[core])
                    )
                    for core in range(count)
                ]
                for result in results:
                    _round(arena, result, some, seed=6000 + number * 10 + count)
        arena.say(f"processes, round {number + 1}")
    arena.cluster.pin()
    return results


def _round(arena: Arena, result: Scaled, some: list[Server], *, seed: int) -> None:
    tally, cost = arena.ask_with_cost(result.kind, some, seed=seed)
    result.per_second[len(some)].append(tally.per_second)
    result.cpu_milliseconds[len(some)].append(cost)


def as_text(result: Scaled) -> str:
    """One operation's result."""
    lines = [
        f"processes, {result.kind.value}: two server processes on two cores against one; the"
        " database and the clients share these cores."
    ]
    for count, rates in result.per_second.items():
        rate, cost = Spread.of(rates), Spread.of(result.cpu_milliseconds[count])
        lines.append(
            f"  {count} process{'es' if count > 1 else '  '} {rate.median:>8,.0f} /s"
            f" ({rate.least:,.0f} to {rate.most:,.0f}), {cost.median:.2f} ms of a core for each"
        )
    ratio, cost = result.ratio, result.cost
    said = "reached" if ratio.median >= ASKED else "NOT reached"
    lines.append(
        f"  RATIO {ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})   asked {ASKED}:"
        f" {said}; an answer costs {1 / cost.median:.2f} times as much of a core"
    )
    return "\n".join(lines)


def as_json(result: Scaled) -> dict[str, Any]:
    """The same for programs."""
    return {
        "operation": result.kind.value,
        "perSecond": {str(count): rates for count, rates in result.per_second.items()},
        "cpuMilliseconds": {str(count): some for count, some in result.cpu_milliseconds.items()},
        "ratio": result.ratio.median,
        "asked": ASKED,
    }
