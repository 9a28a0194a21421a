"""What requests at a modest, fixed rate are answered in: p50 and p99, of Laurel and of its peers.

Requests are due at fixed instants, and each is timed from when it was due: a stall counts for all
that came in it.
"""

from dataclasses import dataclass, field
from typing import Any

from bench.arena import Arena
from bench.figures import in_order, quantile
from bench.load import Answered
from bench.servers import Peer
from bench.shots import Kind

RATES = {Kind.HOME: 20, Kind.BALANCE: 50, Kind.PURCHASE: 20}
PEERS = (Peer.LAUREL, Peer.LOADERS, Peer.SQL)


@dataclass(slots=True)
class Latencies:
    """What one operation was answered in, by peer and round."""

    kind: Kind
    seconds: dict[Peer, list[list[float]]] = field(default_factory=dict)

    def milliseconds(self, peer: Peer, per_mille: int) -> float:
        """What so many in a thousand of all rounds took."""
        taken = [one for some in self.seconds[peer] for one in some]
        return quantile(taken, per_mille) * 1000

    @property
    def is_reached(self) -> bool:
        """Whether Laurel's p99 is no worse than each peer's."""
        own = self.milliseconds(Peer.LAUREL, 990)
        return all(own <= self.milliseconds(peer, 990) for peer in self.seconds)


def measure(arena: Arena) -> list[Latencies]:
    """Measure all three. Raises Answered and CannotServe."""
    results = [Latencies(kind, {peer: [] for peer in arena.peers}) for kind in RATES]
    for number in range(arena.plan.rounds):
        for name in in_order(arena.peers, number):
            peer = Peer(name)
            arena.cluster.checkpoint()
            with arena.serving(peer) as server:
                for result in results:
                    rate = RATES[result.kind]
                    tally = arena.ask(result.kind, [server], seed=9000 + number, per_second=rate)
                    if not tally.latencies_seconds:
                        raise Answered(f"{peer.value} answered nothing at {rate} a second")
                    result.seconds[peer].append(tally.latencies_seconds)
            arena.say(f"latency, round {number + 1}: {peer.value}")
    return results


def as_text(result: Latencies) -> str:
    """One operation's result."""
    lines = [
        f"{result.kind.value} at {RATES[result.kind]} a second, each timed from when it was due."
    ]
    lines += [
        f"  {peer.value:<26} p50 {result.milliseconds(peer, 500):6.1f} ms,"
        f" p99 {result.milliseconds(peer, 990):6.1f} ms"
        for peer in result.seconds
    ]
    said = "reached" if result.is_reached else "NOT reached"
    return "\n".join([*lines, f"  asked: a p99 no worse than theirs: {said}"])


def as_json(result: Latencies) -> dict[str, Any]:
    """The same for programs."""
    return {
        "operation": result.kind.value,
        "perSecond": RATES[result.kind],
        "isReached": result.is_reached,
        "peers": {
            peer.value: {
                "p50Milliseconds": result.milliseconds(peer, 500),
                "p99Milliseconds": result.milliseconds(peer, 990),
            }
            for peer in result.seconds
        },
    }
