"""The arithmetic of challenges: periods at the edges of years, progress, and runs of weeks."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.challenges import rules
from server.challenges.rules import (
    Challenge,
    Metric,
    Period,
    Progress,
    PurchaseFacts,
    Run,
    StreakRule,
)
from server.clock import Instant, LocalDay, day_of
from tests.purchases.baskets import programme_with

WEEK, MONTH = Period.CALENDAR_WEEK, Period.CALENDAR_MONTH
VISITS = Challenge("visits", Metric.VISIT_DAYS, WEEK, 3, 50, StreakRule(4, 200))
DEPARTMENTS = Challenge("departments", Metric.DISTINCT_DEPARTMENTS, MONTH, 2, 100)
SPEND = Challenge("spend", Metric.SPEND_MINOR, MONTH, 1000, 150)
NONE: frozenset[str] = frozenset()


def day(text: str) -> LocalDay:
    return day_of(date.fromisoformat(text))


def facts(when: str, eligible: int = 1, *departments: str) -> PurchaseFacts:
    return PurchaseFacts(Instant(day(when)), day(when), eligible, frozenset(departments))


@pytest.mark.parametrize(
    ("period", "when", "first", "following", "previous"),
    [
        (WEEK, "2016-12-31", "2016-12-26", "2017-01-02", "2016-12-19"),
        (WEEK, "2017-01-01", "2016-12-26", "2017-01-02", "2016-12-19"),  # a Sunday
        (WEEK, "2017-01-02", "2017-01-02", "2017-01-09", "2016-12-26"),
        (WEEK, "2020-02-29", "2020-02-24", "2020-03-02", "2020-02-17"),
        (WEEK, "2020-12-31", "2020-12-28", "2021-01-04", "2020-12-21"),
        (MONTH, "2017-01-01", "2017-01-01", "2017-02-01", "2016-12-01"),
        (MONTH, "2017-01-31", "2017-01-01", "2017-02-01", "2016-12-01"),
        (MONTH, "2020-02-29", "2020-02-01", "2020-03-01", "2020-01-01"),
        (MONTH, "2017-02-28", "2017-02-01", "2017-03-01", "2017-01-01"),
        (MONTH, "2016-12-31", "2016-12-01", "2017-01-01", "2016-11-01"),
        (MONTH, "2000-02-29", "2000-02-01", "2000-03-01", "2000-01-01"),
    ],
)
def test_a_day_lies_in_its_week_from_monday_or_its_calendar_month(
    period: Period, when: str, first: str, following: str, previous: str
) -> None:
    start = rules.period_start(period, day(when))
    assert start == day(first)
    assert rules.next_period_start(period, start) == day(following)
    assert rules.previous_period_start(period, start) == day(previous)


@given(period=st.sampled_from(Period), number=st.integers(-50_000, 50_000))
def test_every_day_lies_in_exactly_one_period_and_periods_follow_each_other(
    period: Period, number: int
) -> None:
    start = rules.period_start(period, LocalDay(number))
    following = rules.next_period_start(period, start)
    assert start <= number < following
    assert rules.period_start(period, LocalDay(following - 1)) == start
    assert rules.period_start(period, following) == following
    assert rules.previous_period_start(period, following) == start


def test_the_programmes_challenges_come_in_the_order_in_which_they_are_rewarded() -> None:
    assert rules.challenges_of(programme_with()) == (
        Challenge("weekly_visits", Metric.VISIT_DAYS, WEEK, 3, 50, StreakRule(4, 200)),
        Challenge("departments", Metric.DISTINCT_DEPARTMENTS, MONTH, 5, 100),
        Challenge("month_spend", Metric.SPEND_MINOR, MONTH, 10_000, 150),
    )


def test_a_visit_day_counts_once_and_only_with_eligible_spend() -> None:
    progress = Progress()
    for when, eligible, expected in (
        ("2017-01-02", 0, 0),
        ("2017-01-02", 1, 1),
        ("2017-01-02", 500, 1),
        ("2017-01-08", 1, 2),
    ):
        assert not rules.count(VISITS, progress, facts(when, eligible), NONE)
        assert progress.progress == expected
    assert rules.count(VISITS, progress, facts("2017-01-03"), NONE)
    assert progress.completed_at == facts("2017-01-03").at


def test_a_period_is_completed_once_and_its_progress_goes_on() -> None:
    progress = Progress()
    assert not rules.count(SPEND, progress, facts("2017-01-02", 999), NONE)
    assert rules.count(SPEND, progress, facts("2017-01-03", 1), NONE)
    assert not rules.count(SPEND, progress, facts("2017-01-04", 5000), NONE)
    assert (progress.progress, progress.completed_at) == (6000, facts("2017-01-03").at)


def test_departments_count_once_without_those_that_are_ignored() -> None:
    progress = Progress()
    ignored = frozenset({"COUPON"})
    assert not rules.count(DEPARTMENTS, progress, facts("2017-01-02", 5, "MEAT", "COUPON"), ignored)
    assert not rules.count(DEPARTMENTS, progress, facts("2017-01-02", 5, "MEAT"), ignored)
    assert progress.counted == {"MEAT"}
    assert rules.count(DEPARTMENTS, progress, facts("2017-01-02", 0, "DELI"), ignored)
    assert progress.progress == 2


@given(st.sets(st.text(min_size=1, max_size=5)))
def test_what_was_counted_is_stored_and_read_back(counted: set[str]) -> None:
    assert rules.read_counted(rules.stored_counted(Progress(counted=counted))) == counted


# ---------------------------------------------------------------- streaks


def week(number: int) -> LocalDay:
    """The start of a week: number 0 is the last that starts in 2016."""
    return LocalDay(day("2016-12-26") + 7 * number)


def run(first: int, last: int, streaks: int) -> Run:
    return Run(week(first), week(last), streaks)


def complete(runs: list[Run], *weeks: int, periods: int = 4) -> list[int]:
    challenge = Challenge("visits", Metric.VISIT_DAYS, WEEK, 3, 50, StreakRule(periods, 200))
    return [rules.extend_runs(runs, challenge, week(number))[0] for number in weeks]


def test_every_fourth_week_in_a_row_gives_a_streak_also_over_the_end_of_the_year() -> None:
    runs: list[Run] = []
    assert complete(runs, *range(-3, 6)) == [0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert runs == [run(-3, 5, 2)]


def test_a_gap_starts_a_new_run() -> None:
    runs: list[Run] = []
    assert complete(runs, 0, 1, 2, 4, 5, 6, 7) == [0, 0, 0, 0, 0, 0, 1]
    assert runs == [run(0, 2, 0), run(4, 7, 1)]


def test_a_late_week_joins_two_runs_and_gives_the_streak_that_was_missing() -> None:
    runs = [run(0, 1, 0), run(3, 4, 0), run(9, 9, 0)]
    streaks, joined, swallowed = rules.extend_runs(runs, VISITS, week(2))
    assert (streaks, joined) == (1, run(0, 4, 1))
    assert swallowed == [run(3, 4, 0)]
    assert runs == [run(9, 9, 0), run(0, 4, 1)]


def test_a_late_week_before_a_run_extends_it_backwards() -> None:
    runs = [run(1, 3, 0)]
    streaks, joined, swallowed = rules.extend_runs(runs, VISITS, week(0))
    assert (streaks, joined, swallowed) == (1, run(0, 3, 1), [run(1, 3, 0)])


def test_streaks_that_were_given_are_not_given_again_when_runs_join() -> None:
    runs = [run(0, 3, 1), run(5, 8, 1)]
    assert complete(runs, 4) == [0]
    assert runs == [run(0, 8, 2)]


def test_a_new_version_pays_nothing_for_weeks_that_were_completed_before_it() -> None:
    runs: list[Run] = []
    assert complete(runs, *range(7), periods=52) == [0] * 7
    assert complete(runs, 7, 8, 9, periods=2) == [1, 0, 1]
    assert runs == [run(0, 9, 2)]


@given(
    weeks=st.sets(st.integers(0, 25)).flatmap(lambda weeks: st.permutations(sorted(weeks))),
    periods=st.integers(1, 5),
)
def test_the_order_in_which_weeks_are_completed_does_not_matter_in_the_end(
    weeks: list[int], periods: int
) -> None:
    runs: list[Run] = []
    given_streaks = complete(runs, *weeks, periods=periods)
    assert all(0 <= streaks <= 1 for streaks in given_streaks)
    in_order: list[Run] = []
    expected = complete(in_order, *sorted(weeks), periods=periods)
    assert sum(given_streaks) == sum(expected)
    assert sorted(runs, key=lambda each: each.first_period) == in_order
    counter, last, streaks = 0, -9, 0  # as a person would count
    for number in sorted(weeks):
        counter = counter + 1 if number == last + 1 else 1
        last = number
        if counter == periods:
            counter, streaks = 0, streaks + 1
    assert sum(given_streaks) == streaks


@given(weeks=st.lists(st.integers(0, 12), unique=True), data=st.data(), periods=st.integers(1, 5))
def test_weeks_that_no_longer_count_leave_what_the_others_alone_would_give(
    weeks: list[int], data: st.DataObject, periods: int
) -> None:
    challenge = Challenge("visits", Metric.VISIT_DAYS, WEEK, 3, 50, StreakRule(periods, 200))
    runs: list[Run] = []
    given_streaks = sum(complete(runs, *weeks, periods=periods))
    lost = data.draw(st.lists(st.sampled_from(weeks), unique=True)) if weeks else []
    taken = [rules.shorten_runs(runs, challenge, week(number))[0] for number in lost]
    left: list[Run] = []
    expected = sum(complete(left, *(n for n in weeks if n not in lost), periods=periods))
    assert given_streaks - sum(taken) == expected
    by_first = {each.first_period: each for each in runs}
    assert by_first == {each.first_period: each for each in left}
    assert rules.shorten_runs(runs, challenge, week(20)) == (0, None)


@pytest.mark.parametrize(
    ("today", "current"),
    [
        ("2017-01-15", 2),  # the Sunday of the run's last week
        ("2017-01-16", 2),  # the week after it, in which the run can still go on
        ("2017-01-22", 2),
        ("2017-01-23", 0),
    ],
)
def test_a_streak_lives_until_a_whole_week_was_missed(today: str, current: int) -> None:
    runs = [run(-5, -5, 0), run(1, 2, 0)]
    assert rules.current_streak(VISITS, runs, day(today)) == current


def test_a_completed_streak_starts_again_from_nothing() -> None:
    for last, current in ((2, 3), (3, 0), (4, 1)):
        assert rules.current_streak(VISITS, [run(0, last, 0)], week(last)) == current
    assert rules.current_streak(SPEND, [], week(0)) == 0


def test_the_length_of_a_run_of_months_counts_calendar_months() -> None:
    months = Run(day("2016-11-01"), day("2017-02-01"), 0)
    assert rules.run_length(MONTH, months) == 4
