"""When a webhook is tried again and given up, and what staff may say of a subscription."""

import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from server.clock import MICROSECONDS_PER_SECOND, Instant, instant_of
from server.errors import InvalidInput, phrase

_HOUR: Final = 3_600
PAUSES_SECONDS: Final = (
    5,
    5 * 60,
    30 * 60,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Between one attempt and the next, as the Standard Webhooks specification suggests: ten attempts,
the last of them after more than three days."""
JITTER_PERCENT: Final = 10
"""By how much a pause may be longer, so that what failed together isn't tried together."""
GIVEN_UP_AFTER_SECONDS: Final = 84 * _HOUR
"""No attempt is made later than so long after the first, whatever pauses an endpoint asks for."""
MAXIMUM_PAUSE_SECONDS: Final = 24 * _HOUR

FAILING_SECONDS: Final = 72 * _HOUR
"""An endpoint that has taken nothing for so long is disabled, if more than one delivery failed."""
FAILING_DELIVERIES: Final = 2

OVERLAP_HOURS: Final = 24
MAXIMUM_OVERLAP_HOURS: Final = 720
MAXIMUM_SUBSCRIPTIONS: Final = 50
MAXIMUM_NAME_LENGTH: Final = 120
MAXIMUM_PARTNER_LENGTH: Final = 64


class State(StrEnum):
    """Whether a subscription is told of events."""

    ACTIVE = "active"  # it is told
    PAUSED = "paused"  # what happens waits until it is resumed
    DISABLED = "disabled"  # by the server, for its endpoint failed; what happens is not kept for it
    DELETED = "deleted"  # it is no more


class DisabledReason(StrEnum):
    """Why the server has disabled a subscription."""

    GONE = "gone"  # the endpoint answered 410
    FAILING = "failing"  # it has taken nothing for three days


class Status(StrEnum):
    """What became of a delivery."""

    QUEUED = "queued"  # it waits for its first or next attempt
    DELIVERED = "delivered"  # the endpoint has taken it
    DEAD = "dead"  # given up: a dead letter, which can be replayed
    CANCELLED = "cancelled"  # its subscription was deleted


def next_attempt_at(
    attempts: int, *, tried_since: Instant, now: Instant, retry_after_seconds: int | None = None
) -> Instant | None:
    """When to try again what has failed so many times; None if it is given up."""
    if attempts > len(PAUSES_SECONDS):
        return None
    pause = PAUSES_SECONDS[attempts - 1]
    asked = min(retry_after_seconds or 0, MAXIMUM_PAUSE_SECONDS)
    wait = max(pause, asked) * MICROSECONDS_PER_SECOND
    again = Instant(now + wait + secrets.randbelow(wait * JITTER_PERCENT // 100 + 1))
    latest = tried_since + GIVEN_UP_AFTER_SECONDS * MICROSECONDS_PER_SECOND
    return again if again <= latest else None


def retry_after_seconds(header: str | None, now: Instant) -> int | None:
    """What a Retry-After header asks for (RFC 9110, 10.2.3); None if it asks for nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), MAXIMUM_PAUSE_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
        at = instant_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):  # a year of twenty digits is no date either
        return None
    left = max(0, at - now) // MICROSECONDS_PER_SECOND
    return min(left, MAXIMUM_PAUSE_SECONDS)


def has_failed_for_long(failing_since: Instant, now: Instant) -> bool:
    """Whether an endpoint that has taken nothing since then has failed for long enough."""
    return now - failing_since >= FAILING_SECONDS * MICROSECONDS_PER_SECOND


# ---------------------------------------------------------------- what staff say


def valid_name(text: str) -> str:
    """A name for the operator's own lists. Raises InvalidInput."""
    return _valid_text("name", text, MAXIMUM_NAME_LENGTH)


def valid_partner(text: str) -> str:
    """A partner's key, as API keys have it. Raises InvalidInput."""
    return _valid_text("partner", text, MAXIMUM_PARTNER_LENGTH)


def _valid_text(name: str, text: str, maximum: int) -> str:
    if not 1 <= len(text) <= maximum or not text.isprintable() or not text.strip():
        raise InvalidInput(
            "input.text",
            path=(name,),
            value=text,
            accepted=phrase("accepted.printable", minimum=1, maximum=maximum),
        )
    return text


def valid_overlap_hours(hours: int) -> int:
    """For how long a former secret still counts. Raises InvalidInput."""
    if not 0 <= hours <= MAXIMUM_OVERLAP_HOURS:
        raise InvalidInput(
            "webhook.overlap",
            path=("overlapHours",),
            value=hours,
            accepted=phrase("accepted.hours", maximum=MAXIMUM_OVERLAP_HOURS),
        )
    return hours
