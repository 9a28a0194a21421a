"""Lots of points by the programme's rules: when they can be used, and when they lapse."""

from server import clock
from server.clock import Instant
from server.ledger import service as ledger
from server.money import POINTS
from server.programme.service import PublishedProgramme


def points_grant(
    published: PublishedProgramme,
    points: int,
    at: Instant,
    *,
    reason: ledger.Reason,
    rule: str,
    reference: int | None,
    pending_days: int = 0,
) -> ledger.Grant:
    """A lot of points earned at the instant under the programme's waiting and expiry times.

    It becomes available at the start of the local day `pending_days` later, at once for 0, and
    expires at the start of the local day that is `expiry_days` after the day of earning.
    """
    zone = published.programme.programme.timezone
    day = clock.local_day(at, zone)
    expiry = clock.LocalDay(day + published.programme.points.expiry_days)
    return ledger.Grant(
        asset=POINTS,
        amount=points,
        earned_at=at,
        available_at=available_at(at, pending_days, zone),
        expires_at=clock.start_of_day(expiry, zone),
        reason=reason,
        rule=rule,
        programme_version=published.version,
        reference=reference,
    )


def available_at(earned_at: Instant, pending_days: int, zone: str) -> Instant:
    """The start of the local day that is `pending_days` after the day of earning; at once for 0."""
    if pending_days == 0:
        return earned_at
    day = clock.LocalDay(clock.local_day(earned_at, zone) + pending_days)
    return clock.start_of_day(day, zone)
