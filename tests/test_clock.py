"""Instants and local calendars, where clocks change at midnight and days are left out too."""

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from zoneinfo import available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant, LocalDay

FIRST, LAST = clock.day_of(date(1970, 1, 3)), clock.day_of(date(2037, 12, 30))
zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))
days = st.integers(FIRST, LAST).map(LocalDay)


def utc(text: str) -> Instant:
    return clock.instant_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def day(text: str) -> LocalDay:
    return clock.day_of(date.fromisoformat(text))


# Zones whose clocks changed at or near midnight.
NASTY = (
    "America/Havana",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Amman",
    "Asia/Gaza",
    "Asia/Tehran",
    "America/Asuncion",
    "America/Santiago",
    "America/Nuuk",
    "Asia/Pyongyang",
    "Pacific/Kwajalein",
    "Atlantic/Azores",
)


@pytest.mark.parametrize(
    ("zone", "local_date", "start"),
    [
        ("UTC", "2017-03-12", "2017-03-12T00:00"),
        ("America/New_York", "2017-03-12", "2017-03-12T05:00"),
        ("America/New_York", "2017-03-13", "2017-03-13T04:00"),  # 03-12 has 23 hours
        ("America/New_York", "2017-11-06", "2017-11-06T05:00"),  # 11-05 has 25
        ("Europe/Vilnius", "2024-02-29", "2024-02-28T22:00"),
        ("America/Havana", "2017-03-12", "2017-03-12T05:00"),  # 00:00 does not exist
        ("America/Havana", "2017-11-05", "2017-11-05T04:00"),  # 00:00 comes twice
        ("Asia/Beirut", "2017-03-26", "2017-03-25T22:00"),  # starts at 01:00
        ("Asia/Beirut", "2017-10-29", "2017-10-28T22:00"),  # 23:00 comes twice before it
        ("Africa/Cairo", "2023-04-28", "2023-04-27T22:00"),  # starts at 01:00
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00"),  # starts at 01:00
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00"),  # 23:00 comes twice before it
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),  # the day after 12-29
        ("Australia/Lord_Howe", "2017-04-02", "2017-04-01T13:00"),
        ("Australia/Lord_Howe", "2017-04-03", "2017-04-02T13:30"),  # 04-02 has 24.5 hours
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30"),  # back to 23:01 at 00:01
        ("Asia/Kathmandu", "1986-01-01", "1985-12-31T18:30"),  # starts at 00:15
    ],
)
def test_a_day_starts_with_its_first_instant(zone: str, local_date: str, start: str) -> None:
    found = clock.start_of_day(day(local_date), zone)
    assert clock.datetime_of(found) == clock.datetime_of(utc(start))
    assert clock.local_day(found, zone) == day(local_date)
    assert clock.local_day(Instant(found - 1), zone) < day(local_date)


def test_a_day_that_was_left_out_starts_where_the_next_one_does() -> None:
    left_out, following = day("2011-12-30"), day("2011-12-31")
    start = clock.start_of_day(following, "Pacific/Apia")
    assert clock.start_of_day(left_out, "Pacific/Apia") == start
    assert clock.local_day(start, "Pacific/Apia") == following
    assert clock.local_day(Instant(start - 1), "Pacific/Apia") == day("2011-12-29")


@cache
def exists(zone: str, local_day: LocalDay) -> bool:
    """Whether the zone had the day: some instant near its noon, looked at closely, lies in it."""
    middle = utc(f"{clock.date_of(local_day).isoformat()}T12:00")
    hour = 3600 * clock.MICROSECONDS_PER_SECOND
    return any(
        clock.local_day(Instant(middle + offset * hour // 2), zone) == local_day
        for offset in range(-54, 55)
    )


@given(zone=st.sampled_from(NASTY) | zones, local_day=days)
def test_a_day_that_exists_contains_its_start_and_the_instant_before_lies_in_an_earlier_one(
    zone: str, local_day: LocalDay
) -> None:
    assume(exists(zone, local_day))
    start = clock.start_of_day(local_day, zone)
    assert clock.local_day(start, zone) == local_day
    assert clock.local_day(Instant(start - 1), zone) < local_day
    assert clock.local_day(Instant(start + 1), zone) == local_day


@given(zone=st.sampled_from(NASTY) | zones, local_day=days)
def test_days_follow_each_other_none_longer_than_two(zone: str, local_day: LocalDay) -> None:
    length = clock.start_of_day(LocalDay(local_day + 1), zone) - clock.start_of_day(local_day, zone)
    hours = length / clock.MICROSECONDS_PER_SECOND / 3600
    assert 20 <= hours <= 28 or not exists(zone, local_day) or hours in (0, 48)


@given(zone=zones, instant=st.integers(0, 2 * 10**15).map(Instant))
def test_an_instant_lies_in_the_day_that_has_started_by_then(zone: str, instant: Instant) -> None:
    local_day = clock.local_day(instant, zone)
    assert clock.start_of_day(local_day, zone) <= instant
    # Where 00:01 goes back to 23:01, the next day has started before this one is over.
    overlap = 3600 * clock.MICROSECONDS_PER_SECOND
    assert instant < clock.start_of_day(LocalDay(local_day + 1), zone) + overlap


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 (the zone follows)
    st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_and_its_instant_are_exact_in_any_zone(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    instant = clock.instant_of(aware)
    assert clock.datetime_of(instant) == aware
    assert clock.instant_of(clock.datetime_of(instant)) == instant
    assert clock.instant_of(aware + timedelta(microseconds=1)) == instant + 1


@pytest.mark.parametrize(
    ("moment", "instant"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC), 1_483_271_606_000_000),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 253_402_300_799_999_999),
    ],
)
def test_an_instant_counts_microseconds_since_1970(moment: datetime, instant: int) -> None:
    assert clock.instant_of(moment) == instant
    assert clock.datetime_of(Instant(instant)) == moment


def test_a_moment_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="time zone"):
        clock.instant_of(datetime(2017, 1, 1))  # noqa: DTZ001 (that is the point)


@given(days)
def test_a_day_and_its_date_are_the_same(local_day: LocalDay) -> None:
    calendar_date = clock.date_of(local_day)
    assert clock.day_of(calendar_date) == local_day
    assert clock.date_of(LocalDay(local_day + 1)) - calendar_date == timedelta(days=1)
    monday, first = clock.start_of_week(local_day), clock.start_of_month(local_day)
    assert clock.date_of(monday).weekday() == 0
    assert 0 <= local_day - monday <= 6
    assert clock.date_of(first) == calendar_date.replace(day=1)


def test_now_is_what_the_clock_was_moved_to_in_this_task_alone() -> None:
    async def elsewhere() -> None:
        with clock.moved_to(Instant(5)):
            await asyncio.sleep(0)
            assert clock.now() == 5

    async def main() -> None:
        with clock.moved_to(Instant(1)):
            with clock.moved_to(Instant(2)):
                assert clock.now() == 2
            await asyncio.gather(elsewhere(), elsewhere())
            assert clock.now() == 1
            assert clock.system_now() > 1_483_228_800_000_000
        assert clock.now() > 1_483_228_800_000_000

    asyncio.run(main())
