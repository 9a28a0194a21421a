"""The arithmetic of challenges: what a purchase counts for, when a period is complete, streaks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from server import clock
from server.clock import Instant, LocalDay
from server.programme.derived import derived
from server.programme.document import Programme

DAYS_PER_WEEK = 7
_COUNTED = msgspec.json.Decoder(set[str])


class Metric(StrEnum):
    """What a challenge counts."""

    __hash__ = str.__hash__  # an enum's own is written in Python

    VISIT_DAYS = "visit_days"  # different local days with eligible spend
    DISTINCT_DEPARTMENTS = "distinct_departments"  # different departments bought from
    SPEND_MINOR = "spend_minor"  # eligible spend in minor units


class Period(StrEnum):
    """In which span of time it counts; each has its own progress and completion."""

    __hash__ = str.__hash__

    CALENDAR_WEEK = "calendar_week"  # Monday to Sunday
    CALENDAR_MONTH = "calendar_month"


@dataclass(frozen=True, slots=True)
class StreakRule:
    """A reward for each `periods` periods in a row in which the challenge was completed."""

    periods: int
    reward_points: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a programme."""

    key: str
    metric: Metric
    period: Period
    target: int
    reward_points: int
    streak: StreakRule | None = None


@dataclass(slots=True)
class Progress:
    """One member's progress in one challenge and period."""

    progress: int = 0
    counted: set[str] = field(default_factory=set)
    completed_at: Instant | None = None
    rewarded_by: int | None = None  # the purchase whose lot is the reward


@dataclass(slots=True)
class Run:
    """Periods in a row in which the challenge was completed: the starts of the first and last."""

    first_period: LocalDay
    last_period: LocalDay
    streak_count: int


@dataclass(frozen=True, slots=True)
class PurchaseFacts:
    """What challenges look at in a purchase."""

    at: Instant
    day: LocalDay
    eligible_minor: int
    departments: frozenset[str]
    """Departments of the lines that are not excluded and have net spend above 0."""


@derived
def challenges_of(programme: Programme) -> tuple[Challenge, ...]:
    """The programme's challenges, in the order in which a purchase is held against them."""
    weekly = programme.challenges.weekly_visits
    departments = programme.challenges.departments
    spend = programme.challenges.month_spend
    return (
        Challenge(
            "weekly_visits",
            Metric.VISIT_DAYS,
            Period.CALENDAR_WEEK,
            weekly.visit_days,
            weekly.reward_points,
            StreakRule(weekly.streak.consecutive_weeks, weekly.streak.reward_points),
        ),
        Challenge(
            "departments",
            Metric.DISTINCT_DEPARTMENTS,
            Period.CALENDAR_MONTH,
            departments.distinct_departments,
            departments.reward_points,
        ),
        Challenge(
            "month_spend",
            Metric.SPEND_MINOR,
            Period.CALENDAR_MONTH,
            spend.spend_minor,
            spend.reward_points,
        ),
    )


_PERIOD_START: dict[Period, Callable[[LocalDay], LocalDay]] = {
    Period.CALENDAR_WEEK: clock.start_of_week,
    Period.CALENDAR_MONTH: clock.start_of_month,
}


def period_start(period: Period, day: LocalDay) -> LocalDay:
    """The first local day of the period that the day lies in."""
    return _PERIOD_START[period](day)


def next_period_start(period: Period, start: LocalDay) -> LocalDay:
    """The first local day of the period after the one that starts on `start`."""
    if period is Period.CALENDAR_WEEK:
        return LocalDay(start + DAYS_PER_WEEK)
    return clock.start_of_month(LocalDay(start + 31))


def previous_period_start(period: Period, start: LocalDay) -> LocalDay:
    """The first local day of the period before the one that starts on `start`."""
    return period_start(period, LocalDay(start - 1))


def count(
    challenge: Challenge, progress: Progress, facts: PurchaseFacts, ignored: frozenset[str]
) -> bool:
    """Add a purchase to the period's progress; whether that completed it, once per period.

    Visit days and departments are sets, so a purchase of a day or department that was counted
    before adds nothing, in whatever order purchases arrive.
    """
    if challenge.metric is Metric.SPEND_MINOR:
        progress.progress += facts.eligible_minor
    elif challenge.metric is Metric.VISIT_DAYS:
        if facts.eligible_minor > 0:
            progress.counted.add(str(facts.day))
        progress.progress = len(progress.counted)
    else:
        progress.counted |= facts.departments - ignored
        progress.progress = len(progress.counted)
    if progress.completed_at is None and progress.progress >= challenge.target:
        progress.completed_at = facts.at
        return True
    return False


