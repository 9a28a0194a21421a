"""Who bears what of a reward: exact splits among partners and the operator."""

from collections.abc import Sequence

from server.money import BASIS_POINTS_PER_UNIT, floor_share, split_in_proportion
from server.partners.documents import Share

OPERATOR = ""
"""The operator's name among the parties."""
POINTS_PER_VALUE = 1000


def parties(shares: Sequence[Share]) -> list[str]:
    """Who shares: the partners in their order, then the operator."""
    return [*(share.partner for share in shares), OPERATOR]


def parts(whole: int, shares: Sequence[Share]) -> list[int]:
    """The parts of the parties, in their order; together exactly the whole.

    Rounding by the largest remainder (`money.split_in_proportion`), of equals the first; what is
    below 0 is split as its opposite.
    """
    weights = [share.share_bps for share in shares]
    weights.append(BASIS_POINTS_PER_UNIT - sum(weights))
    split = split_in_proportion(abs(whole), weights)
    return split if whole >= 0 else [-part for part in split]


def points_value_minor(points: int, *, point_value_minor_per_1000: int) -> int:
    """What points are worth in the books, rounded down to the minor unit."""
    return floor_share(points, point_value_minor_per_1000, POINTS_PER_VALUE)
