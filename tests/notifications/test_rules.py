"""The rules of sending, tried with many random statements, hours and clocks."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import MICROSECONDS_PER_SECOND, Instant, local_datetime
from server.integrations.push import OutcomeKind
from server.notifications import rules
from server.notifications.rules import Statement
from server.notifications.shapes import MARKETING, Cap, Category, Channel, Hours
from tests.notifications.posting import DAY, HOUR, MINUTE, NOON, SECOND, at

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Santiago",  # at midnight
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
]
YEAR = st.integers(at("2026-01-01T00:00"), at("2027-01-01T00:00")).map(Instant)
MINUTES = st.integers(0, 1439)
HOURS = st.builds(Hours, MINUTES, MINUTES)
STATEMENTS = st.lists(
    st.builds(
        Statement,
        st.sampled_from(Channel),
        st.one_of(st.none(), st.sampled_from(Category)),
        st.booleans(),
        st.integers(0, 5).map(Instant),
    ),
    max_size=8,
)


# ---------------------------------------------------------------- consent


@given(
    STATEMENTS, st.sampled_from([Channel.PUSH, Channel.EMAIL]), st.sampled_from(sorted(MARKETING))
)
def test_marketing_needs_that_the_latest_statement_agrees(
    said: list[Statement], channel: Channel, category: Category
) -> None:
    may = rules.may_reach(channel, category, said)
    concerning = [
        one for one in said if one.channel is channel and one.category in (None, category)
    ]
    last = max((one.changed_at for one in concerning), default=None)
    assert may == (
        last is not None and all(one.is_given for one in concerning if one.changed_at == last)
    )


@given(STATEMENTS)
def test_service_comes_whatever_was_said_but_for_push_that_is_switched_off(
    said: list[Statement],
) -> None:
    assert rules.may_reach(Channel.EMAIL, Category.SERVICE, said)
    assert rules.may_reach(Channel.IN_APP, Category.SERVICE, said)
    own = [one for one in said if (one.channel, one.category) == (Channel.PUSH, Category.SERVICE)]
    assert rules.may_reach(Channel.PUSH, Category.SERVICE, said) or not all(
        one.is_given for one in own
    )


def test_the_inbox_is_for_all_who_did_not_switch_it_off() -> None:
    off = Statement(Channel.IN_APP, Category.OFFERS, False, Instant(1))
    assert rules.may_reach(Channel.IN_APP, Category.OFFERS, [])
    assert not rules.may_reach(Channel.IN_APP, Category.OFFERS, [off])
    assert rules.may_reach(Channel.IN_APP, Category.POINTS, [off])


# ---------------------------------------------------------------- quiet hours


@given(YEAR, st.sampled_from(ZONES), HOURS)
def test_the_end_of_quiet_is_the_first_instant_that_is_not(
    now: Instant, zone: str, hours: Hours
) -> None:
    end = rules.quiet_end(now, zone, hours)
    assert not rules.is_quiet(end, zone, hours)
    assert now <= end <= now + 2 * DAY
    minute = Instant(now + MINUTE - now % MINUTE)
    while minute < end:
        assert rules.is_quiet(minute, zone, hours)
        minute = Instant(minute + 10 * MINUTE)
    if end > now:
        assert rules.is_quiet(Instant(end - 1), zone, hours)


@pytest.mark.parametrize(
    ("now", "hours", "end"),
    [
        # From 02:00 to 03:00 clocks are put forward: there is no 02:30.
        ("2026-03-29T00:30", Hours(22 * 60, 2 * 60 + 30), "2026-03-29T01:00"),
        # From 03:00 to 02:00 they are put back: 02:00 to 02:30 comes twice, and is quiet twice.
        ("2026-10-25T00:10", Hours(22 * 60, 2 * 60 + 30), "2026-10-25T00:30"),
        ("2026-10-25T01:10", Hours(22 * 60, 2 * 60 + 30), "2026-10-25T01:30"),
        ("2026-10-25T00:10", Hours(22 * 60, 8 * 60), "2026-10-25T07:00"),
        ("2026-03-29T00:10", Hours(22 * 60, 8 * 60), "2026-03-29T06:00"),
        # The only minutes that are not quiet are skipped that night.
        ("2026-03-29T00:10", Hours(2 * 60 + 30, 2 * 60), "2026-03-30T00:00"),
        ("2026-06-01T12:00", Hours(600, 600), "2026-06-01T12:00"),
    ],
)
def test_quiet_hours_over_changes_of_clocks(now: str, hours: Hours, end: str) -> None:
    assert rules.quiet_end(at(now), "Europe/Berlin", hours) == at(end)


def test_a_change_of_clocks_is_found_to_the_second() -> None:
    hours = Hours(0, 24 * 60 - 1)
    for zone in ZONES:
        now = at("2026-01-01T00:00")
        end = rules.quiet_end(now, zone, hours)
        local = local_datetime(end, zone)
        assert (local.hour, local.minute, local.second, local.microsecond) == (23, 59, 0, 0)


# ---------------------------------------------------------------- off-peak


@given(YEAR, st.integers(1, 2**62), st.text(max_size=20))
def test_off_peak_moves_only_what_is_at_a_peak_and_only_after_it(
    due: Instant, member_id: int, topic: str
) -> None:
    moved = rules.off_peak(due, member_id, topic)
    assert not rules.is_peak(moved)
    assert rules.off_peak(moved, member_id, topic) == moved
    assert rules.off_peak(due, member_id, topic) == moved
    minute = due // MINUTE % 60
    is_peak = minute % 15 in (13, 14, 0, 1, 2, 3)
    assert is_peak == rules.is_peak(due)
    assert (moved > due) if is_peak else (moved == due)
    assert moved - due < 11 * MINUTE


def test_off_peak_spreads_members_over_minutes() -> None:
    due = at("2026-05-12T10:00")
    minutes = {(rules.off_peak(due, member, "spring") - due) // MINUTE for member in range(200)}
    assert minutes == {4, 5, 6, 7, 8}


@given(YEAR, st.integers(1, 2**62), st.sampled_from(ZONES), HOURS)
def test_a_departure_is_neither_at_a_peak_nor_quiet(
    due: Instant, member_id: int, zone: str, hours: Hours
) -> None:
    leaves = rules.departure(due, member_id, "spring", zone=zone, hours=hours)
    assert leaves >= due
    assert not rules.is_quiet(leaves, zone, hours)
    open_minutes = (hours.from_minute - hours.until_minute) % 1440
    assert not rules.is_peak(leaves) or 0 < open_minutes < 40


# ---------------------------------------------------------------- caps


@given(
    st.lists(st.tuples(st.sampled_from(Category), st.integers(0, 20 * DAY)), max_size=30),
    st.lists(
        st.builds(
            Cap,
            st.one_of(st.none(), st.sampled_from(sorted(MARKETING))),
            st.integers(0, 4),
            st.integers(1, 9),
        ),
        max_size=3,
    ),
)
def test_who_asks_before_each_message_exceeds_no_cap(
    wanted: list[tuple[Category, int]], caps: list[Cap]
) -> None:
    had: list[tuple[Category, Instant]] = []
    for category, when in sorted(wanted, key=lambda one: one[1]):
        if not rules.is_capped(category, had, caps, Instant(when)):
            had.append((category, Instant(when)))
    for cap in caps:
        counted = [
            when
            for category, when in had
            if category in MARKETING and cap.category in (None, category)
        ]
        for last in counted:
            window = [one for one in counted if last - cap.days * DAY < one <= last]
            assert len(window) <= cap.messages
    service = [one for one in wanted if one[0] is Category.SERVICE]
    assert len(service) == sum(category is Category.SERVICE for category, _when in had)


def test_a_cap_lets_go_when_its_days_are_over() -> None:
    had = [(Category.OFFERS, NOON)]
    cap = (Cap(None, 1, 1),)
    assert rules.is_capped(Category.POINTS, had, cap, Instant(NOON + DAY - 1))
    assert not rules.is_capped(Category.POINTS, had, cap, Instant(NOON + DAY))
    assert not rules.is_capped(Category.OFFERS, had, (), NOON)


# ---------------------------------------------------------------- retries


@given(st.integers(1, 30), st.one_of(st.none(), st.integers(0, 7200)), st.floats(0, 1))
def test_a_retry_waits_as_long_as_it_was_asked_to(
    attempt: int, after: int | None, jitter: float
) -> None:
    due = rules.retry_at(NOON, attempt, OutcomeKind.UNAVAILABLE, after, jitter)
    assert due >= NOON + (after or 0) * SECOND
    assert due <= NOON + 3 * HOUR


def test_retries_end_a_day_after_the_first_or_when_it_is_too_late() -> None:
    late, soon = Instant(NOON + 9 * DAY), Instant(NOON + HOUR)
    assert rules.tried_until(NOON, 1, late) == NOON + DAY
    assert rules.tried_until(NOON, 1, soon) == soon
    assert rules.tried_until(NOON, 2, late) == late


def test_the_clocks_of_the_zones_change_in_the_year() -> None:
    """Or the properties above would not be what they say."""
    changing = 0
    for zone in ZONES:
        offsets = {
            (local_datetime(at("2026-01-01T00:00"), zone) + timedelta(days=day))
            .astimezone(ZoneInfo(zone))
            .utcoffset()
            for day in range(0, 365, 10)
        }
        changing += len(offsets) > 1
    assert changing >= 4
    assert MICROSECONDS_PER_SECOND == SECOND
