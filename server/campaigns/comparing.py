"""What a campaign has brought about, against members who were held out, in whole numbers.

The difference of two shares has the interval of Newcombe (1998, his method 10): each share's own
interval by Wilson's score, put together. It holds for small groups and for shares near 0 and 1,
where the textbook's interval does not.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from server.campaigns.documents import WHOLE_BPS

METHOD = "Newcombe's hybrid score interval of a difference of proportions, 95 %"
_Z = Decimal("1.959963984540054")
"""The 97.5th percentile of the normal distribution."""


class Uplift(Struct, frozen=True):
    """By how much the share of one group is above that of another: in basis points, 100 of which
    are one percentage point; the true difference lies between `low_bps` and `high_bps` in 95 of
    100 such comparisons."""

    bps: int  # to the nearest, ties to even
    low_bps: int  # rounded down
    high_bps: int  # rounded up


def share_bps(part: int, whole: int) -> int | None:
    """The part in basis points, rounded down; None of nothing."""
    return part * WHOLE_BPS // whole if whole else None


def uplift(*, reached: int, members: int, held_reached: int, held_out: int) -> Uplift | None:
    """How much more often who gets the campaign reaches its goal; None where a group is empty."""
    if not members or not held_out:
        return None
    share, low, high = _wilson(reached, members)
    held_share, held_low, held_high = _wilson(held_reached, held_out)
    difference = share - held_share
    below = ((share - low) ** 2 + (held_high - held_share) ** 2).sqrt()
    above = ((high - share) ** 2 + (held_share - held_low) ** 2).sqrt()
    return Uplift(
        _bps(difference, ROUND_HALF_EVEN),
        max(-WHOLE_BPS, _bps(difference - below, ROUND_FLOOR)),
        min(WHOLE_BPS, _bps(difference + above, ROUND_CEILING)),
    )


def _wilson(part: int, whole: int) -> tuple[Decimal, Decimal, Decimal]:
    """A share, and its interval by Wilson's score."""
    share, count, square = Decimal(part) / whole, Decimal(whole), _Z * _Z
    centre = share + square / (2 * count)
    spread = _Z * (share * (1 - share) / count + square / (4 * count * count)).sqrt()
    width = 1 + square / count
    low, high = (centre - spread) / width, (centre + spread) / width
    return share, Decimal(0) if part == 0 else low, Decimal(1) if part == whole else high


def _bps(share: Decimal, rounding: str) -> int:
    return int((share * WHOLE_BPS).to_integral_value(rounding=rounding))
