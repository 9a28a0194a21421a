"""What the clock does for campaigns."""

from server.campaigns import planning, queries, rules, settling
from server.campaigns.kinds import CAMPAIGN
from server.campaigns.shapes import RunState
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.definitions import service as definitions
from server.scheduling import Job

SECONDS = 8.0
"""How long one run of a job goes on; the next comes soon enough."""


async def _plan(now: Instant) -> int:
    begun = await planning.begin_due(now)
    return begun + await planning.plan_due(now, seconds=SECONDS)


async def _settle(now: Instant) -> int:
    return await settling.settle(now, seconds=SECONDS)


async def _waiting_since(now: Instant) -> list[Instant]:
    """Since when there is something to be planned; an offer's message is not before the offer
    counts."""
    shelves = await definitions.shelves()
    live = shelves.of(CAMPAIGN.name).live(now).by_key.values()
    due = [one for one in live if planning.is_near(one.document, now)]
    begun = await queries.begun([one.id for one in due])
    waiting = [
        Instant(max(rules.begins_at(one.document), one.effective_at))
        for one in due
        if one.id not in begun
    ]
    for run in await queries.runs_in(RunState.PLANNING):
        if run.message or run.version_id in begun:
            version = shelves.by_id.get(run.version_id)
            counts_at = run.changed_at if version is None else version.effective_at
            waiting.append(max(run.changed_at, counts_at))
    return waiting


async def _planning_lag(now: Instant) -> int:
    """For how long the first of what is not planned yet was to be planned."""
    since = min(await _waiting_since(now), default=now)
    return max(0, now - since) // MICROSECONDS_PER_SECOND


async def _is_planning_due(now: Instant) -> bool:
    return bool(await queries.runs_in(RunState.PLANNING)) or bool(await _waiting_since(now))


async def _is_settling_due(_now: Instant) -> bool:
    unsettled = await queries.runs_in(RunState.PLANNING, RunState.SENDING, RunState.PAUSED)
    return bool(unsettled) or bool(await queries.stopped_with_waiting())


JOBS: tuple[Job, ...] = (
    Job("campaigns", "*/10 * * * * *", _plan, _planning_lag, _is_planning_due),
    Job("campaign_ends", "*/30 * * * * *", _settle, settling.waiting_since, _is_settling_due),
)
