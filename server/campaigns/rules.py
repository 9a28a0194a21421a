"""The arithmetic of campaigns: whose clock, which share, and what a difference is worth."""

import hmac
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

from server import clock
from server.campaigns.documents import OF_MEMBER, WHOLE_BPS, Campaign, Variant
from server.clock import Instant

HOUR = 3_600 * clock.MICROSECONDS_PER_SECOND
LEAD = HOUR
"""Planning begins so long before the first member's time."""
EARLIEST, LATEST = 14 * HOUR, 12 * HOUR
"""How far the zones of the world are ahead of UTC, and behind it, at most."""
_DRAWS = 1 << 64


# ---------------------------------------------------------------- time


@lru_cache(maxsize=4_096)
def local_instant(at: datetime, zone_name: str) -> Instant:
    """When a clock on a wall of the zone shows `at`.

    What summer time skips is as much later as it skips: 02:30 is 03:30. Of what it repeats, the
    first counts (PEP 495: fold=0 gives both).
    """
    return clock.instant_of(at.replace(tzinfo=clock.zone(zone_name)))


def due_in(document: Campaign, zone_name: str) -> Instant:
    """When a member of the zone is to get it."""
    named = document.time_zone
    return local_instant(document.at, zone_name if named == OF_MEMBER else named)


def expiry(document: Campaign, due_at: Instant) -> Instant:
    """From when on nobody gets what was due then."""
    return Instant(due_at + document.expires_after_hours * HOUR)


def first_due(document: Campaign) -> Instant:
    """When the first member anywhere is to get it."""
    if document.time_zone == OF_MEMBER:
        return Instant(_in_utc(document.at) - EARLIEST)
    return due_in(document, document.time_zone)


def begins_at(document: Campaign) -> Instant:
    """From when on it is planned."""
    return Instant(first_due(document) - LEAD)


def ends_at(document: Campaign) -> Instant:
    """From when on nobody anywhere gets it."""
    if document.time_zone == OF_MEMBER:
        return expiry(document, Instant(_in_utc(document.at) + LATEST))
    return expiry(document, due_in(document, document.time_zone))


def _in_utc(at: datetime) -> Instant:
    return clock.instant_of(at.replace(tzinfo=UTC))


def is_in_the_calendar(at: datetime) -> bool:
    """Whether every instant that follows from it can be told."""
    return date(1970, 1, 3) <= at.date() <= date(9998, 12, 31)


# ---------------------------------------------------------------- shares


def drawn(secret: bytes, campaign: str, member_id: int) -> tuple[int, int]:
    """Two numbers from 0 to 9,999 for the member in the campaign: always the same, and as good as
    drawn by lot, each by itself. The first decides on the hold-out, the second on the variant."""
    text = f"{campaign}/{member_id}".encode()
    digest = hmac.digest(secret, text, "sha256")
    first, second = digest[:8], digest[8:16]
    return (
        int.from_bytes(first) * WHOLE_BPS // _DRAWS,
        int.from_bytes(second) * WHOLE_BPS // _DRAWS,
    )


def chosen(variants: Sequence[Variant], number: int) -> Variant:
    """The variant of those who drew the number."""
    reached = 0
    for variant in variants:
        reached += variant.share_bps
        if number < reached:
            return variant
    raise AssertionError("the shares are 10,000 together")
