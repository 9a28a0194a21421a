"""How long tokens, sessions and signing keys count: pure arithmetic on instants."""

from server.clock import MICROSECONDS_PER_SECOND, Instant

ACCESS_TOKEN_SECONDS = 10 * 60
REFRESH_TOKEN_DAYS = 30
"""From the session's last refresh."""
SESSION_DAYS = 180
"""From the sign-in, however often it was refreshed."""
REFRESH_GRACE_SECONDS = 30
"""How long a refresh may be repeated by a device that never got its answer."""
KEY_OVERLAP_SECONDS = 2 * 60
"""How long a signing key is published before it signs."""
PUBLISHED_KEYS_MAXIMUM_AGE_SECONDS = 60
"""How long others may keep the published keys."""
MAXIMUM_CLOCK_SKEW_SECONDS = 30
"""How far the clock of one of the deployment's machines may be from the true time."""

_DAY = 86_400 * MICROSECONDS_PER_SECOND
SESSION_MICROSECONDS = SESSION_DAYS * _DAY


def access_token_expiry(issued_at: Instant, *, opened_at: Instant) -> Instant:
    """When an access token issued then expires: after 10 minutes, at the latest with its session,
    and on a whole second, as tokens count."""
    seconds = min(
        issued_at // MICROSECONDS_PER_SECOND + ACCESS_TOKEN_SECONDS,
        session_end(opened_at) // MICROSECONDS_PER_SECOND,
    )
    return Instant(seconds * MICROSECONDS_PER_SECOND)


def refresh_token_expiry(issued_at: Instant, *, opened_at: Instant) -> Instant:
    """When a refresh token issued then expires, unless it's used: after 30 days, at the latest
    with its session."""
    return Instant(min(issued_at + REFRESH_TOKEN_DAYS * _DAY, session_end(opened_at)))


def session_end(opened_at: Instant) -> Instant:
    """When a session ends for good: 180 days after the sign-in."""
    return Instant(opened_at + SESSION_MICROSECONDS)
