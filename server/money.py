"""Money and points as integers: asset codes, minor units, rates and their named roundings.

Amounts are integers in minor units; the asset code stands beside them. How many minor units a
currency has, the programme says.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from babel.core import get_global

POINTS = "POINTS"
"""The asset code of loyalty points; every other asset is an ISO 4217 currency code."""

BASIS_POINTS_PER_UNIT = 10_000
PERCENT_PER_UNIT = 100


@lru_cache(maxsize=1)
def currency_codes() -> frozenset[str]:
    """The ISO 4217 codes of all currencies that are legal tender somewhere today (CLDR)."""
    return frozenset(
        code
        for used in get_global("territory_currencies").values()
        for code, _start, end, is_tender in used
        if end is None and is_tender
    )


def decimal_of(amount_minor: int, digits: int) -> Decimal:
    """The exact decimal of an amount: 1234 with 2 digits is 12.34."""
    return Decimal(amount_minor).scaleb(-digits)


def floor_share(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded towards minus infinity (floor)."""
    return amount * numerator // denominator


def floor_basis_points(amount_minor: int, rate_bps: int) -> int:
    """The share of `rate_bps` basis points, rounded down to the minor unit."""
    return floor_share(amount_minor, rate_bps, BASIS_POINTS_PER_UNIT)


def split_in_proportion(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount in parts that are in proportion to the weights, and add up to it exactly.

    Rounding by the largest remainder: each part is rounded down, and the units that are left go
    one by one to the parts that lost most by it, of equals to the first. No weight is below 0; an
    amount of 0 needs none above it.
    """
    total = sum(weights)
    if not total:
        assert not amount, "only nothing can be split among nothing"
        return [0] * len(weights)
    if len(weights) == 1:
        return [amount]
    parts = [amount * weight // total for weight in weights]
    unsplit = amount - sum(parts)
    if unsplit:
        lost = [-(amount * weight % total) for weight in weights]
        for place in sorted(range(len(weights)), key=lost.__getitem__)[:unsplit]:
            parts[place] += 1
    return parts
