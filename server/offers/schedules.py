"""When an offer counts: days, hours, weekdays and seasons on the wall clocks of a time zone.

A local time that summer time skips begins at the end of the gap; of one that comes twice, the first
counts.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from server import clock
from server.clock import Instant, LocalDay
from server.offers.documents import WEEKDAYS, Schedule

BEGINNING = Instant(-(2**63))
"""Before every instant."""
_HOUR = 3_600 * clock.MICROSECONDS_PER_SECOND
_DAYS_LOOKED_AHEAD = 1_500  # over four years, so that each day of the calendar is met


class Phase(Enum):
    """Where an instant lies in a schedule."""

    BEFORE = "before"  # it has not begun
    OPEN = "open"  # it counts
    PAUSED = "paused"  # begun and not over, but not at this hour, on this day or in this season
    AFTER = "after"  # it is over


class Stretch(Struct, frozen=True):
    """From `since` until just before `until` nothing changes; `is_open` says whether it counts."""

    is_open: bool
    since: Instant
    until: Instant


class Timetable:
    """A schedule in its time zone. What it says of the last instant asked for is remembered."""

    __slots__ = (
        "_always",
        "_early",
        "_from",
        "_last",
        "_seasons",
        "_to",
        "_weekdays",
        "earliest",
        "ends",
        "starts",
        "zone_name",
    )

    def __init__(self, schedule: Schedule, zone_name: str) -> None:
        zone = self.zone_name = schedule.time_zone or zone_name
        self.starts = _start(schedule, zone)
        self.ends = _end(schedule, zone)
        self._early = schedule.early_access if self.starts > BEGINNING else {}
        self.earliest = min((self.start_for(tier) for tier in self._early), default=self.starts)
        self._weekdays = frozenset(WEEKDAYS.index(day) for day in schedule.weekdays)
        self._seasons = tuple((one.from_, one.to) for one in schedule.seasons)
        self._from, self._to = _time(schedule.from_time), _time(schedule.to_time)
        self._always = not (
            self._weekdays or self._seasons or schedule.from_time or schedule.to_time
        )
        self._last = Stretch(True, BEGINNING, clock.NEVER) if self._always else None

    def start_for(self, tier: str) -> Instant:
        """When it begins for members of the tier."""
        return Instant(self.starts - self._early.get(tier, 0) * _HOUR)

    def is_early(self, instant: Instant) -> bool:
        """Whether it has begun for some tiers, and not for all."""
        return self.earliest <= instant < self.starts

    def phase(self, instant: Instant, tier: str | None = None) -> Phase:
        """Where the instant lies for members of the tier; None: for those without early access."""
        if instant < (self.starts if tier is None else self.start_for(tier)):
            return Phase.BEFORE
        if instant >= self.ends:
            return Phase.AFTER
        return Phase.OPEN if self.stretch(instant).is_open else Phase.PAUSED

    def stretch(self, instant: Instant) -> Stretch:
        """What weekdays, hours and seasons say of the instant, and how long they say so."""
        last = self._last
        if last is None or not last.since <= instant < last.until:
            last = self._last = self._stretch(instant)
        return last

    def steady(self, instant: Instant) -> tuple[Instant, Instant]:
        """From when until just before when everybody's phase is what it is at the instant."""
        stretch = self.stretch(instant)
        early = [Instant(self.starts - hours * _HOUR) for hours in self._early.values()]
        edges = (stretch.since, stretch.until, self.starts, self.ends, *early)
        since = max((edge for edge in edges if edge <= instant), default=BEGINNING)
        return since, min((edge for edge in edges if edge > instant), default=clock.NEVER)

    def next_change(self, instant: Instant) -> Instant:
        """The first instant after this one at which anybody's phase may be another."""
        return self.steady(instant)[1]

    def opens_at(self, instant: Instant, tier: str | None = None) -> Instant | None:
        """The first instant from this one on at which it counts; None if it will not, or not
        within four years."""
        start = Instant(max(instant, self.starts if tier is None else self.start_for(tier)))
        if start >= self.ends:
            return None
        if self._always:
            return start
        today = clock.local_day(start, self.zone_name)
        for day in range(today - 1, today + _DAYS_LOOKED_AHEAD):
            for opened, closed in self._opening(LocalDay(day)):
                if closed > start:
                    opening = Instant(max(opened, start))
                    return opening if opening < self.ends else None
        return None

    def _stretch(self, instant: Instant) -> Stretch:
        today = clock.local_day(instant, self.zone_name)
        openings = [each for day in (today - 1, today) for each in self._opening(LocalDay(day))]
        edges = {edge for each in openings for edge in each}
        edges |= {clock.start_of_day(LocalDay(day), self.zone_name) for day in (today, today + 1)}
        return Stretch(
            any(opened <= instant < closed for opened, closed in openings),
            max(edge for edge in edges if edge <= instant),
            min(edge for edge in edges if edge > instant),
        )

    def _opening(self, day: LocalDay) -> Iterator[tuple[Instant, Instant]]:
        """From when until when it counts in what begins on the day, if it does."""
        calendar = clock.date_of(day)
        if self._weekdays and calendar.weekday() not in self._weekdays:
            return
        if self._seasons and not in_seasons(f"{calendar:%m-%d}", self._seasons):
            return
        last = day if self._from < self._to else LocalDay(day + 1)
        opened = first_instant_at(day, self._from, self.zone_name)
        closed = first_instant_at(last, self._to, self.zone_name)
        if opened < closed:
            yield opened, closed


def in_seasons(month_day: str, seasons: tuple[tuple[str, str], ...]) -> bool:
    """Whether a day MM-DD lies in one of the seasons, both ends included."""
    return any(
        first <= month_day <= last if first <= last else month_day >= first or month_day <= last
        for first, last in seasons
    )


@lru_cache(maxsize=8192)
def first_instant_at(day: LocalDay, minutes: int, zone_name: str) -> Instant:
    """The first instant of the day at which its clocks show so many minutes past midnight, or
    more if they skip them."""
    wall = datetime.combine(
        clock.date_of(day), time(minutes // 60, minutes % 60), clock.zone(zone_name)
    )
    first, second = clock.instant_of(wall), clock.instant_of(wall.replace(fold=1))
    if first <= second:
        return first
    before = clock.local_datetime(Instant(second), zone_name).utcoffset()
    shown, skipped = second, first  # in a gap: the first of these lies before it
    while skipped - shown > 1:
        middle = Instant((shown + skipped) // 2)
        if clock.local_datetime(middle, zone_name).utcoffset() == before:
            shown = middle
        else:
            skipped = middle
    return skipped


def _time(text: str | None) -> int:
    """Minutes past midnight."""
    return 0 if text is None else int(text[:2]) * 60 + int(text[3:])


def _start(schedule: Schedule, zone_name: str) -> Instant:
    if schedule.starts_at is not None:
        return clock.instant_of(schedule.starts_at)
    if schedule.starts_on is not None:
        return clock.start_of_day(clock.day_of(schedule.starts_on), zone_name)
    return BEGINNING


def _end(schedule: Schedule, zone_name: str) -> Instant:
    if schedule.ends_at is not None:
        return clock.instant_of(schedule.ends_at)
    if schedule.ends_on is not None:
        following = clock.day_of(schedule.ends_on + timedelta(days=1))
        return clock.start_of_day(following, zone_name)
    return clock.NEVER
