"""Money and points as integers: asset codes, minor units, rates and their named roundings.

Amounts are integers in minor units; the asset code stands beside them. The number of minor units
of a currency is ISO 4217's (through the CLDR data of Babel), unless the programme names its own.
"""

from decimal import Decimal
from functools import lru_cache

from babel.numbers import get_currency_precision, list_currencies

POINTS = "POINTS"
"""The asset code of loyalty points; every other asset is an ISO 4217 currency code."""

BASIS_POINTS_PER_UNIT = 10_000
PERCENT_PER_UNIT = 100
MAXIMUM_AMOUNT = 10**15
"""No single amount and no sum may exceed this; it leaves room for thousands of them in 64 bits."""


@lru_cache(maxsize=1)
def currency_codes() -> frozenset[str]:
    """All ISO 4217 codes that are known, historical ones included."""
    return frozenset(list_currencies())


@lru_cache(maxsize=512)
def minor_unit_digits(currency: str) -> int:
    """How many decimals the currency's major unit has: 2 for USD, 0 for JPY, 3 for TND."""
    return int(get_currency_precision(currency))


def decimal_of(amount_minor: int, digits: int) -> Decimal:
    """The exact decimal of an amount: 1234 with 2 digits is 12.34."""
    return Decimal(amount_minor).scaleb(-digits)


def floor_share(amount: int, numerator: int, denominator: int) -> int:
    """`amount * numerator / denominator`, rounded towards minus infinity (floor)."""
    return amount * numerator // denominator


def floor_basis_points(amount_minor: int, rate_bps: int) -> int:
    """The share of `rate_bps` basis points, rounded down to the minor unit."""
    return floor_share(amount_minor, rate_bps, BASIS_POINTS_PER_UNIT)
