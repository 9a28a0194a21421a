"""The arithmetic of cashback accrual: a rate on some spend, up to a cap in each span of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from server import clock
from server.clock import LocalDay
from server.money import floor_basis_points
from server.programme.document import CapPeriod, Cashback

LIFETIME_START = LocalDay(0)
"""What stands for the start of the one span that has none."""


@dataclass(slots=True)
class Month:
    """What one member accrued, and lost to the caps, in one calendar month; minor units."""

    accrued_minor: int = 0
    capped_minor: int = 0


@dataclass(slots=True)
class Period:
    """What one member accrued in one span of time that has a cap of its own; minor units."""

    accrued_minor: int = 0


@dataclass(frozen=True, slots=True)
class Accrual:
    """What one purchase accrued, and what the caps cut off; minor units."""

    accrued_minor: int
    capped_minor: int


def period_start(period: CapPeriod, day: LocalDay) -> LocalDay:
    """The first local day of the span that the day lies in; LIFETIME_START for the lifetime.

    Days, weeks (from Monday), months and years are those of the calendar that the day is of.
    """
    if period == "calendar_day":
        return day
    if period == "calendar_week":
        return clock.start_of_week(day)
    if period == "calendar_month":
        return clock.start_of_month(day)
    if period == "calendar_year":
        return clock.day_of(date(clock.date_of(day).year, 1, 1))
    return LIFETIME_START


def rate_bps(cashback: Cashback, tier: str | None) -> int:
    """The rate for members of the tier, by its name, in basis points; without one, the common
    rate."""
    if tier is None:
        return cashback.rate_basis_points
    return cashback.rate_for_tier_basis_points(tier)


def accrue(
    month: Month,
    spend_minor: int,
    *,
    rate_bps: int,
    monthly_cap_minor: int,
    caps: Sequence[tuple[Period, int]] = (),
) -> Accrual:
    """Add a purchase's cashback to its month, and to the spans of the other caps, each with its
    cap; the last accrual before a cap may be partial.

    Rounding: the purchase's cashback is rounded down to the minor unit, once.
    """
    earned = floor_basis_points(spend_minor, rate_bps)
    room = monthly_cap_minor - month.accrued_minor
    for period, cap_minor in caps:
        room = min(room, cap_minor - period.accrued_minor)
    accrued = min(earned, max(0, room))
    month.accrued_minor += accrued
    month.capped_minor += earned - accrued
    for period, _cap_minor in caps:
        period.accrued_minor += accrued
    return Accrual(accrued, earned - accrued)


def unaccrue(
    month: Month, *, accrued_minor: int, capped_minor: int, periods: Sequence[Period] = ()
) -> None:
    """Take back from the month, and from the spans of the other caps, what was accrued and cut off
    before; never below 0. Purchases to come have so much more room."""
    month.accrued_minor = max(0, month.accrued_minor - accrued_minor)
    month.capped_minor = max(0, month.capped_minor - capped_minor)
    for period in periods:
        period.accrued_minor = max(0, period.accrued_minor - accrued_minor)
