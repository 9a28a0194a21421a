"""The arithmetic of reports: months as spans of time, rates and liability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from server import clock
from server.clock import Instant

RATE_DECIMALS = 10
POINTS_PER_VALUE = 1000
"""The programme says what this many points are worth."""


class TierCount(msgspec.Struct, frozen=True):
    """How many members have a tier."""

    tier: str
    members: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """One local month of the programme; for the one in progress, the state so far.

    Points and minor units are integers, rates exact quotients rounded to RATE_DECIMALS decimals.
    """

    local_month: int  # year * 100 + month
    new_members: int
    active_members: int  # with a purchase
    repeat_members: int  # with two or more
    purchases: int
    net_minor: int
    eligible_minor: int
    repeat_purchase_rate: Decimal
    purchase_frequency: Decimal
    average_basket_minor: Decimal
    points_earned: int
    points_redeemed: int
    points_expired: int
    points_outstanding: int  # at the month's last instant
    vouchers_issued: int
    cashback_accrued_minor: int
    cashback_capped_minor: int
    cashback_outstanding_minor: int  # at the month's last instant
    liability_minor: int  # at the month's last instant
    redemption_rate: Decimal  # from the start up to the month's last instant
    breakage_rate: Decimal  # from the start up to the month's last instant
    members_by_tier: tuple[TierCount, ...]  # at the month's last instant


class Cell(msgspec.Struct, frozen=True):
    """How many of the members enrolled in one month made a purchase in another."""

    cohort: int  # year * 100 + month
    local_month: int  # year * 100 + month
    cohort_size: int
    active_members: int
    retention: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """The time from `start` until just before `end`."""

    start: Instant
    end: Instant


def rate(dividend: int, divisor: int) -> Decimal:
    """The exact quotient, rounded half-even to RATE_DECIMALS decimals; 0 for a divisor of 0."""
    scale = 10**RATE_DECIMALS
    scaled = round(Fraction(dividend * scale, divisor)) if divisor else 0
    return Decimal(f"{scaled}E-{RATE_DECIMALS}")


def span_of(local_month: int, zone_name: str, at: Instant) -> Span:
    """A calendar month of the zone as far as it has passed at the instant, that one included."""
    year, month = divmod(local_month, 100)
    following = date(year + month // 12, month % 12 + 1, 1)
    start = clock.start_of_day(clock.day_of(date(year, month, 1)), zone_name)
    end = clock.start_of_day(clock.day_of(following), zone_name)
    return Span(start, min(end, Instant(at + 1)))


def edges_of(spans: Sequence[Span]) -> list[Instant]:
    """Where the spans start and end, ascending."""
    return sorted({edge for span in spans for edge in (span.start, span.end)})


def liability_minor(
    points_outstanding: int, cashback_outstanding_minor: int, *, point_value_minor_per_1000: int
) -> int:
    """What the members hold is worth: points, rounded down to the minor unit once, and cashback."""
    worth = points_outstanding * point_value_minor_per_1000 // POINTS_PER_VALUE
    return worth + cashback_outstanding_minor


def retention(enrolled: Mapping[int, int], active: Mapping[tuple[int, int], int]) -> list[Cell]:
    """A cell for each month with enrolments and each month from it on that has a purchase.

    `enrolled` counts members by month of enrolment, `active` those of them with a purchase by
    (month of enrolment, month of purchase).
    """
    months = sorted({month for _, month in active})
    return [
        Cell(
            cohort=cohort,
            local_month=month,
            cohort_size=enrolled[cohort],
            active_members=active.get((cohort, month), 0),
            retention=rate(active.get((cohort, month), 0), enrolled[cohort]),
        )
        for cohort in sorted(enrolled)
        for month in months
        if month >= cohort
    ]
