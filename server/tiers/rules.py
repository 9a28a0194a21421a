"""The arithmetic of tiers: a rolling window of qualifying spend, evaluated day by day.

A tier is a function of the recorded purchases and the day: on day `d` it follows from the spend of
the days `[d - window_days + 1, d]`. It is evaluated at the start of every local day and after every
purchase. Between two purchases only the days count on which spend leaves the window, so a state
moves on from one such day to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.clock import Instant, LocalDay, start_of_day
from server.programme.document import TierLevel as Level

NO_DROP = LocalDay(2**31 - 1)
"""The next drop day of a member from whose window nothing will fall."""


@dataclass(frozen=True, slots=True)
class Change:
    """One evaluation that gave another tier than the one before."""

    changed_at: Instant
    level_before: str
    level_after: str


@dataclass(slots=True)
class State:
    """A member's tier as of `evaluated_day`."""

    level: str
    since: Instant
    window_spend_minor: int
    lifetime_spend_minor: int
    evaluated_day: LocalDay
    next_drop_day: LocalDay
    change_count: int
    programme_version: int  # by whose rules it was evaluated


def level_of(levels: Sequence[Level], spend_minor: int) -> Level:
    """The tier for a qualifying spend: the last one whose minimum is reached."""
    reached = levels[0]
    for level in levels:
        if spend_minor >= level.min_spend_minor:
            reached = level
    return reached


def next_level(levels: Sequence[Level], spend_minor: int) -> Level | None:
    """The first tier whose minimum is not reached yet, or None above the last."""
    return next((level for level in levels if level.min_spend_minor > spend_minor), None)


def enrolled(levels: Sequence[Level], at: Instant, day: LocalDay, version: int) -> State:
    """The state of a new member: the lowest tier, nothing spent."""
    return State(levels[0].name, at, 0, 0, day, NO_DROP, 0, version)


def evaluate(state: State, levels: Sequence[Level], at: Instant) -> Change | None:
    """Set the tier that the window's spend gives; the change, if it is one."""
    level = level_of(levels, state.window_spend_minor).name
    if level == state.level:
        return None
    change = Change(at, state.level, level)
    state.level, state.since = level, at
    state.change_count += 1
    return change


def advance(
    state: State,
    day: LocalDay,
    spend_by_day: Mapping[LocalDay, int],
    *,
    levels: Sequence[Level],
    window_days: int,
    zone_name: str,
) -> list[Change]:
    """Move the state on to the day, evaluating at the start of each day on which spend leaves the
    window; the changes. `spend_by_day` holds at least the days still in the window at
    `evaluated_day` and may be empty while `day < next_drop_day`. A day before `evaluated_day`
    changes nothing."""
    changes: list[Change] = []
    if day >= state.next_drop_day:
        rewindow(state, spend_by_day, window_days=window_days)
        for spent_on in sorted(spend_by_day):
            drop_day = LocalDay(spent_on + window_days)
            if state.evaluated_day < drop_day <= day and spend_by_day[spent_on]:
                state.window_spend_minor -= spend_by_day[spent_on]
                change = evaluate(state, levels, start_of_day(drop_day, zone_name))
                if change:
                    changes.append(change)
        state.next_drop_day = next_drop_day(spend_by_day, after=day, window_days=window_days)
    if day > state.evaluated_day:
        # Without a new version of the programme this gives the tier of the evaluation before it.
        change = evaluate(state, levels, start_of_day(day, zone_name))
        if change:
            changes.append(change)
        state.evaluated_day = day
    return changes


def rewindow(state: State, spend_by_day: Mapping[LocalDay, int], *, window_days: int) -> None:
    """Take the window's spend anew from the days in it: another version of the programme may have
    another window. Without one this changes nothing."""
    day = state.evaluated_day
    state.window_spend_minor = spend_in_window(spend_by_day, day, window_days=window_days)
    state.next_drop_day = next_drop_day(spend_by_day, after=day, window_days=window_days)


def next_drop_day(
    spend_by_day: Mapping[LocalDay, int], *, after: LocalDay, window_days: int
) -> LocalDay:
    """The first day after `after` on which spend leaves the window."""
    drops = (LocalDay(day + window_days) for day, spend in spend_by_day.items() if spend)
    return min((drop for drop in drops if drop > after), default=NO_DROP)


def add_spend(state: State, day: LocalDay, spend_minor: int, *, window_days: int) -> None:
    """Count a purchase of the day, which may lie before `evaluated_day` (a late arrival)."""
    state.lifetime_spend_minor += spend_minor
    drop_day = LocalDay(day + window_days)
    if spend_minor and drop_day > state.evaluated_day:
        state.window_spend_minor += spend_minor
        state.next_drop_day = min(state.next_drop_day, drop_day)


def take_spend(
    state: State,
    spend_by_day: Mapping[LocalDay, int],
    spend_minor: int,
    *,
    window_days: int,
) -> None:
    """Take returned spend off; `spend_by_day` is what is left, of all days in the window."""
    state.lifetime_spend_minor -= spend_minor
    rewindow(state, spend_by_day, window_days=window_days)


def spend_in_window(
    spend_by_day: Mapping[LocalDay, int], day: LocalDay, *, window_days: int
) -> int:
    """The qualifying spend on a day: that of the window that ends with it."""
    return sum(spend for on, spend in spend_by_day.items() if day - window_days < on <= day)
