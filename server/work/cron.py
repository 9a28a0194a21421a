"""When a job runs: six fields like those of cron, the first of them seconds, in UTC."""

import itertools
from datetime import timedelta
from functools import lru_cache

import msgspec

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant

_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAYS_LOOKED_AT = 366


class Cron(msgspec.Struct, frozen=True):
    """The seconds, minutes, hours, days of the month, months and weekdays (0 is Sunday) of a job;
    it runs where all of them are met."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @property
    def is_of_every_second(self) -> bool:
        """Whether it has a tick each second."""
        return len(self.seconds) == 60

    def latest(self, until: Instant) -> Instant | None:
        """The last tick that is not after `until`; None if there was none for a year."""
        moment = clock.datetime_of(until).replace(microsecond=0)
        limit = (moment.hour, moment.minute, moment.second)
        midnight = moment.replace(hour=0, minute=0, second=0)
        for days_back in range(_DAYS_LOOKED_AT):
            day = midnight - timedelta(days=days_back)
            if not self._has(day.day, day.month, day.isoweekday()):
                continue
            time = self._latest_time(limit if days_back == 0 else (23, 59, 59))
            if time is not None:
                hour, minute, second = time
                return clock.instant_of(day.replace(hour=hour, minute=minute, second=second))
        return None

    def next(self, after: Instant) -> Instant | None:
        """The first tick after an instant; None if there is none for a year."""
        moment = clock.datetime_of(after).replace(microsecond=0) + timedelta(seconds=1)
        limit = (moment.hour, moment.minute, moment.second)
        midnight = moment.replace(hour=0, minute=0, second=0)
        for days_ahead in range(_DAYS_LOOKED_AT):
            day = midnight + timedelta(days=days_ahead)
            if not self._has(day.day, day.month, day.isoweekday()):
                continue
            time = self._first_time(limit if days_ahead == 0 else (0, 0, 0))
            if time is not None:
                hour, minute, second = time
                return clock.instant_of(day.replace(hour=hour, minute=minute, second=second))
        return None

    def _has(self, day: int, month: int, weekday: int) -> bool:
        return day in self.days and month in self.months and weekday % 7 in self.weekdays

    def _latest_time(self, limit: tuple[int, int, int]) -> tuple[int, int, int] | None:
        for hour in reversed([each for each in self.hours if each <= limit[0]]):
            last_minute = limit[1] if hour == limit[0] else 59
            for minute in reversed([each for each in self.minutes if each <= last_minute]):
                is_last = (hour, minute) == limit[:2]
                last_second = limit[2] if is_last else 59
                found = [each for each in self.seconds if each <= last_second]
                if found:
                    return hour, minute, found[-1]
        return None

    def _first_time(self, limit: tuple[int, int, int]) -> tuple[int, int, int] | None:
        hours = [each for each in self.hours if each >= limit[0]]
        times = itertools.product(hours, self.minutes, self.seconds)
        return next((time for time in times if time >= limit), None)


@lru_cache(maxsize=64)
def cron(text: str) -> Cron:
    """The schedule that the text states. Raises ValueError for what is none."""
    fields = text.split()
    if len(fields) != len(_RANGES):
        raise ValueError(f"a schedule has six fields: {text!r}")
    seconds, minutes, hours, days, months, weekdays = (
        _values(field, *limits) for field, limits in zip(fields, _RANGES, strict=True)
    )
    return Cron(
        tuple(sorted(seconds)),
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
    )


def _values(field: str, lowest: int, highest: int) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            bounds = lowest, highest
        else:
            bounds = int(first), int(last) if dash else highest if step else int(first)
        if not lowest <= bounds[0] <= bounds[1] <= highest:
            raise ValueError(f"{part} is not within {lowest} and {highest}")
        values |= set(range(bounds[0], bounds[1] + 1, int(step or 1)))
    return values


def seconds_between(earlier: Instant, later: Instant) -> float:
    """How many seconds lie between two instants."""
    return (later - earlier) / MICROSECONDS_PER_SECOND
