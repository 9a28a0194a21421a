"""Challenges in the schema: progress, completions and streaks of a member."""

from collections.abc import Sequence

import strawberry

from server import clock, messages
from server.challenges import service
from server.challenges.rules import Metric, Period
from server.challenges.service import Standing
from server.clock import Instant
from server.edge.context import Info
from server.edge.enums import described
from server.edge.permissions import MEMBER_DATA, shown_to
from server.money import PERCENT_PER_UNIT, floor_share
from server.programme.graphql import programme_now
from server.programme.service import PublishedProgramme

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


async def _standings(
    member_ids: list[int], published: PublishedProgramme, at: Instant
) -> Sequence[list[Standing]]:
    rules = published.programme
    today = clock.local_day(at, rules.programme.timezone)
    found = await service.standings(member_ids, rules, today)
    return [found[member_id] for member_id in member_ids]


async def challenges_of_member(info: Info, member_id: int) -> list[ChallengeStatus]:
    """The member's standing in each challenge of the programme, in the programme's order."""
    published = await programme_now(info)
    zone_name = published.programme.programme.timezone
    loader = info.context.loader(_standings, published, info.context.at)
    standings = await loader.load(member_id)
    return [_shown(standing, zone_name, info.context.language) for standing in standings]


def _shown(standing: Standing, zone_name: str, language: str) -> ChallengeStatus:
    share = floor_share(standing.progress, PERCENT_PER_UNIT, max(1, standing.target))
    return ChallengeStatus(
        key=standing.key,
        title=messages.text(f"challenge.{standing.key}.title", language),
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
        if standing.streak is None
        else ChallengeStreak(
            current=standing.streak.current,
            target=standing.streak.target,
            reward_points=standing.streak.reward_points,
            completions=standing.streak.completions,
        ),
    )
