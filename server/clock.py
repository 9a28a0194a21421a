"""The one clock: what time it is, and the conversions between instants and local calendars.

An `Instant` is an integer: microseconds since 1970-01-01T00:00:00Z. It is what the database stores
and what the rules compare, so that both engines order time in the same way and nothing is rounded.
A `LocalDay` is an integer too: days since 1970-01-01 in a named time zone's calendar.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo

Instant = NewType("Instant", int)
LocalDay = NewType("LocalDay", int)

NEVER = Instant(2**63 - 1)
"""The expiry of what does not expire: later than every instant, so that it sorts last."""

MICROSECONDS_PER_SECOND = 1_000_000
_HOUR = 3_600 * MICROSECONDS_PER_SECOND
_DAY = 24 * _HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_moved_to: ContextVar[Instant | None] = ContextVar("moved_to", default=None)


def now() -> Instant:
    """The present instant, or the one that `moved_to` has set for this task."""
    moved = _moved_to.get()
    return Instant(time.time_ns() // 1000) if moved is None else moved


def moved_now() -> Instant | None:
    """The instant that `moved_to` has set for this task, or None where time is the present."""
    return _moved_to.get()


def system_now() -> Instant:
    """The machine's time, whatever `moved_to` says: for tokens and other security decisions."""
    return Instant(time.time_ns() // 1000)


@contextmanager
def moved_to(instant: Instant | None) -> Iterator[None]:
    """Within the block, `now()` is `instant`: for tests, replays and simulations. With None it is
    the present, whatever a block around it says."""
    token = _moved_to.set(instant)
    try:
        yield
    finally:
        _moved_to.reset(token)


def instant_of(moment: datetime) -> Instant:
    """The instant of an aware datetime. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone is not an instant")
    delta = moment - _EPOCH
    return Instant(
        (delta.days * 86400 + delta.seconds) * MICROSECONDS_PER_SECOND + delta.microseconds
    )


def datetime_of(instant: Instant) -> datetime:
    """The UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ZoneInfoNotFoundError or ValueError if none."""
    return ZoneInfo(name)


def local_datetime(instant: Instant, zone_name: str) -> datetime:
    """The wall clock in the zone at the instant."""
    return datetime_of(instant).astimezone(zone(zone_name))


def local_day(instant: Instant, zone_name: str) -> LocalDay:
    """The zone's calendar day at the instant."""
    offset = _steady_offset(instant // _DAY, zone_name)
    if offset is not None:
        return LocalDay((instant + offset) // _DAY)
    return LocalDay(local_datetime(instant, zone_name).toordinal() - _EPOCH_ORDINAL)


@lru_cache(maxsize=8192)
def _steady_offset(utc_day: int, zone_name: str) -> int | None:
    """By how much the zone's wall clock is ahead of UTC on a day of UTC; None if that changes on
    the day, or if it lies at an end of the calendar."""
    try:
        offsets = {
            local_datetime(Instant(instant), zone_name).utcoffset()
            for instant in range(utc_day * _DAY, (utc_day + 1) * _DAY + 1, _HOUR)
        }
    except OverflowError:
        return None
    offset = offsets.pop()
    if offsets or offset is None:
        return None
    return offset // timedelta(microseconds=1)


@lru_cache(maxsize=8192)
def start_of_day(day: LocalDay, zone_name: str) -> Instant:
    """The first instant of the zone's calendar day: local midnight.

    Where summer time skips midnight, the day's first instant is the end of the gap; where it
    repeats midnight, the first of the two (PEP 495: fold=0 gives both).
    """
    midnight = datetime.combine(date_of(day), datetime.min.time(), zone(zone_name))
    return instant_of(midnight)


def date_of(day: LocalDay) -> date:
    """The calendar date of a local day."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


def day_of(calendar_date: date) -> LocalDay:
    """The local day of a calendar date."""
    return LocalDay(calendar_date.toordinal() - _EPOCH_ORDINAL)


@lru_cache(maxsize=8192)
def start_of_week(day: LocalDay) -> LocalDay:
    """The Monday of the day's week (ISO 8601)."""
    return LocalDay(day - date_of(day).weekday())


@lru_cache(maxsize=8192)
def month_of(day: LocalDay) -> int:
    """The calendar month of a local day, as year * 100 + month."""
    date_ = date_of(day)
    return date_.year * 100 + date_.month


@lru_cache(maxsize=8192)
def start_of_month(day: LocalDay) -> LocalDay:
    """The first day of the day's calendar month."""
    return LocalDay(day - date_of(day).day + 1)
