"""What may be sent to whom and when: consent, quiet hours, caps, off-peak starts, retries.

Consent. Marketing (offers, points, challenges) by push or e-mail needs a statement, and the latest
of those that concern it decides: one of the whole channel (the consents `push` and `email`) or one
of this category on it. Two of the same instant: the refusal. Marketing in the inbox is shown unless
the member has switched its category off. Service messages need no consent; a member may switch
off their push, and they still come by e-mail and to the inbox.

Quiet hours are by the wall clock of the member. A cap of so many messages in so many days holds in
any so many times 24 hours, and counts messages, not the devices that they went to. Service messages
keep neither.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, local_datetime
from server.integrations import push
from server.integrations.push import OutcomeKind
from server.notifications.shapes import MARKETING, Cap, Category, Channel, Hours, Suppression

_MINUTE = 60 * MICROSECONDS_PER_SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_QUARTER = 15 * _MINUTE
_BEFORE_QUARTER = 2 * _MINUTE
_AFTER_QUARTER = 4 * _MINUTE
_SPREAD = 5 * _MINUTE
_TRIES = 4
RETRIED_HOURS = 24
"""For how long after the first attempt a message is tried again."""


class Statement(msgspec.Struct, frozen=True):
    """What a member said: of a category on a channel, or of all advertising on it."""

    channel: Channel
    category: Category | None  # None: all advertising on the channel
    is_given: bool
    changed_at: Instant


def may_reach(channel: Channel, category: Category, said: Iterable[Statement]) -> bool:
    """Whether messages of the category may go to the member by the channel, by all they said."""
    if category is Category.SERVICE and channel is not Channel.PUSH:
        return True
    kept = [
        one
        for one in said
        if one.channel is channel
        and (one.category is category or (one.category is None and category in MARKETING))
    ]
    if not kept:
        return category is Category.SERVICE or channel is Channel.IN_APP
    return max(kept, key=lambda one: (one.changed_at, not one.is_given)).is_given


# ---------------------------------------------------------------- quiet hours


def is_quiet(at: Instant, zone: str, hours: Hours | None) -> bool:
    """Whether the wall clock of the zone shows a quiet minute at the instant."""
    return hours is not None and _is_quiet_minute(local_datetime(at, zone), hours)


def _is_quiet_minute(local: datetime, hours: Hours) -> bool:
    minute = local.hour * 60 + local.minute
    if hours.from_minute <= hours.until_minute:
        return hours.from_minute <= minute < hours.until_minute
    return minute >= hours.from_minute or minute < hours.until_minute


def quiet_end(at: Instant, zone: str, hours: Hours | None) -> Instant:
    """The first instant from `at` on that is not quiet.

    Clocks that are put forward may skip the end of the hours, and then the quiet ends as they are;
    those that are put back may show a quiet minute twice, and then it is quiet twice.
    """
    while hours is not None:
        local = local_datetime(at, zone)
        if not _is_quiet_minute(local, hours):
            break
        minutes = (hours.until_minute - local.hour * 60 - local.minute) % (24 * 60)
        into_minute = local.second * MICROSECONDS_PER_SECOND + local.microsecond
        end = Instant(at - into_minute + minutes * _MINUTE)
        if local_datetime(end, zone).utcoffset() == local.utcoffset():
            return end
        at = _change_of_clocks(at, end, zone)
    return at


def _change_of_clocks(before: Instant, after: Instant, zone: str) -> Instant:
    """When the offset that holds `before` ends; `after` has another one."""
    offset = local_datetime(before, zone).utcoffset()
    last = before // MICROSECONDS_PER_SECOND
    first = after // MICROSECONDS_PER_SECOND
    while first - last > 1:
        middle = (last + first) // 2
        at = Instant(middle * MICROSECONDS_PER_SECOND)
        if local_datetime(at, zone).utcoffset() == offset:
            last = middle
        else:
            first = middle
    return Instant(first * MICROSECONDS_PER_SECOND)


# ---------------------------------------------------------------- the inbox


def shown_until(due_at: Instant, days: int, ends_at: Instant) -> Instant:
    """When a message leaves the inbox: so many days after it came, but not after what it is about
    has ended."""
    return min(Instant(due_at + days * _DAY), ends_at)


# ---------------------------------------------------------------- off-peak


def is_peak(at: Instant) -> bool:
    """Whether it is the time around a full quarter of an hour, when everybody else sends."""
    into = at % _QUARTER
    return into < _AFTER_QUARTER or into >= _QUARTER - _BEFORE_QUARTER


def off_peak(at: Instant, member_id: int, topic: str) -> Instant:
    """The instant itself, or else one in the minutes after the peak that it falls in: for each
    member another one, and for a member and a topic always the same."""
    if not is_peak(at):
        return at
    quarter = (at + _BEFORE_QUARTER) // _QUARTER * _QUARTER
    said = blake2b(f"{member_id}:{topic}".encode(), digest_size=8, key=b"laurel off-peak").digest()
    return Instant(quarter + _AFTER_QUARTER + int.from_bytes(said, "big") % _SPREAD)


def departure(
    at: Instant, member_id: int, topic: str, *, zone: str, hours: Hours | None
) -> Instant:
    """An instant from `at` on that is neither peak nor quiet, as `off_peak` spreads it; whose hours
    leave nearly nothing but peaks is sent to at one of those."""
    first = allowed = quiet_end(at, zone, hours)
    for _ in range(_TRIES):
        shifted = off_peak(allowed, member_id, topic)
        if shifted == allowed:
            return allowed
        allowed = quiet_end(shifted, zone, hours)
    return first


# ---------------------------------------------------------------- caps


def is_capped(
    category: Category, had: Iterable[tuple[Category, Instant]], caps: Sequence[Cap], now: Instant
) -> bool:
    """Whether one more message of the category would be too many after those that the member
    had."""
    if category not in MARKETING or not caps:
        return False
    kept = [(one, at) for one, at in had if one in MARKETING]
    for cap in caps:
        if cap.category not in (None, category):
            continue
        since = now - cap.days * _DAY
        counted = sum(at > since and cap.category in (None, one) for one, at in kept)
        if counted >= cap.messages:
            return True
    return False


def counted_since(caps: Sequence[Cap], now: Instant) -> Instant | None:
    """From after when on messages count against a cap; None if there is no cap."""
    return Instant(now - max(cap.days for cap in caps) * _DAY) if caps else None


# ---------------------------------------------------------------- the verdict


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether a delivery may go now."""

    channel: Channel
    category: Category
    member_id: int
    topic: str
    expires_at: Instant
    attempts: int
    is_merged: bool
    is_stopped: bool
    is_reachable: bool  # the device is live and the member's; there is an address
    said: Sequence[Statement]
    zone: str
    hours: Hours | None  # the member's own, or the programme's


