"""How members stand in the programme's challenges, from the rows of one question."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from server.challenges import rules
from server.challenges.rules import Challenge, Run
from server.challenges.standing_queries import PROGRESS, RUNS, TOTALS
from server.clock import Instant, LocalDay
from server.programme.document import Programme
from server.storage import parts
from server.storage.parts import FIRST_COLUMN, Ask, Found


class StreakStanding(msgspec.Struct, frozen=True):
    """How far a member is with a challenge's streak."""

    current: int
    target: int
    reward_points: int
    completions: int


class Standing(msgspec.Struct, frozen=True):
    """How a member stands in one challenge in the present period."""

    key: str
    metric: rules.Metric
    period: rules.Period
    progress: int
    target: int
    reward_points: int
    period_start: LocalDay
    next_period_start: LocalDay
    completed_at: Instant | None
    completions: int
    streak: StreakStanding | None


@dataclass(frozen=True, slots=True)
class _Span:
    start: LocalDay
    end: LocalDay
    before: LocalDay  # the start of the period before it


@lru_cache(maxsize=256)
def _span(period: rules.Period, today: LocalDay) -> _Span:
    start = rules.period_start(period, today)
    end = rules.next_period_start(period, start)
    return _Span(start, end, rules.previous_period_start(period, start))


def standing_part(today: LocalDay) -> tuple[Ask, ...]:
    """What `standings_of` is made from."""
    spans = [_span(period, today) for period in rules.Period]
    first, second = (span.start for span in spans)
    return (
        (PROGRESS, (first, second)),
        (TOTALS, ()),
        (RUNS, (min(span.before for span in spans),)),
    )


def standings_of(found: Found, programme: Programme, today: LocalDay) -> list[Standing]:
    """How the member stands in each of the programme's challenges today, in its order."""
    text_at = found.text_at
    progress = {(row[text_at], row[2]): (row[3], row[4]) for row in found.rows(PROGRESS)}
    totals = {row[text_at]: (row[2], row[3]) for row in found.rows(TOTALS)}
    runs: dict[str, list[Run]] = {}
    for row in found.rows(RUNS):
        runs.setdefault(row[text_at], []).append(Run(*row[FIRST_COLUMN : FIRST_COLUMN + 3]))
    standings: list[Standing] = []
    for challenge in rules.challenges_of(programme):
        span = _span(challenge.period, today)
        counted, completed_at = progress.get((challenge.key, span.start), (0, None))
        completions, streaks = totals.get(challenge.key, (0, 0))
        standings.append(
            Standing(
                key=challenge.key,
                metric=challenge.metric,
                period=challenge.period,
                progress=counted,
                target=challenge.target,
                reward_points=challenge.reward_points,
                period_start=span.start,
                next_period_start=span.end,
                completed_at=completed_at,
                completions=completions,
                streak=_streak(challenge, runs.get(challenge.key, []), today, streaks),
            )
        )
    return standings


def _streak(
    challenge: Challenge, runs: list[Run], today: LocalDay, completions: int
) -> StreakStanding | None:
    if challenge.streak is None:
        return None
    return StreakStanding(
        current=rules.current_streak(challenge, runs, today) if runs else 0,
        target=challenge.streak.periods,
        reward_points=challenge.streak.reward_points,
        completions=completions,
    )


async def standings(
    member_ids: Iterable[int], programme: Programme, today: LocalDay
) -> dict[int, list[Standing]]:
    """How the members stand in each of the programme's challenges today; one statement."""
    found = await parts.read(parts.Question(standing_part(today)), set(member_ids))
    return {member_id: standings_of(one, programme, today) for member_id, one in found.items()}
