"""Who an offer is for."""

from datetime import date

from server import clock
from server.clock import LocalDay
from server.offers.documents import Audience, NameDay
from server.offers.evaluation import Shopper

_LEAP_DAY = "02-29"


class Target:
    """An audience, made ready to be asked about many members."""

    __slots__ = (
        "_excluded",
        "_goes_by_days",
        "_members",
        "_name_days",
        "_plans",
        "_segments",
        "_tiers",
        "audience",
        "is_everyone",
        "segments",
    )

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.is_everyone = audience == Audience()
        self._segments = frozenset(audience.segments)
        self._excluded = frozenset(audience.excluded_segments)
        self.segments = self._segments | self._excluded  # all that it names
        self._members = frozenset(audience.members)
        self._tiers = frozenset(audience.tiers)
        self._plans = frozenset(audience.plans)
        self._goes_by_days = any(
            one is not None
            for one in (
                audience.new_within_days,
                audience.lapsed_after_days,
                audience.birthday,
                audience.name_day,
            )
        )
        self._name_days = _by_name(audience.name_day)

    def includes(self, shopper: Shopper, today: LocalDay, zone_name: str) -> bool:
        """Whether the offer is for the member on the local day."""
        if self.is_everyone:
            return True
        if not self._is_listed(shopper):
            return False
        return not self._goes_by_days or (
            self._is_of_days(shopper, today, zone_name) and self._is_celebrating(shopper, today)
        )

    def _is_listed(self, shopper: Shopper) -> bool:
        return (
            (not self._tiers or shopper.tier in self._tiers)
            and (not self._segments or not self._segments.isdisjoint(shopper.segments))
            and self._excluded.isdisjoint(shopper.segments)
            and (not self._members or shopper.external_id in self._members)
            and (not self._plans or not self._plans.isdisjoint(shopper.plans))
        )

    def _is_of_days(self, shopper: Shopper, today: LocalDay, zone_name: str) -> bool:
        new_within, lapsed_after = self.audience.new_within_days, self.audience.lapsed_after_days
        enrolled_at, visited_at = shopper.enrolled_at, shopper.last_visit_at
        if new_within is not None:
            enrolled = clock.local_day(enrolled_at, zone_name)
            if today - enrolled > new_within:
                return False
        if lapsed_after is not None:
            seen = clock.local_day(enrolled_at if visited_at is None else visited_at, zone_name)
            return today - seen >= lapsed_after
        return True

    def _is_celebrating(self, shopper: Shopper, today: LocalDay) -> bool:
        birthday, name_day = self.audience.birthday, self.audience.name_day
        days: tuple[str, ...]
        if birthday is not None:
            born = shopper.birthday
            days = () if born is None else (born[5:],)
            if not _is_around(days, today, birthday.days_before, birthday.days_after):
                return False
        if name_day is not None:
            days = self._name_days.get(_first_name(shopper.name), ())
            if not _is_around(days, today, name_day.days_before, name_day.days_after):
                return False
        return True


def _by_name(name_day: NameDay | None) -> dict[str, tuple[str, ...]]:
    if name_day is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, days in name_day.calendar.items():
        known = found.get(name.strip().casefold(), ())
        found[name.strip().casefold()] = (*known, *days)
    return found


def _first_name(name: str) -> str:
    first, *_others = [*name.casefold().split(), ""]
    return first


def _is_around(
    month_days: tuple[str, ...], today: LocalDay, days_before: int, days_after: int
) -> bool:
    """Whether today lies so many days around one of the days MM-DD, new year passed or not."""
    if not month_days:
        return False
    year = clock.date_of(today).year
    return any(
        -days_before <= today - clock.day_of(_day_in(month_day, nearby)) <= days_after
        for month_day in month_days
        for nearby in (year - 1, year, year + 1)
    )


def _day_in(month_day: str, year: int) -> date:
    """The day MM-DD of the year; 28 February for 29 February in years without it."""
    month, day = int(month_day[:2]), int(month_day[3:])
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return date(year, month, day - 1 if month_day == _LEAP_DAY and not is_leap else day)
