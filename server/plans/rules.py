"""How a plan stands: worked out from what is known of it and the clock, and from nothing else.

What is known are events: payments as the provider tells of them, and what the member and the staff
did. They are sorted by their own instants and each counts once, so that neither the order in which
they arrive nor their repetition changes anything.
"""

import calendar
from collections.abc import Iterable
from datetime import MAXYEAR, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from server import clock
from server.clock import NEVER, Instant
from server.plans.documents import Cancellation, Interval

CHECKOUT_SECONDS = 24 * 60 * 60
"""For how long a first payment is waited for."""
_MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}


class PlanStatus(StrEnum):
    """How a member's plan stands."""

    PENDING = "pending"  # waits for its first payment, or for the plan before it to end
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"  # a payment is missing, and the benefits go on for the days of grace
    CANCELLED = "cancelled"  # goes on to the end of what is paid for, and no further
    ENDED = "ended"


class EventKind(StrEnum):
    """What happened to a member's plan."""

    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_REFUNDED = "payment.refunded"
    PROVIDER_CANCELLED = "subscription.cancelled"
    CANCELLED = "cancelled"  # by the member
    CHANGED = "changed"  # by the member: another plan follows it
    RESUMED = "resumed"
    ENDED = "ended"  # by the staff


class ReviewReason(StrEnum):
    """Why what the provider tells was not taken for granted: the staff look at it."""

    AMOUNT = "amount"  # another amount or currency than was asked for
    AFTER_END = "after_end"  # paid for what had ended, or was cancelled
    IN_ADVANCE = "in_advance"  # paid for more than the period after this one
    REFUND_AMOUNT = "refund_amount"  # not all of a payment was refunded, or more
    UNKNOWN_PAYMENT = "unknown_payment"  # refunded, and never heard of as paid


class Terms(Struct, frozen=True):
    """What was agreed on when the member subscribed."""

    interval: Interval
    price_minor: int
    currency: str
    grace_days: int
    cancellation: Cancellation
    time_zone: str
    created_at: Instant
    begins_at: Instant | None  # of the first period; None: with the first payment
    is_trial: bool  # until `begins_at`
    is_billed: bool  # False: granted, or free of charge
    expires_at: Instant  # of what is granted; NEVER otherwise


class Event(Struct, frozen=True):
    """Something that happened, by its own instant."""

    event_id: str
    kind: EventKind
    occurred_at: Instant
    payment_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Facts(Struct, frozen=True):
    """What follows from the events."""

    begins_at: Instant | None  # of the first period
    periods: int = 0  # that are paid for
    covered_until: Instant | None = None  # what is paid for, or the trial
    cancelled_at: Instant | None = None
    ended_at: Instant | None = None
    failed_at: Instant | None = None  # the last payment, unless one has succeeded since
    reviews: tuple[tuple[str, ReviewReason], ...] = ()  # by event


# ---------------------------------------------------------------- the calendar


def after_days(instant: Instant, days: int, zone_name: str) -> Instant:
    """The same time of day so many days later in the zone's calendar."""
    local = clock.local_datetime(instant, zone_name) + timedelta(days=days)
    return clock.instant_of(local)


def boundary(begins_at: Instant, periods: int, interval: Interval, zone_name: str) -> Instant:
    """The end of so many periods from the beginning: the same time of the same day of a month, or
    of its last day if it has none such. The day is that of the beginning ever after."""
    local = clock.local_datetime(begins_at, zone_name)
    months = local.year * 12 + local.month - 1 + periods * _MONTHS[interval]
    year, month = months // 12, months % 12 + 1
    if year >= MAXYEAR:
        return NEVER
    day = min(local.day, calendar.monthrange(year, month)[1])
    return clock.instant_of(local.replace(year=year, month=month, day=day, fold=0))


# ---------------------------------------------------------------- what follows


def facts_of(terms: Terms, events: Iterable[Event]) -> Facts:
    """What follows from the events, in whatever order and however often they are given."""
    unique = {event.event_id: event for event in events}
    ordered = sorted(unique.values(), key=lambda event: (event.occurred_at, event.event_id))
    story = _Story(terms, ordered)
    for event in ordered:
        story.take(event)
    return story.facts