@dataclass(frozen=True, slots=True)
class Counted:
    """A purchase of which something is left, as challenges look at it."""

    purchase_id: int
    programme: Programme
    facts: PurchaseFacts


def recounted(key: str, start: LocalDay, purchases: Sequence[Counted]) -> Progress:
    """The progress that these purchases, in the order in which they were recorded, make in the
    period of the challenge that starts on the day; each by its own version's definition."""
    progress = Progress()
    for purchase in purchases:
        ignored = purchase.programme.challenges.departments.ignored_departments
        for challenge in challenges_of(purchase.programme):
            if (challenge.key, period_start(challenge.period, purchase.facts.day)) == (key, start):
                count(challenge, progress, purchase.facts, ignored)
    return progress


def extend_runs(
    runs: list[Run], challenge: Challenge, completed: LocalDay
) -> tuple[int, Run, list[Run]]:
    """Put a completed period into its run, joining two runs that it lies between.

    Returns how many streaks that completes, the run, and the runs that it has swallowed. A run of
    n periods holds n // `periods` streaks, so the sum does not depend on the order in which
    periods were completed. Under a new version's `periods` nothing is paid for earlier periods.
    """
    assert challenge.streak is not None
    before = previous_period_start(challenge.period, completed)
    after = next_period_start(challenge.period, completed)
    earlier = next((run for run in runs if run.last_period == before), None)
    later = next((run for run in runs if run.first_period == after), None)
    joined = earlier or Run(completed, completed, 0)
    parts = [run_length(challenge.period, run) for run in (earlier, later) if run]
    joined.last_period = later.last_period if later else completed
    whole = run_length(challenge.period, joined)
    periods = challenge.streak.periods
    streaks = whole // periods - sum(part // periods for part in parts)
    joined.streak_count += streaks + (later.streak_count if later else 0)
    swallowed = [later] if later else []
    runs[:] = [run for run in runs if run is not later and run is not joined] + [joined]
    return streaks, joined, swallowed


def shorten_runs(runs: list[Run], challenge: Challenge, lost: LocalDay) -> tuple[int, Run | None]:
    """Take a period out of its run, of which up to two are left.

    Returns how many streaks are no longer complete, and the run as it was; None if the period is in
    none. Of one version's `periods` it is the reverse of `extend_runs`.
    """
    assert challenge.streak is not None
    broken = next((run for run in runs if run.first_period <= lost <= run.last_period), None)
    if broken is None:
        return 0, None
    parts: list[Run] = []
    if broken.first_period < lost:
        before = previous_period_start(challenge.period, lost)
        parts.append(Run(broken.first_period, before, 0))
    if lost < broken.last_period:
        after = next_period_start(challenge.period, lost)
        parts.append(Run(after, broken.last_period, 0))
    periods = challenge.streak.periods
    whole = run_length(challenge.period, broken) // periods
    held = [run_length(challenge.period, part) // periods for part in parts]
    streaks = min(broken.streak_count, whole - sum(held))
    left = broken.streak_count - streaks
    for part, most in zip(parts, held, strict=True):
        part.streak_count = min(left, most)
        left -= part.streak_count
    if parts:
        parts[-1].streak_count += left
    else:
        streaks += left
    runs[:] = [run for run in runs if run is not broken] + parts
    return streaks, broken


def run_length(period: Period, run: Run) -> int:
    """How many periods the run has."""
    if period is Period.CALENDAR_WEEK:
        return (run.last_period - run.first_period) // DAYS_PER_WEEK + 1
    first, last = clock.date_of(run.first_period), clock.date_of(run.last_period)
    return (last.year - first.year) * 12 + last.month - first.month + 1


def current_streak(challenge: Challenge, runs: Sequence[Run], today: LocalDay) -> int:
    """How many periods in a row count towards the next streak: of the run that reaches the present
    or the previous period."""
    if challenge.streak is None:
        return 0
    present = period_start(challenge.period, today)
    alive = (present, previous_period_start(challenge.period, present))
    run = next((run for run in runs if run.last_period in alive), None)
    return run_length(challenge.period, run) % challenge.streak.periods if run else 0


def stored_counted(progress: Progress) -> str:
    """The counted days or departments as they are stored."""
    return json.dumps(sorted(progress.counted), ensure_ascii=False) if progress.counted else ""


def read_counted(stored: str) -> set[str]:
    """The counted days or departments from how they are stored."""
    return _COUNTED.decode(stored) if stored else set()