class Verdict(msgspec.Struct, frozen=True):
    """It may go, or not and why, or not before an instant."""

    reason: Suppression | None = None
    until: Instant | None = None

    @property
    def may_go(self) -> bool:
        """Whether it may go now."""
        return self.reason is None and self.until is None


_GO = Verdict()


def verdict(facts: Facts, now: Instant) -> Verdict:
    """What is to be done with a delivery that is due; the caps are another question."""
    reason = _refusal(facts, now)
    if reason is not None:
        return Verdict(reason)
    if facts.category not in MARKETING or not is_quiet(now, facts.zone, facts.hours):
        return _GO
    until = departure(now, facts.member_id, facts.topic, zone=facts.zone, hours=facts.hours)
    return Verdict(Suppression.QUIET) if until >= facts.expires_at else Verdict(until=until)


def _refusal(facts: Facts, now: Instant) -> Suppression | None:
    if facts.is_merged:
        return Suppression.MERGED
    if facts.is_stopped:
        return Suppression.STOPPED
    if facts.expires_at <= now:
        return Suppression.EXPIRED
    if not facts.is_reachable:
        is_push = facts.channel is Channel.PUSH
        return Suppression.UNREGISTERED if is_push else Suppression.NO_ADDRESS
    if not may_reach(facts.channel, facts.category, facts.said):
        return Suppression.NO_CONSENT
    return None


# ---------------------------------------------------------------- retries


def tried_until(now: Instant, attempts: int, expires_at: Instant) -> Instant:
    """Until when a message is tried again whose attempt of that number, from 1, has just failed."""
    if attempts > 1:
        return expires_at
    return min(expires_at, Instant(now + RETRIED_HOURS * _HOUR))


def retry_at(
    now: Instant, attempts: int, kind: OutcomeKind, retry_after_seconds: int | None, jitter: float
) -> Instant:
    """When to try again after the attempt of that number, from 1; `jitter` is from 0 to 1."""
    seconds = push.pause_seconds(attempts, retry_after_seconds, jitter, kind=kind)
    return Instant(now + timedelta(seconds=seconds) // timedelta(microseconds=1))
