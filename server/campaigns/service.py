"""The verbs of campaigns: pausing, resuming and stopping them, and how far they are."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from msgspec import Struct

from server.campaigns import queries, rules
from server.campaigns.documents import Campaign
from server.campaigns.kinds import CAMPAIGN
from server.campaigns.shapes import OF_OFFER, Progress, Run, RunState
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Published
from server.errors import AlreadyDecided, NotFound, Path

__all__ = [
    "CAMPAIGN",
    "OF_OFFER",
    "Campaign",
    "CampaignState",
    "Progress",
    "Run",
    "RunState",
    "Standing",
    "live_campaigns",
    "pause",
    "progress",
    "resume",
    "runs",
    "standing",
    "stop",
]
_KEY: Path = ("key",)
_ACTIVE = (RunState.PLANNING, RunState.SENDING, RunState.PAUSED)


class CampaignState(StrEnum):
    """How far a campaign is."""

    SCHEDULED = "scheduled"  # its time has not come
    PLANNING = "planning"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"
    MISSED = "missed"  # its time was over before anybody could be looked at


class Standing(Struct, frozen=True):
    """A campaign, and how far it is."""

    key: str
    state: CampaignState
    version: Published | None  # that counts now; None of an offer's, and if it was withdrawn
    runs: tuple[Run, ...]  # the newest first


def _state(version: Published | None, runs: Sequence[Run], now: Instant) -> CampaignState:
    own = [run for run in runs if version is None or run.version_id == version.id]
    active = [run for run in own or runs if run.state in _ACTIVE]
    if active or own:
        return CampaignState((active or own)[0].state.value)
    assert version is not None, "what has neither a version nor a run is not found"
    is_missed = rules.ends_at(version.document) <= now
    return CampaignState.MISSED if is_missed else CampaignState.SCHEDULED


async def standing(key: str, now: Instant, *, is_locked: bool = False) -> Standing:
    """The campaign of the key, or the one that an offer began (`offer:` and its key). Raises
    NotFound."""
    version = None
    if not key.startswith(OF_OFFER):
        version = (await definitions.shelves()).of(CAMPAIGN.name).at(key, now)
    runs = await queries.runs_of(key, is_locked=is_locked)
    if version is None and not runs:
        raise NotFound("not_found", path=_KEY)
    return Standing(key, _state(version, runs, now), version, tuple(runs))


async def live_campaigns(now: Instant) -> list[Published]:
    """The versions of all campaigns that count now, in the order of their keys."""
    return list((await definitions.shelves()).of(CAMPAIGN.name).live(now).by_key.values())


async def runs(*, before: int, limit: int) -> list[Run]:
    """The newest runs of all campaigns, those with an id below."""
    return await queries.page(before=before, limit=limit)


async def progress(run_ids: Collection[int]) -> dict[int, Progress]:
    """What became of the deliveries of each of the runs so far; one statement."""
    found = await queries.progress(run_ids)
    return {run_id: Progress(counts) for run_id, counts in found.items()}


# ---------------------------------------------------------------- in mid-flight


async def pause(key: str, now: Instant) -> Standing:
    """Let nothing more of the campaign go out, and nobody more be looked at, until it is resumed.

    What senders have claimed already, within the last minute, may still go. One that is only
    scheduled does not begin, nor does a version that is published meanwhile. Pausing what is paused
    changes nothing. Writes; call it inside a transaction. Raises NotFound, or AlreadyDecided for
    what is over.
    """
    found = await standing(key, now, is_locked=True)
    _refuse_over(found)
    for run in found.runs:
        if run.state in (RunState.PLANNING, RunState.SENDING):
            await queries.become(run.id, RunState.PAUSED, now, resumes_as=run.state)
    ahead = _ahead(found, now)
    if ahead is not None and not await queries.add_run(
        key, ahead.id, now, state=RunState.PAUSED, resumes_as=RunState.PLANNING
    ):
        return await pause(key, now)  # it has begun this moment
    return await standing(key, now)


async def resume(key: str, now: Instant) -> Standing:
    """Let a campaign that was paused go on: what has expired meanwhile is not sent any more.

    Resuming what goes on changes nothing. Writes; call it inside a transaction. Raises NotFound,
    or AlreadyDecided for what is over.
    """
    found = await standing(key, now, is_locked=True)
    _refuse_over(found)
    for run in found.runs:
        if run.state is RunState.PAUSED:
            await queries.become(run.id, run.resumes_as or RunState.PLANNING, now)
    return await standing(key, now)


async def stop(key: str, now: Instant) -> Standing:
    """Let nothing more of the campaign go out, for good: whoever has not got it never does, unless
    a new version is published and they have no message of it yet.

    What senders have claimed already, within the last minute, may still go; what waits becomes
    suppressed within minutes (`planning.settle`). Stopping what was stopped changes nothing.
    Writes; call it inside a transaction. Raises NotFound, or AlreadyDecided for what is over.
    """
    found = await standing(key, now, is_locked=True)
    if found.state is not CampaignState.STOPPED:
        _refuse_over(found)
    for run in found.runs:
        if run.state in _ACTIVE:
            await queries.become(run.id, RunState.STOPPED, now)
    ahead = _ahead(found, now)
    if ahead is not None and not await queries.add_run(key, ahead.id, now, state=RunState.STOPPED):
        return await stop(key, now)  # it has begun this moment
    return await standing(key, now)


def _ahead(found: Standing, now: Instant) -> Published | None:
    """The version that counts, if it has not begun and may."""
    version = found.version
    if version is None or any(run.version_id == version.id for run in found.runs):
        return None
    return version if now < rules.ends_at(version.document) else None


def _refuse_over(found: Standing) -> None:
    is_over = found.state in (CampaignState.STOPPED, CampaignState.DONE, CampaignState.MISSED)
    if is_over and not any(run.state in _ACTIVE for run in found.runs):
        raise AlreadyDecided("campaign.over", status=found.state.name, path=_KEY)