class _Story:
    """The events told in their order."""

    def __init__(self, terms: Terms, ordered: list[Event]) -> None:
        self._terms = terms
        self._refunded = {
            event.payment_id
            for event in ordered
            if event.kind is EventKind.PAYMENT_REFUNDED and self._is_whole(event)
        }
        self._paid = {
            event.payment_id for event in ordered if event.kind is EventKind.PAYMENT_SUCCEEDED
        }
        self._counted: set[str | None] = set()
        self.facts = Facts(terms.begins_at, covered_until=terms.begins_at)

    def take(self, event: Event) -> None:
        """What follows from one more event."""
        if event.kind is EventKind.PAYMENT_SUCCEEDED:
            self._pay(event)
        elif event.kind is EventKind.PAYMENT_REFUNDED:
            self._refund(event)
        elif event.kind is EventKind.PAYMENT_FAILED:
            self._know(failed_at=event.occurred_at)
        elif event.kind is EventKind.RESUMED:
            if not self._is_over(event.occurred_at):
                self._know(cancelled_at=None)
        elif event.kind is EventKind.ENDED:
            self._end(event.occurred_at)
        else:
            self._cancel(event.occurred_at, at_once=self._ends_at_once(event))

    def _ends_at_once(self, event: Event) -> bool:
        """Whether cancelling is the end; who changes has the period that they paid for."""
        is_policy = self._terms.cancellation is Cancellation.AT_ONCE
        return is_policy and event.kind is not EventKind.CHANGED

    def _know(self, **known: object) -> None:
        self.facts = replace(self.facts, **known)

    def _is_whole(self, event: Event) -> bool:
        wanted = (self._terms.price_minor, self._terms.currency)
        return (event.amount_minor, event.currency) == wanted

    def _is_over(self, at: Instant) -> bool:
        return ends_at(self._terms, self.facts) <= at

    def _review(self, event: Event, reason: ReviewReason) -> None:
        self._know(reviews=(*self.facts.reviews, (event.event_id, reason)))

    def _pay(self, event: Event) -> None:
        if not self._is_whole(event):
            self._review(event, ReviewReason.AMOUNT)
        elif event.payment_id in self._counted or event.payment_id in self._refunded:
            return
        elif self.facts.cancelled_at is not None or self._is_over(event.occurred_at):
            self._review(event, ReviewReason.AFTER_END)
        elif self._is_in_advance(event.occurred_at):
            self._review(event, ReviewReason.IN_ADVANCE)
        else:
            self._counted.add(event.payment_id)
            begins_at = self.facts.begins_at
            begins_at = event.occurred_at if begins_at is None else begins_at
            periods = self.facts.periods + 1
            covered = boundary(begins_at, periods, self._terms.interval, self._terms.time_zone)
            self._know(begins_at=begins_at, periods=periods, covered_until=covered, failed_at=None)

    def _is_in_advance(self, at: Instant) -> bool:
        """Whether the period after the present one is paid for already."""
        begins_at, periods = self.facts.begins_at, self.facts.periods
        if begins_at is None or not periods:
            return False
        before = boundary(begins_at, periods - 1, self._terms.interval, self._terms.time_zone)
        return at < before

    def _refund(self, event: Event) -> None:
        if event.payment_id not in self._paid:
            self._review(event, ReviewReason.UNKNOWN_PAYMENT)
        elif event.payment_id not in self._refunded:
            self._review(event, ReviewReason.REFUND_AMOUNT)
        covered = self.facts.covered_until
        if self._is_whole(event) and (covered is None or covered <= event.occurred_at):
            self._end(event.occurred_at)  # without days of grace: nobody waits for a payment

    def _cancel(self, at: Instant, *, at_once: bool) -> None:
        if self.facts.cancelled_at is not None or self._is_over(at):
            return
        self._know(cancelled_at=at)
        if at_once or not self._has_begun(at):
            self._end(at)

    def _has_begun(self, at: Instant) -> bool:
        begins_at = self.facts.begins_at
        return self._terms.is_trial or (begins_at is not None and begins_at <= at)

    def _end(self, at: Instant) -> None:
        before = self.facts.ended_at
        self._know(ended_at=at if before is None else Instant(min(before, at)))


# ---------------------------------------------------------------- the clock


def ends_at(terms: Terms, facts: Facts) -> Instant:
    """From when on nothing is left of it, as things are: nothing more is paid, nothing more
    happens."""
    if facts.ended_at is not None:
        return facts.ended_at
    if not terms.is_billed:
        return terms.expires_at if facts.cancelled_at is None else facts.cancelled_at
    covered = facts.covered_until
    if covered is None:
        return Instant(terms.created_at + CHECKOUT_SECONDS * clock.MICROSECONDS_PER_SECOND)
    if facts.cancelled_at is not None:
        return Instant(max(covered, facts.cancelled_at))
    if covered == NEVER:
        return NEVER
    return after_days(covered, terms.grace_days, terms.time_zone)


def status_at(terms: Terms, facts: Facts, now: Instant) -> PlanStatus:
    """How the plan stands at the instant."""
    if ends_at(terms, facts) <= now:
        return PlanStatus.ENDED
    if not terms.is_billed:
        return PlanStatus.ACTIVE
    begins_at, covered = facts.begins_at, facts.covered_until
    if begins_at is None or covered is None or (now < begins_at and not terms.is_trial):
        return PlanStatus.PENDING
    if facts.cancelled_at is not None:
        return PlanStatus.CANCELLED
    if now < begins_at:
        return PlanStatus.TRIALING
    return PlanStatus.ACTIVE if now < covered else PlanStatus.PAST_DUE


def has_benefits(status: PlanStatus) -> bool:
    """Whether who has a plan that stands so gets its benefits."""
    return status not in (PlanStatus.PENDING, PlanStatus.ENDED)
