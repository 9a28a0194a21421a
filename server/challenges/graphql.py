"""Challenges in the schema: progress, completions and streaks of a member."""

from collections.abc import Awaitable, Sequence
from functools import lru_cache

import strawberry

from server import clock, messages
from server.challenges import service
from server.challenges.rules import Metric, Period
from server.challenges.service import Standing
from server.clock import Instant
from server.edge.context import Context
from server.edge.enums import described
from server.edge.loading import shown
from server.edge.permissions import MEMBER_DATA, shown_to
from server.money import PERCENT_PER_UNIT, floor_share
from server.programme.graphql import present_now
from server.programme.present import Present
from server.storage import parts

described(
    Metric,
    name="ChallengeMetric",
    description="What a challenge counts.",
    VISIT_DAYS="Different local days with a purchase that has eligible spend.",
    DISTINCT_DEPARTMENTS="Different departments bought from.",
    SPEND_MINOR="Eligible spend, in minor units of the programme's currency.",
)
described(
    Period,
    name="ChallengePeriod",
    description="In which span of time a challenge counts; each span starts anew.",
    CALENDAR_WEEK="Monday to Sunday, in the programme's time zone.",
    CALENDAR_MONTH="A calendar month, in the programme's time zone.",
)


@shown_to(MEMBER_DATA)
@strawberry.type(description="How far a member is with completing a challenge again and again.")
class ChallengeStreak:
    """A streak."""

    current: int = strawberry.field(
        description="Periods in a row that count towards the next streak."
    )
    target: int = strawberry.field(description="Periods in a row that a streak takes.")
    reward_points: int = strawberry.field(description="Points for each completed streak.")
    completions: int = strawberry.field(description="Streaks that the member has completed.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="How a member stands in one challenge, in its present period.")
class ChallengeStatus:
    """A member's standing in a challenge."""

    key: str = strawberry.field(description="The challenge's name in the programme.")
    title: str = strawberry.field(
        description="What to do, in a few words of the caller's language."
    )
    metric: Metric = strawberry.field(description="What is counted.")
    period: Period = strawberry.field(description="In which span of time it is counted.")
    progress: int = strawberry.field(
        description="What was counted in the present period; may exceed the target."
    )
    target: int = strawberry.field(description="What completes the challenge.")
    progress_percent: int = strawberry.field(
        description="Progress as a share of the target, 0 to 100, rounded down."
    )
    reward_points: int = strawberry.field(description="Points for completing it, once a period.")
    period_start: Instant = strawberry.field(description="When the present period began.")
    period_end: Instant = strawberry.field(description="When the present period ends.")
    completed_at: Instant | None = strawberry.field(
        description="When it was completed in the present period; null if it was not yet."
    )
    completions: int = strawberry.field(description="How often the member has completed it.")
    streak: ChallengeStreak | None = strawberry.field(
        description="The streak of the challenge; null if it has none."
    )


async def _standings(member_ids: list[int], present: Present) -> Sequence[list[Standing]]:
    found = await parts.shared(service.standing_part(present.today), member_ids)
    rules = present.published.programme
    return [
        service.standings_of(found[member_id], rules, present.today) for member_id in member_ids
    ]


def prime_challenges(
    context: Context, member_id: int, found: parts.Found, *, present: Present
) -> None:
    """The request knows how the member stands."""
    rules = present.published.programme
    standings = service.standings_of(found, rules, present.today)
    context.give(_standings, member_id, (standings, present))


def challenges_of_member(
    context: Context, member_id: int
) -> list[ChallengeStatus] | Awaitable[list[ChallengeStatus]]:
    """The member's standing in each challenge of the programme, in the programme's order."""
    given: tuple[list[Standing], Present] | None = context.given(_standings, member_id)
    if given is not None:
        return _all_shown(context, *given)
    return shown(
        present_now(context),
        lambda present: shown(
            context.loader(_standings, present).get(member_id),
            lambda standings: _all_shown(context, standings, present),
        ),
    )


def _all_shown(
    context: Context, standings: Sequence[Standing], present: Present
) -> list[ChallengeStatus]:
    # Each day may begin another period.
    context.changes_at(present.ends_at)
    zone_name = present.published.programme.programme.timezone
    return [_shown(standing, zone_name, context.language) for standing in standings]


@lru_cache(maxsize=1024)
def _title(key: str, language: str) -> str:
    return messages.text(f"challenge.{key}.title", language)


def _shown(standing: Standing, zone_name: str, language: str) -> ChallengeStatus:
    share = floor_share(standing.progress, PERCENT_PER_UNIT, max(1, standing.target))
    streak = standing.streak
    return ChallengeStatus(
        key=standing.key,
        title=_title(standing.key, language),
        metric=standing.metric,
        period=standing.period,
        progress=standing.progress,
        target=standing.target,
        progress_percent=PERCENT_PER_UNIT
        if standing.completed_at
        else min(share, PERCENT_PER_UNIT),
        reward_points=standing.reward_points,
        period_start=clock.start_of_day(standing.period_start, zone_name),
        period_end=service.period_end(standing, zone_name),
        completed_at=standing.completed_at,
        completions=standing.completions,
        streak=None
        if streak is None
        else ChallengeStreak(
            current=streak.current,
            target=streak.target,
            reward_points=streak.reward_points,
            completions=streak.completions,
        ),
    )
