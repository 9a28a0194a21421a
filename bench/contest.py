"""Requests in a second: Laurel and its peers in turn, round by round, each with a fresh server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.arena import Arena
from bench.figures import Spread, in_order, quantile, ratios
from bench.load import Answered
from bench.servers import Peer
from bench.shots import Kind


@dataclass(frozen=True, slots=True)
class Claim:
    """What is measured, and the ratios that are asked for."""

    kind: Kind
    letter: str
    what: str
    against_jit: float
    against_best: float

    @property
    def peers_kind(self) -> Kind:
        """What the peers do meanwhile: they have no batches, so each purchase is a request."""
        return Kind.PURCHASE if self.kind is Kind.BATCH else self.kind


CLAIMS = {
    claim.kind: claim
    for claim in (
        Claim(
            Kind.HOME,
            "H",
            "the home screen of about 190 leaves, of members drawn at random, sent as full text",
            2.0,
            1.0,
        ),
        Claim(
            Kind.BALANCE,
            "B",
            "`me { points { available } }` of members drawn at random, sent as full text",
            1.0,
            1.0,
        ),
        Claim(
            Kind.PURCHASE,
            "P",
            "recordPurchase of two lines by the whole demo programme; the peers add two rows to a"
            " ledger",
            1.0,
            0.6,
        ),
        Claim(
            Kind.BATCH,
            "P in batches",
            "purchases by recordPurchases of 100 each, from 8 clients; the peers, from 32, add two"
            " rows for each request",
            5.0,
            3.0,
        ),
        Claim(
            Kind.HOME_RETURNING,
            "H returning",
            "the home screen of 200 members who come back again and again",
            5.0,
            3.0,
        ),
        Claim(
            Kind.BALANCE_RETURNING,
            "B returning",
            "`me { points { available } }` of 200 members who come back again and again",
            2.0,
            2.0,
        ),
    )
}
_DRIVEN = (Kind.HOME, Kind.BALANCE, Kind.PURCHASE)


@dataclass(slots=True)
class Measured:
    """What one side gave, round by round."""

    per_second: list[float] = field(default_factory=list)
    latencies_seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    cpu_milliseconds: list[float] = field(default_factory=list)  # of the server, for each answer

    def milliseconds(self, per_mille: int) -> float:
        """What so many in a thousand requests were answered in."""
        return quantile(self.latencies_seconds, per_mille) * 1000


@dataclass(slots=True)
class Result:
    """One operation's measurement."""

    claim: Claim
    measured: dict[Peer, Measured]
    driver_per_second: list[float] = field(default_factory=list)

    @property
    def best(self) -> Peer | None:
        """Which form of Mercurius is the faster one, by the medians; None without any."""
        rates = {
            peer: Spread.of(one.per_second).median
            for peer, one in self.measured.items()
            if peer.is_of_node
        }
        return max(rates, key=lambda peer: rates[peer]) if rates else None

    def cost_ratio(self, peer: Peer) -> Spread:
        """The processor's time that the peer's server takes for an answer over what Laurel's does:
        the ratio of rates where the server's core is the limit, and hardly disturbed by what else
        a machine does."""
        ours = self.measured[Peer.LAUREL].cpu_milliseconds
        return Spread.of(ratios(self.measured[peer].cpu_milliseconds, ours))

    def ratio(self, peer: Peer) -> Spread:
        """Laurel's rate over the peer's, round by round."""
        ours = self.measured[Peer.LAUREL].per_second
        return Spread.of(ratios(ours, self.measured[peer].per_second))


def measure(arena: Arena, kind: Kind) -> Result:
    """Measure the operation. Raises Answered for errors in answers, or none, and CannotServe."""
    claim = CLAIMS[kind]
    peers = [peer for peer in arena.peers if peer is not Peer.STOCK or claim.kind in _DRIVEN]
    result = Result(claim, {peer: Measured() for peer in peers})
    for number in range(arena.plan.rounds):
        seed = number + 1
        for name in in_order(peers, number):
            peer = Peer(name)
            _round(arena, claim, peer, seed, result.measured[peer])
        if claim.kind in _DRIVEN:
            result.driver_per_second.append(arena.driver_per_second(claim.kind))
        arena.say(f"{claim.letter}, round {seed}: {_last(result.measured)}")
    return result


def _round(arena: Arena, claim: Claim, peer: Peer, seed: int, into: Measured) -> None:
    kind = claim.kind if peer is Peer.LAUREL else claim.peers_kind
    unique = seed * 1000 + list(Kind).index(claim.kind) * 10 + list(Peer).index(peer)
    arena.cluster.checkpoint()
    with arena.serving(peer) as server:
        tally, cost = arena.ask_with_cost(kind, [server], seed=unique)
        into.cpu_milliseconds.append(cost)
        if not tally.latencies_seconds:
            raise Answered(f"{peer.value} answered nothing within {tally.seconds:g} s: take more")
        into.per_second.append(tally.per_second * kind.weight)
        into.latencies_seconds += tally.latencies_seconds
        into.peak_mib = max(into.peak_mib, server.peak_mib)


def _last(measured: Mapping[Peer, Measured]) -> str:
    return ", ".join(f"{peer.value} {one.per_second[-1]:,.0f}" for peer, one in measured.items())
