"""The redemption policy, as pure functions: when members redeem points, and how often."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from server import clock

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


class RedemptionPolicy(Struct, frozen=True):
    """What members do on one day of each week: the programme file's `redemption_policy`."""

    weekday: Weekday
    threshold_points: Annotated[int, Meta(ge=0)]
    redeem_points: Annotated[int, Meta(ge=1)]
    max_redemptions_per_run: Annotated[int, Meta(ge=0)]

    def redeems(self, available: int) -> bool:
        """Whether a member with so many available points redeems (once more)."""
        return available >= self.threshold_points and available >= self.redeem_points


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
        if available is not None and policy.redeems(available)
    )


def chunks(households: Sequence[str], *, size: int) -> Iterator[Sequence[str]]:
    """The households in groups of at most `size`, in order."""
    for start in range(0, len(households), size):
        yield households[start : start + size]
