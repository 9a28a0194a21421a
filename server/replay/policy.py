"""The redemption policy, as pure functions: when members redeem points, and how often."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

from server import clock
from server.programme.document import RedemptionPolicy, Weekday

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)  # from Monday on


def redeems(policy: RedemptionPolicy, available: int) -> bool:
    """Whether a member with so many available points redeems (once more)."""
    return available >= policy.threshold_points and available >= policy.redeem_points


@dataclass(frozen=True)
class PolicyDay:
    """A local date on which members redeem, and its first instant, when they do."""

    date: date
    at: clock.Instant


def policy_days(
    policy: RedemptionPolicy, *, first: date, last: date, zone_name: str
) -> list[PolicyDay]:
    """The dates from `first` to `last` on which members redeem; none if they never may."""
    if policy.max_redemptions_per_run == 0:
        return []
    weekday = WEEKDAYS.index(policy.weekday)
    first_day, last_day = clock.day_of(first), clock.day_of(last)
    to_weekday = (weekday - first.weekday()) % 7
    days = (clock.LocalDay(day) for day in range(first_day + to_weekday, last_day + 1, 7))
    return [PolicyDay(clock.date_of(day), clock.start_of_day(day, zone_name)) for day in days]


def redeeming(
    policy: RedemptionPolicy, balances: Iterable[tuple[str, int | None]]
) -> tuple[str, ...]:
    """The households that redeem at these balances, in the order given; None never redeems."""
    return tuple(
        household
        for household, available in balances
        if available is not None and redeems(policy, available)
    )


def chunks(households: Sequence[str], *, size: int) -> Iterator[Sequence[str]]:
    """The households in groups of at most `size`, in order."""
    for start in range(0, len(households), size):
        yield households[start : start + size]
