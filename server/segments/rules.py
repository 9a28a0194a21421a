"""The arithmetic of facts: what rows of purchases and a profile say of a member on a local day."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from server import clock
from server.clock import Instant, LocalDay
from server.members.service import Profile
from server.segments.facts import CALLED_NEVER, WINDOWS_DAYS

FEBRUARY, LEAP_DAY = 2, 29
_SHORT, _MIDDLE, _LONG = WINDOWS_DAYS


class Day(NamedTuple):
    """A local day on which facts are told, and where its windows begin."""

    today: LocalDay
    zone_name: str
    since: tuple[Instant, Instant, Instant]  # of WINDOWS_DAYS, in their order
    ends_at: Instant


class StoreVisits(NamedTuple):
    """What a member bought in one store: visits and net spend of each of WINDOWS_DAYS."""

    store_id: str
    visits: tuple[int, int, int]
    spend_minor: tuple[int, int, int]


def day_of(today: LocalDay, zone_name: str) -> Day:
    """The day with its windows; each includes the day itself."""
    starts = [clock.start_of_day(LocalDay(today - days + 1), zone_name) for days in WINDOWS_DAYS]
    ends_at = clock.start_of_day(LocalDay(today + 1), zone_name)
    return Day(today, zone_name, (starts[0], starts[1], starts[2]), ends_at)


def last_visit_facts(at: Instant | None, day: Day) -> dict[str, Any]:
    """Facts of the newest purchase."""
    if at is None:
        return {"recency_days": CALLED_NEVER, "last_visit": clock.datetime_of(Instant(0))}
    days = day.today - clock.local_day(at, day.zone_name)
    return {"recency_days": days, "last_visit": clock.datetime_of(at)}


def store_facts(stores: Iterable[StoreVisits]) -> dict[str, Any]:
    """Facts of the purchases of 365 days."""
    known = sorted(stores)
    totals = [[sum(one.visits[place] for one in known) for place in range(3)]]
    totals += [[sum(one.spend_minor[place] for one in known) for place in range(3)]]
    visits, spends = totals
    facts: dict[str, Any] = {}
    for place, days in enumerate(WINDOWS_DAYS):
        facts[f"visits_{days}"] = visits[place]
        facts[f"spend_{days}_minor"] = spends[place]
    favourite = min(
        known, key=lambda one: (-one.visits[2], -one.spend_minor[2], one.store_id), default=None
    )
    facts["average_basket_minor"] = max(0, spends[2] // visits[2]) if visits[2] else 0
    facts["store_ids"] = [one.store_id for one in known]
    facts["favourite_store"] = favourite.store_id if favourite else ""
    return facts


def department_facts(spends: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    """Facts of (department, net spend of 90 days, of 365 days)."""
    known = sorted(spends)
    return {
        "departments_90": [name for name, short, _long in known if short > 0],
        "departments_365": [name for name, _short, long in known if long > 0],
        "spend_by_department_365": {name: long for name, _short, long in known if long > 0},
    }


def profile_facts(profile: Profile, day: Day) -> dict[str, Any]:
    """Facts of who the member is."""
    born = None if profile.birthday is None else date.fromisoformat(profile.birthday)
    until = CALLED_NEVER if born is None else days_until_birthday(born, day.today)
    enrolled = clock.local_day(profile.enrolled_at, day.zone_name)
    return {
        "member_for_days": max(0, day.today - enrolled),
        "has_birthday_today": until == 0,
        "birthday_in_days": until,
        "birthday_month": CALLED_NEVER if born is None else born.month,
        "age": CALLED_NEVER if born is None else age_on(born, day.today),
        "language": profile.locale.partition("-")[0],
        "time_zone": profile.time_zone,
        "external_id": profile.external_id or "",
    }


def birthday_in(born: date, year: int) -> date:
    """The birthday in a year; who was born on 29 February has it on the 28th of short ones."""
    try:
        return born.replace(year=year)
    except ValueError:
        return born.replace(year=year, day=LEAP_DAY - 1)


def days_until_birthday(born: date, today: LocalDay) -> int:
    """Days until the next birthday, 0 on the day."""
    on = clock.date_of(today)
    this_year = birthday_in(born, on.year)
    following = this_year if this_year >= on else birthday_in(born, on.year + 1)
    return (following - on).days


def age_on(born: date, today: LocalDay) -> int:
    """Completed years; 0 for who is not born yet where the day is."""
    on = clock.date_of(today)
    return max(0, on.year - born.year - (birthday_in(born, on.year) > on))


def consent_facts(given: Mapping[str, bool], purposes: Iterable[str]) -> dict[str, Any]:
    """Facts of what the member agreed to; silence is no."""
    return {f"consent_{purpose}": given.get(purpose, False) for purpose in purposes}
