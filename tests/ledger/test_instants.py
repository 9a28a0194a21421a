"""When a lot becomes available and when it expires: at starts of local days, whatever they are."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.enrolment.service import points_grant
from server.ledger.service import Reason
from server.programme.service import BEGINNING, PublishedProgramme
from tests.purchases.baskets import at, programme_with


def lot(zone: str, earned: str, *, expiry_days: int, pending_days: int) -> tuple[Instant, Instant]:
    """(available, expires) of points earned at the instant."""
    rules = programme_with(
        {("programme", "timezone"): zone, ("points", "expiry_days"): expiry_days}
    )
    published = PublishedProgramme(1, "", BEGINNING, BEGINNING, "test", rules, "")
    grant = points_grant(
        published,
        5,
        at(earned),
        reason=Reason.PURCHASE,
        rule="purchase",
        reference=None,
        pending_days=pending_days,
    )
    return grant.available_at, grant.expires_at


@pytest.mark.parametrize(
    ("zone", "earned", "pending", "expiry", "available", "expires"),
    [
        ("UTC", "2017-01-01T00:00", 3, 180, "2017-01-04T00:00", "2017-06-30T00:00"),
        ("UTC", "2017-01-01T23:59:59", 3, 180, "2017-01-04T00:00", "2017-06-30T00:00"),
        # Nothing to wait for: at once, in the middle of the day.
        ("UTC", "2017-01-01T10:30", 0, 1, "2017-01-01T10:30", "2017-01-02T00:00"),
        # Over a leap day, and on it.
        ("UTC", "2024-02-28T10:00", 1, 2, "2024-02-29T00:00", "2024-03-01T00:00"),
        ("UTC", "2023-02-28T10:00", 1, 2, "2023-03-01T00:00", "2023-03-02T00:00"),
        ("UTC", "2024-02-29T10:00", 1, 365, "2024-03-01T00:00", "2025-02-28T00:00"),
        # Days of 23 and 25 hours count as days.
        ("America/New_York", "2017-03-11T12:00", 1, 2, "2017-03-12T05:00", "2017-03-13T04:00"),
        ("America/New_York", "2017-11-04T12:00", 1, 2, "2017-11-05T04:00", "2017-11-06T05:00"),
        # 02:30 in UTC is still the day before in New York.
        ("America/New_York", "2017-01-03T02:30", 3, 5, "2017-01-05T05:00", "2017-01-07T05:00"),
        # Half an hour is enough to change the clock on an island.
        ("Australia/Lord_Howe", "2024-04-05T12:00", 1, 3, "2024-04-05T13:00", "2024-04-07T13:30"),
        ("Australia/Lord_Howe", "2024-10-04T12:00", 1, 3, "2024-10-04T13:30", "2024-10-06T13:00"),
        # Days that start at 01:00, or whose 00:00 comes twice.
        ("America/Havana", "2017-03-11T12:00", 1, 1, "2017-03-12T05:00", "2017-03-12T05:00"),
        ("America/Havana", "2017-11-04T12:00", 1, 1, "2017-11-05T04:00", "2017-11-05T04:00"),
        ("Africa/Cairo", "2023-04-26T12:00", 2, 3, "2023-04-27T22:00", "2023-04-28T21:00"),
        ("Africa/Cairo", "2023-10-25T12:00", 1, 2, "2023-10-25T21:00", "2023-10-26T22:00"),
        # A day that was left out of the calendar.
        ("Pacific/Apia", "2011-12-29T20:00", 1, 2, "2011-12-30T10:00", "2011-12-30T10:00"),
    ],
)
def test_lots_change_at_the_first_instant_of_a_local_day(
    zone: str, earned: str, pending: int, expiry: int, available: str, expires: str
) -> None:
    found = lot(zone, earned, expiry_days=expiry, pending_days=pending)
    assert found == (at(available), at(expires))


CHANGES = (
    ("America/New_York", "2024-03-10T07:00"),
    ("America/New_York", "2024-11-03T06:00"),
    ("Australia/Lord_Howe", "2024-04-06T15:00"),
    ("Australia/Lord_Howe", "2024-10-05T15:30"),
    ("Africa/Cairo", "2023-04-27T22:00"),
    ("Africa/Cairo", "2023-10-26T21:00"),
    ("Europe/Vilnius", "2024-02-29T12:00"),
    ("Europe/Vilnius", "2024-03-31T01:00"),
)


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.integers(-5 * 1440, 5 * 1440),
    pending=st.integers(1, 5),
    life=st.integers(1, 400),
)
def test_around_a_change_of_the_clock_a_lot_lives_for_whole_local_days(
    change: tuple[str, str], minutes: int, pending: int, life: int
) -> None:
    name, text = change
    zone, moment = ZoneInfo(name), datetime.fromisoformat(text).replace(tzinfo=UTC)
    moment += timedelta(minutes=minutes)
    earned = f"{moment:%Y-%m-%dT%H:%M}"
    available, expires = lot(name, earned, expiry_days=life, pending_days=pending)
    first_day = moment.astimezone(zone).date()
    for found, days in ((available, pending), (expires, life)):
        day = first_day + timedelta(days=days)
        assert local(found, zone).date() == day
        assert local(Instant(found - 1), zone).date() == day - timedelta(days=1)
        assert local(Instant(found - 1), zone).microsecond == 999_999


def local(instant: Instant, zone: ZoneInfo) -> datetime:
    return clock.datetime_of(instant).astimezone(zone)
