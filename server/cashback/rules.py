"""The arithmetic of cashback accrual: a rate on some spend, up to a cap a calendar month."""

from dataclasses import dataclass

from server.money import floor_basis_points


@dataclass(slots=True)
class Month:
    """What one member accrued, and lost to the cap, in one calendar month; minor units."""

    accrued_minor: int = 0
    capped_minor: int = 0


@dataclass(frozen=True, slots=True)
class Accrual:
    """What one purchase accrued, and what the cap cut off; minor units."""

    accrued_minor: int
    capped_minor: int


def accrue(month: Month, spend_minor: int, *, rate_bps: int, monthly_cap_minor: int) -> Accrual:
    """Add a purchase's cashback to its month; the last accrual before the cap may be partial.

    Rounding: the purchase's cashback is rounded down to the minor unit, once.
    """
    earned = floor_basis_points(spend_minor, rate_bps)
    accrued = min(earned, max(0, monthly_cap_minor - month.accrued_minor))
    month.accrued_minor += accrued
    month.capped_minor += earned - accrued
    return Accrual(accrued, earned - accrued)
