"""Checking that tiers, challenges and cashback follow from what is left of the purchases."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server import clock
from server.audit import queries
from server.audit.baskets import Bought
from server.audit.batches import Batch
from server.audit.rules import Check
from server.clock import Instant, LocalDay
from server.storage import sql

_Purchases = Mapping[int, Sequence[Bought]]
_NO_DAY = 2**31 - 1

# ---------------------------------------------------------------- tiers


async def check_tiers(batch: Batch, bought: _Purchases) -> None:
    """The days are the sums of the purchases, and each state is what they make of it."""
    days: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for member_id, purchases in bought.items():
        for each in purchases:
            days[member_id][each.day] += each.spend_minor
    stored: dict[int, set[int]] = defaultdict(set)
    rows = await queries.chosen(
        "tier_days", "id, member_id, local_day, spend_minor", batch.member_ids
    )
    for row_id, member_id, day, spend in rows:
        stored[member_id].add(day)
        batch.found.same(
            Check.TIERS,
            ("tier_days", row_id, member_id),
            f"spend_minor of {clock.date_of(day)}",
            expected=days[member_id].get(day, 0),
            found=spend,
        )
    states = await queries.chosen(
        "tier_states",
        "id, member_id, level, window_spend_minor, lifetime_spend_minor, evaluated_day,"
        " next_drop_day, change_count, programme_version, since",
        batch.member_ids,
    )
    for state in states:
        _check_missing_days(batch, state, days[state[1]], stored[state[1]])
        _check_state(batch, state, days[state[1]])
    await _check_changes(batch, states)


def _check_missing_days(
    batch: Batch, state: sql.Row, days: Mapping[int, int], stored: set[int]
) -> None:
    for day, spend in sorted(days.items()):
        if spend and day not in stored:
            batch.found.add(
                Check.TIERS,
                ("tier_states", state[0], state[1]),
                f"tier day {clock.date_of(LocalDay(day))}",
                expected=spend,
                found=None,
            )


def _check_state(batch: Batch, state: sql.Row, days: Mapping[int, int]) -> None:
    row = ("tier_states", state[0], state[1])
    level, window_spend, lifetime, evaluated, drop = state[2:7]
    tiers = next(
        (each.programme.tiers for each in batch.book.ordered if each.version == state[8]), None
    )
    if tiers is None:
        batch.found.add(
            Check.TIERS, row, "programme_version", expected="a published one", found=state[8]
        )
        return
    inside = {
        day: spend for day, spend in days.items() if spend and day + tiers.window_days > evaluated
    }
    # A purchase by an older version may lie after the day; it counts as soon as it is recorded.
    by_now = sum(inside.values())
    until_then = sum(spend for day, spend in inside.items() if day <= evaluated)
    if window_spend not in (by_now, until_then):
        batch.found.add(Check.TIERS, row, "window_spend_minor", expected=by_now, found=window_spend)
    batch.found.same(
        Check.TIERS, row, "lifetime_spend_minor", expected=sum(days.values()), found=lifetime
    )
    expected = tiers.levels[0].name
    for each in tiers.levels:
        if each.min_spend_minor <= window_spend:
            expected = each.name
    batch.found.same(Check.TIERS, row, "level", expected=expected, found=level)
    first_drop = min((day + tiers.window_days for day in inside), default=_NO_DAY)
    if drop > first_drop:
        batch.found.add(
            Check.TIERS, row, "next_drop_day", expected=f"at most {first_drop}", found=drop
        )


async def _check_changes(batch: Batch, states: Sequence[sql.Row]) -> None:
    rows = await queries.chosen(
        "tier_changes", "id, member_id, level_after, changed_at", batch.member_ids
    )
    changes: dict[int, list[sql.Row]] = defaultdict(list)
    for row in rows:
        changes[row[1]].append(row)
    for state in states:
        own = changes[state[1]]
        place = ("tier_states", state[0], state[1])
        batch.found.same(
            Check.TIERS, place, "change_count by its changes", expected=len(own), found=state[7]
        )
        if own and own[-1][2] != state[2]:
            last = ("tier_changes", own[-1][0], state[1])
            batch.found.add(
                Check.TIERS, last, "level_after of the last change", expected=state[2],
                found=own[-1][2],
            )  # fmt: skip


# ---------------------------------------------------------------- challenges


@dataclass(slots=True)
class _Period:
    """One challenge in one period."""

    progress: int = 0
    counted: set[str] = field(default_factory=set)
    completed_at: Instant | None = None


_Periods = dict[tuple[str, int], _Period]


def _counted(purchases: Sequence[Bought]) -> _Periods:
    """What the purchases, in the order in which they were recorded, make of each period."""
    periods: _Periods = defaultdict(_Period)
    for each in purchases:
        if each.is_gone:
            continue
        rules = each.terms.programme.challenges
        week, month = clock.start_of_week(each.day), clock.start_of_month(each.day)
        visits = periods["weekly_visits", week]
        if each.eligible_minor:
            visits.counted.add(str(each.day))
        visits.progress = len(visits.counted)
        shelves = periods["departments", month]
        shelves.counted |= each.departments - rules.departments.ignored_departments
        shelves.progress = len(shelves.counted)
        spend = periods["month_spend", month]
        spend.progress += each.eligible_minor
        for period, target in (
            (visits, rules.weekly_visits.visit_days),
            (shelves, rules.departments.distinct_departments),
            (spend, rules.month_spend.spend_minor),
        ):
            if period.completed_at is None and period.progress >= target:
                period.completed_at = each.occurred_at
    return periods


async def check_challenges(batch: Batch, bought: _Purchases) -> None:
    """Progress, completions, runs and totals are what the purchases make of them."""
    progress = await _rows(
        batch,
        "challenge_progress",
        "id, member_id, challenge, period_start, progress, counted, completed_at",
    )
    runs = await _rows(
        batch, "challenge_runs", "id, member_id, challenge, first_period, last_period, streak_count"
    )
    totals = await _rows(
        batch, "challenge_totals", "id, member_id, challenge, completion_count, streak_count"
    )
    for member_id in batch.member_ids:
        purchases = bought.get(member_id, ())
        periods = _counted(purchases)
        _check_progress(batch, member_id, periods, progress.get(member_id, ()))
        completed: dict[str, list[int]] = defaultdict(list)
        for (challenge, start), period in sorted(periods.items()):
            if period.completed_at is not None:
                completed[challenge].append(start)
        own_runs = runs.get(member_id, ())
        lengths = {
            each.programme.challenges.weekly_visits.streak.consecutive_weeks
            for each in batch.book.ordered
        }
        _check_runs(batch, member_id, completed["weekly_visits"], own_runs, lengths)
        _check_totals(batch, member_id, completed, own_runs, totals.get(member_id, ()))


async def _rows(batch: Batch, table: str, columns: str) -> dict[int, list[sql.Row]]:
    groups: dict[int, list[sql.Row]] = {}
    for row in await queries.chosen(table, columns, batch.member_ids):
        groups.setdefault(row[1], []).append(row)
    return groups


def _check_progress(
    batch: Batch, member_id: int, periods: _Periods, rows: Sequence[sql.Row]
) -> None:
    seen: set[tuple[str, int]] = set()
    for row_id, _member_id, challenge, start, progress, counted, completed_at in rows:
        seen.add((challenge, start))
        expected = periods.get((challenge, start), _Period())
        row = ("challenge_progress", row_id, member_id)
        said = set(json.loads(counted)) if counted else set()
        for what, wanted, found in (
            ("progress", expected.progress, progress),
            ("counted", sorted(expected.counted), sorted(said)),
            ("completed_at", expected.completed_at, completed_at),
        ):
            batch.found.same(
                Check.CHALLENGES, row, f"{what} of {challenge}", expected=wanted, found=found
            )
    for (challenge, start), period in sorted(periods.items()):
        if period.progress and (challenge, start) not in seen:
            batch.found.add(
                Check.CHALLENGES,
                ("challenge_progress", 0, member_id),
                f"row of {challenge} from {clock.date_of(LocalDay(start))}",
                expected=period.progress,
                found=None,
            )


def _check_runs(
    batch: Batch,
    member_id: int,
    weeks: Sequence[int],
    rows: Sequence[sql.Row],
    lengths: set[int],
) -> None:
    """The runs are the completed weeks that lie side by side; each has as many streaks as fit in,
    unless versions differ in how long a streak is."""
    expected: dict[int, int] = {}
    first = None
    for week in weeks:
        if first is None or week - expected[first] != 7:
            first = week
        expected[first] = week
    for row_id, _member_id, challenge, start, last, streaks in rows:
        row = ("challenge_runs", row_id, member_id)
        if not batch.found.same(
            Check.CHALLENGES, row, f"last_period of the run of {challenge}",
            expected=expected.pop(start, None), found=last,
        ):  # fmt: skip
            continue
        if len(lengths) == 1:
            [length] = lengths
            fits = ((last - start) // 7 + 1) // length
            batch.found.same(Check.CHALLENGES, row, "streak_count", expected=fits, found=streaks)
    for start in expected:
        batch.found.add(
            Check.CHALLENGES,
            ("challenge_runs", 0, member_id),
            f"run from {clock.date_of(LocalDay(start))}",
            expected="a row",
            found=None,
        )


def _check_totals(
    batch: Batch,
    member_id: int,
    completed: Mapping[str, Sequence[int]],
    runs: Sequence[sql.Row],
    rows: Sequence[sql.Row],
) -> None:
    streaks: dict[str, int] = defaultdict(int)
    for run in runs:
        streaks[run[2]] += run[5]
    seen: set[str] = set()
    for row_id, _member_id, challenge, completion_count, streak_count in rows:
        seen.add(challenge)
        row = ("challenge_totals", row_id, member_id)
        for what, expected, found in (
            ("completion_count", len(completed.get(challenge, ())), completion_count),
            ("streak_count", streaks[challenge], streak_count),
        ):
            batch.found.same(
                Check.CHALLENGES, row, f"{what} of {challenge}", expected=expected, found=found
            )
    for challenge, starts in completed.items():
        if starts and challenge not in seen:
            batch.found.add(
                Check.CHALLENGES,
                ("challenge_totals", 0, member_id),
                f"row of {challenge}",
                expected=len(starts),
                found=None,
            )


# ---------------------------------------------------------------- cashback


async def check_cashback(batch: Batch, bought: _Purchases) -> None:
    """What was accrued in each month, and in each other span with a cap, is what the purchases
    accrued; and where nothing was returned, the cap let as much through as it allows."""
    months: dict[tuple[int, int], list[Bought]] = defaultdict(list)
    spans: dict[tuple[int, str, int], int] = defaultdict(int)
    for member_id, purchases in bought.items():
        for each in purchases:
            months[member_id, clock.month_of(each.day)].append(each)
            for cap in each.terms.programme.cashback.caps:
                start = _span_start(cap.period, each.day)
                spans[member_id, cap.period, start] += each.accrued_minor
    await _check_months(batch, months)
    rows = await queries.chosen(
        "cashback_periods", "id, member_id, period, period_start, accrued_minor", batch.member_ids
    )
    for row_id, member_id, period, start, accrued in rows:
        batch.found.same(
            Check.CASHBACK,
            ("cashback_periods", row_id, member_id),
            f"accrued_minor of the {period} from {start}",
            expected=spans.pop((member_id, period, start), 0),
            found=accrued,
        )
    for (member_id, period, start), accrued in spans.items():
        if accrued:
            row = ("cashback_periods", 0, member_id)
            batch.found.add(
                Check.CASHBACK, row, f"row of the {period} from {start}", expected=accrued,
                found=None,
            )  # fmt: skip


async def _check_months(batch: Batch, months: Mapping[tuple[int, int], Sequence[Bought]]) -> None:
    seen: set[tuple[int, int]] = set()
    rows = await queries.chosen(
        "cashback_months", "id, member_id, local_month, accrued_minor, capped_minor",
        batch.member_ids,
    )  # fmt: skip
    for row_id, member_id, month, accrued, capped in rows:
        seen.add((member_id, month))
        own = months.get((member_id, month), ())
        row = ("cashback_months", row_id, member_id)
        for what, expected, found in (
            ("accrued_minor", sum(each.accrued_minor for each in own), accrued),
            ("capped_minor", sum(each.capped_minor for each in own), capped),
        ):
            batch.found.same(
                Check.CASHBACK, row, f"{what} of {month}", expected=expected, found=found
            )
        _check_cap(batch, row, own, month)
    for (member_id, month), own in months.items():
        total = sum(each.accrued_minor + each.capped_minor for each in own)
        if total and (member_id, month) not in seen:
            row = ("cashback_months", 0, member_id)
            batch.found.add(Check.CASHBACK, row, f"row of {month}", expected=total, found=None)


def _check_cap(batch: Batch, row: tuple[str, int, int], own: Sequence[Bought], month: int) -> None:
    """In whatever order purchases came, the month's cap let through all that there was room for."""
    caps = {each.terms.programme.cashback.monthly_cap_minor for each in own}
    has_others = any(each.terms.programme.cashback.caps for each in own)
    if len(caps) != 1 or has_others or any(each.is_touched for each in own):
        return
    if row[2] in batch.joined:
        return  # two members' purchases, each under a cap of its own
    [cap] = caps
    earned = sum(each.accrued_minor + each.capped_minor for each in own)
    batch.found.same(
        Check.CASHBACK,
        row,
        f"accrued by the purchases of {month} under the cap",
        expected=min(cap, earned),
        found=sum(each.accrued_minor for each in own),
    )


def _span_start(period: str, day: LocalDay) -> int:
    if period == "calendar_week":
        return clock.start_of_week(day)
    if period == "calendar_month":
        return clock.start_of_month(day)
    if period == "calendar_year":
        return clock.day_of(clock.date_of(day).replace(month=1, day=1))
    return 0 if period == "lifetime" else day
