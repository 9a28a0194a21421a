"""How a plan stands: by its events' own instants and the clock, in whatever order they come."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.clock import NEVER, Instant
from server.plans.documents import Cancellation, Interval
from server.plans.rules import (
    Event,
    EventKind,
    PlanStatus,
    ReviewReason,
    Terms,
    after_days,
    boundary,
    ends_at,
    facts_of,
    has_benefits,
    status_at,
)
from tests.purchases.baskets import at

START = at("2026-01-31T10:00")
MONTHLY = Terms(
    interval=Interval.MONTH,
    price_minor=499,
    currency="USD",
    grace_days=7,
    cancellation=Cancellation.AT_PERIOD_END,
    time_zone="UTC",
    created_at=START,
    begins_at=None,
    is_trial=False,
    is_billed=True,
    expires_at=NEVER,
)
TRIAL = replace(MONTHLY, begins_at=at("2026-03-02T10:00"), is_trial=True)


def paid(day: str, number: int = 1, **known: Any) -> Event:
    event = Event(
        f"paid-{number}", EventKind.PAYMENT_SUCCEEDED, at(day), f"pay-{number}", 499, "USD"
    )
    return replace(event, **known)


def refunded(day: str, number: int = 1, **known: Any) -> Event:
    return paid(
        day, number, **{"event_id": f"r-{number}", "kind": EventKind.PAYMENT_REFUNDED} | known
    )


def event(kind: EventKind, day: str, event_id: str = "x") -> Event:
    return Event(event_id, kind, at(day))


def status(terms: Terms, day: str, *events: Event) -> PlanStatus:
    return status_at(terms, facts_of(terms, events), at(day))


@pytest.mark.parametrize(
    ("begins", "periods", "interval", "ends"),
    [
        ("2026-01-31T10:00", 1, Interval.MONTH, "2026-02-28T10:00"),
        ("2026-01-31T10:00", 2, Interval.MONTH, "2026-03-31T10:00"),
        ("2026-01-31T10:00", 3, Interval.MONTH, "2026-04-30T10:00"),
        ("2027-12-31T23:59", 2, Interval.MONTH, "2028-02-29T23:59"),
        ("2026-12-15T00:00", 1, Interval.MONTH, "2027-01-15T00:00"),
        ("2028-02-29T10:00", 1, Interval.YEAR, "2029-02-28T10:00"),
        ("2028-02-29T10:00", 4, Interval.YEAR, "2032-02-29T10:00"),
        ("2026-05-05T10:00", 0, Interval.YEAR, "2026-05-05T10:00"),
    ],
)
def test_periods_keep_the_day_of_their_beginning(
    begins: str, periods: int, interval: Interval, ends: str
) -> None:
    assert boundary(at(begins), periods, interval, "UTC") == at(ends)


def test_periods_are_those_of_the_zone_s_calendar() -> None:
    begins = at("2026-03-01T02:30")  # 21:30 of 28 February in New York
    assert boundary(begins, 1, Interval.MONTH, "America/New_York") == at("2026-03-29T01:30")
    assert after_days(at("2026-03-28T12:00"), 1, "Europe/Berlin") == at("2026-03-29T11:00")


def test_the_end_of_the_calendar_is_never() -> None:
    assert boundary(START, 8_000, Interval.YEAR, "UTC") == NEVER


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-31T10:00", PlanStatus.ACTIVE),
        ("2026-02-28T09:59", PlanStatus.ACTIVE),
        ("2026-02-28T10:00", PlanStatus.PAST_DUE),
        ("2026-03-07T09:59", PlanStatus.PAST_DUE),
        ("2026-03-07T10:00", PlanStatus.ENDED),
    ],
)
def test_what_is_paid_for_runs_then_the_days_of_grace_and_then_nothing(
    day: str, expected: PlanStatus
) -> None:
    assert status(MONTHLY, day, paid("2026-01-31T10:00")) is expected


def test_a_payment_in_the_days_of_grace_goes_on_from_the_period_before() -> None:
    facts = facts_of(MONTHLY, [paid("2026-01-31T10:00"), paid("2026-03-05", 2)])
    assert (facts.periods, facts.covered_until) == (2, at("2026-03-31T10:00"))
    assert facts.reviews == ()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-31T10:00", PlanStatus.PENDING),
        ("2026-02-01T09:59", PlanStatus.PENDING),
        ("2026-02-01T10:00", PlanStatus.ENDED),
    ],
)
def test_a_first_payment_is_waited_for_a_day(day: str, expected: PlanStatus) -> None:
    assert status(MONTHLY, day) is expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-01", PlanStatus.TRIALING),
        ("2026-03-02T10:00", PlanStatus.PAST_DUE),
        ("2026-03-09T10:00", PlanStatus.ENDED),
    ],
)
def test_a_trial_runs_then_the_days_of_grace(day: str, expected: PlanStatus) -> None:
    assert status(TRIAL, day) is expected


def test_what_is_paid_in_a_trial_is_for_the_first_period() -> None:
    facts = facts_of(TRIAL, [paid("2026-02-10")])
    assert facts.covered_until == at("2026-04-02T10:00")
    assert status_at(TRIAL, facts, at("2026-02-11")) is PlanStatus.TRIALING
    assert status_at(TRIAL, facts, at("2026-03-03")) is PlanStatus.ACTIVE


@pytest.mark.parametrize("terms", [MONTHLY, TRIAL])
def test_who_cancels_has_what_is_paid_for_and_no_days_of_grace(terms: Terms) -> None:
    events = [paid("2026-02-01T09:00"), event(EventKind.CANCELLED, "2026-02-10")]
    facts = facts_of(terms, events)
    covered = facts.covered_until
    assert covered is not None
    assert status_at(terms, facts, Instant(covered - 1)) is PlanStatus.CANCELLED
    assert status_at(terms, facts, covered) is PlanStatus.ENDED
    resumed = facts_of(terms, [*events, event(EventKind.RESUMED, "2026-02-11", "y")])
    assert status_at(terms, resumed, covered) is PlanStatus.PAST_DUE


def test_who_cancels_at_once_has_nothing_left_and_who_changes_has() -> None:
    terms = replace(MONTHLY, cancellation=Cancellation.AT_ONCE)
    start = paid("2026-01-31T10:00")
    cancelled = event(EventKind.CANCELLED, "2026-02-10")
    assert status(terms, "2026-02-10", start, cancelled) is PlanStatus.ENDED
    changed = event(EventKind.CHANGED, "2026-02-10")
    assert status(terms, "2026-02-10", start, changed) is PlanStatus.CANCELLED


def test_what_was_never_paid_ends_when_it_is_cancelled() -> None:
    cancelled = event(EventKind.PROVIDER_CANCELLED, "2026-01-31T11:00")
    assert status(MONTHLY, "2026-01-31T11:00", cancelled) is PlanStatus.ENDED


def test_a_plan_that_follows_another_waits_for_its_end() -> None:
    terms = replace(MONTHLY, begins_at=at("2026-02-20"))
    assert status(terms, "2026-02-19") is PlanStatus.PENDING
    assert status(terms, "2026-02-21") is PlanStatus.PAST_DUE
    assert status(terms, "2026-02-21", paid("2026-02-20")) is PlanStatus.ACTIVE
    cancelled = event(EventKind.CANCELLED, "2026-02-10")
    assert status(terms, "2026-02-10", cancelled) is PlanStatus.ENDED


def test_a_failed_payment_is_known_until_one_succeeds() -> None:
    failed = event(EventKind.PAYMENT_FAILED, "2026-02-28")
    known = [paid("2026-01-31T10:00"), failed]
    assert facts_of(MONTHLY, known).failed_at == at("2026-02-28")
    assert facts_of(MONTHLY, [*known, paid("2026-03-01", 2)]).failed_at is None


def test_a_refund_of_the_present_period_ends_it() -> None:
    events = [paid("2026-01-31T10:00"), paid("2026-02-28", 2), refunded("2026-03-10", 2)]
    facts = facts_of(MONTHLY, events)
    assert (facts.periods, facts.ended_at, facts.reviews) == (1, at("2026-03-10"), ())
    assert status_at(MONTHLY, facts, at("2026-03-10")) is PlanStatus.ENDED


@pytest.mark.parametrize(
    ("events", "reviews"),
    [
        ([paid("2026-02-01T09:00", amount_minor=498)], [("paid-1", ReviewReason.AMOUNT)]),
        ([paid("2026-02-01T09:00", amount_minor=500)], [("paid-1", ReviewReason.AMOUNT)]),
        ([paid("2026-02-01T09:00", currency="EUR")], [("paid-1", ReviewReason.AMOUNT)]),
        ([paid("2026-02-01T11:00")], [("paid-1", ReviewReason.AFTER_END)]),
        (
            [paid("2026-01-31T10:00"), paid("2026-02-01", 2), paid("2026-02-02", 3)],
            [("paid-3", ReviewReason.IN_ADVANCE)],
        ),
        (
            [
                paid("2026-01-31T10:00"),
                event(EventKind.CANCELLED, "2026-02-05"),
                paid("2026-02-06", 2),
            ],
            [("paid-2", ReviewReason.AFTER_END)],
        ),
        (
            [paid("2026-01-31T10:00"), refunded("2026-02-05", amount_minor=1)],
            [("r-1", ReviewReason.REFUND_AMOUNT)],
        ),
        ([refunded("2026-01-31T11:00", 9)], [("r-9", ReviewReason.UNKNOWN_PAYMENT)]),
    ],
)
def test_what_is_not_as_asked_is_held_for_review(
    events: list[Event], reviews: list[tuple[str, ReviewReason]]
) -> None:
    assert list(facts_of(MONTHLY, events).reviews) == reviews


def test_one_payment_told_of_twice_is_one() -> None:
    twice = [paid("2026-01-31T10:00"), paid("2026-01-31T10:01", event_id="again")]
    assert facts_of(MONTHLY, twice).periods == 1


def test_what_is_granted_runs_until_it_expires_or_is_ended() -> None:
    granted = replace(MONTHLY, is_billed=False, price_minor=0, expires_at=at("2026-06-01"))
    assert status(granted, "2026-05-31") is PlanStatus.ACTIVE
    assert status(granted, "2026-06-01") is PlanStatus.ENDED
    ended = event(EventKind.ENDED, "2026-03-01")
    assert status(granted, "2026-03-01", ended) is PlanStatus.ENDED


@pytest.mark.parametrize("one", PlanStatus)
def test_benefits_are_for_those_whose_plan_runs(one: PlanStatus) -> None:
    assert has_benefits(one) is (one not in {PlanStatus.PENDING, PlanStatus.ENDED})


EVENTS = st.lists(
    st.builds(
        Event,
        event_id=st.sampled_from([f"e{number}" for number in range(12)]),
        kind=st.sampled_from(EventKind),
        occurred_at=st.integers(0, 200).map(lambda days: Instant(START + days * 43_200_000_000)),
        payment_id=st.sampled_from(["a", "b", "c", "d"]),
        amount_minor=st.sampled_from([499, 499, 499, 1]),
        currency=st.just("USD"),
    ),
    unique_by=lambda one: one.event_id,
    max_size=12,
)


@given(
    terms=st.sampled_from([MONTHLY, TRIAL, replace(MONTHLY, cancellation=Cancellation.AT_ONCE)]),
    events=EVENTS,
    data=st.data(),
)
def test_neither_order_nor_repetition_of_events_matters(
    terms: Terms, events: list[Event], data: st.DataObject
) -> None:
    expected = facts_of(terms, sorted(events, key=lambda one: one.occurred_at))
    again = data.draw(st.lists(st.sampled_from(events))) if events else []
    shuffled = data.draw(st.permutations([*events, *again]))
    assert facts_of(terms, shuffled) == expected


@given(terms=st.sampled_from([MONTHLY, TRIAL]), events=EVENTS)
def test_what_is_paid_for_is_what_was_paid_and_a_plan_stands_one_way(
    terms: Terms, events: list[Event]
) -> None:
    facts = facts_of(terms, events)
    payments = {
        one.payment_id
        for one in events
        if one.kind is EventKind.PAYMENT_SUCCEEDED and one.amount_minor == terms.price_minor
    }
    assert facts.periods <= len(payments)
    if facts.periods:
        assert facts.begins_at is not None
        ends = boundary(facts.begins_at, facts.periods, terms.interval, terms.time_zone)
        assert facts.covered_until == ends
    end = ends_at(terms, facts)
    assert status_at(terms, facts, end) is PlanStatus.ENDED
    if end > START:
        assert status_at(terms, facts, Instant(end - 1)) is not PlanStatus.ENDED
