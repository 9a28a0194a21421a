"""When a lot becomes available and when it expires: at starts of local days, whatever they are."""

import pytest

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
        # Days that start at 01:00, or whose 00:00 comes twice.
        ("America/Havana", "2017-03-11T12:00", 1, 1, "2017-03-12T05:00", "2017-03-12T05:00"),
        ("America/Havana", "2017-11-04T12:00", 1, 1, "2017-11-05T04:00", "2017-11-05T04:00"),
        ("Africa/Cairo", "2023-04-26T12:00", 2, 3, "2023-04-27T22:00", "2023-04-28T21:00"),
        # A day that was left out of the calendar.
        ("Pacific/Apia", "2011-12-29T20:00", 1, 2, "2011-12-30T10:00", "2011-12-30T10:00"),
    ],
)
def test_lots_change_at_the_first_instant_of_a_local_day(
    zone: str, earned: str, pending: int, expiry: int, available: str, expires: str
) -> None:
    found = lot(zone, earned, expiry_days=expiry, pending_days=pending)
    assert found == (at(available), at(expires))
