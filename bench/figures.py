"""The figures of a measurement: medians, spreads and ratios of what several rounds gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """What some rounds gave: the median, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value. Raises ValueError for none."""
        if not values:
            raise ValueError("no round was measured")
        return cls(median(values), min(values), max(values))


def quantile(values: Sequence[float], per_mille: int) -> float:
    """The least of the values that at least `per_mille` in a thousand do not exceed.

    Raises ValueError for no values, or a `per_mille` outside 1 to 1000.
    """
    if not values or not 1 <= per_mille <= 1000:
        raise ValueError("a quantile needs values and 1 to 1000 in a thousand")
    ordered = sorted(values)
    return ordered[-(-len(ordered) * per_mille // 1000) - 1]


def ratios(ours: Sequence[float], peers: Sequence[float]) -> list[float]:
    """Ours over the peer's, round by round. Raises ValueError where the peer did nothing, or the
    numbers of rounds differ."""
    if not all(peers):
        raise ValueError("the peer did nothing in one of the rounds")
    return [own / other for own, other in zip(ours, peers, strict=True)]


def in_order(names: Sequence[str], round_number: int) -> list[str]:
    """The order in which a round measures: forwards and backwards in turn, so that none always
    comes after the same one."""
    return list(names) if round_number % 2 == 0 else list(reversed(names))
