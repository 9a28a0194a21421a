"""Planning: whom a campaign goes to is written down, member by member, before their time comes.

A run looks at the members in the order of their ids, BATCH at a time. What is read is read before
the transaction, so that on SQLite nobody's purchase waits for it; the transaction writes the
messages and how far the run is, together. So a process may die at any moment, and two may plan one
run at once: each member is looked at once, and whoever comes second sees that the run is further.
"""

import time

from server.campaigns import audiences, drafting, queries, rules
from server.campaigns.documents import Campaign
from server.campaigns.drafting import Plan
from server.campaigns.kinds import CAMPAIGN
from server.campaigns.shapes import OF_OFFER, Run, RunState
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Published, Shelves
from server.members.service import Profile
from server.notifications import policy, writing
from server.programme import service as programme
from server.storage import sql
from server.storage.secrets import shared_secret

BATCH = 1_000
"""Members to a transaction."""
_LOTS = "campaigns"
"""The name of the deployment's secret that members' lots are drawn with."""


# ---------------------------------------------------------------- beginning


async def begin_due(now: Instant) -> int:
    """Begin each campaign whose time comes near for the first member anywhere; how many. Twice at
    once, or again, it begins each version once. Of a campaign that is paused, what follows is too.
    """
    live = (await definitions.shelves()).of(CAMPAIGN.name).live(now)
    due = [one for one in live.by_key.values() if is_near(one.document, now)]
    begun = await queries.begun([one.id for one in due])
    waiting = [one for one in due if one.id not in begun]
    if not waiting:
        return 0
    async with sql.transaction():
        return sum([await _begin(one.key, one.id, now) for one in waiting])


async def _begin(campaign: str, version_id: int, now: Instant, *, message: str = "") -> bool:
    """Begin to send the version, or not before the campaign is resumed if it is paused."""
    is_paused = any(one.state is RunState.PAUSED for one in await queries.runs_of(campaign))
    return await queries.add_run(
        campaign,
        version_id,
        now,
        message=message,
        state=RunState.PAUSED if is_paused else RunState.PLANNING,
        resumes_as=RunState.PLANNING if is_paused else None,
    )


def is_near(document: Campaign, now: Instant) -> bool:
    """Whether it is to be planned now."""
    return rules.begins_at(document) <= now < rules.ends_at(document)


async def start_for_offer(offer_key: str, version: int, message_key: str, now: Instant) -> bool:
    """Begin to tell of an offer, by a message, to those whom both are for, once for each version;
    whether that had not begun. Who was told of the offer before, by whatever message, is not told
    again. Raises NotFound.

    Writes, in the transaction that it is called in or in its own.
    """
    published = (await definitions.shelves()).of("offer").numbered(offer_key, version)
    if published.document is None:
        return False
    async with sql.transaction():
        return await _begin(f"{OF_OFFER}{offer_key}", published.id, now, message=message_key)


# ---------------------------------------------------------------- planning


async def plan_due(now: Instant, *, seconds: float) -> int:
    """Plan all runs that are to be planned, for at most about so long; how many members were
    looked at. A run that fails keeps no other one back; its failure is raised at the end."""
    until = time.monotonic() + seconds
    looked_at = 0
    failures: list[Exception] = []
    for run in await queries.runs_in(RunState.PLANNING):
        try:
            while time.monotonic() < until:
                more = await plan_batch(run.id, now)
                if more is None:
                    break
                looked_at += more
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return looked_at


async def plan_batch(run_id: int, now: Instant) -> int | None:
    """Look at the next members of a run, and write what they get; how many were looked at, None if
    there is nothing to plan now."""
    run = await queries.run(run_id)
    if run is None or run.state is not RunState.PLANNING:
        return None
    shelves = await definitions.shelves()
    version = shelves.by_id.get(run.version_id)
    if version is not None and now < version.effective_at:
        return None
    plan = None if version is None else await plan_of(run, version, shelves, now)
    if plan is None:
        await _give_up(run, shelves, now)
        return None
    if now < plan.begins_at:
        return None
    ids = await audiences.page_of_ids(after_id=run.after_id, limit=BATCH)
    profiles = await audiences.included(ids, plan.audience, now)
    return len(ids) if await _write(run, plan, ids, profiles, now) else 0


async def _write(
    run: Run, plan: Plan, ids: list[int], profiles: list[Profile], now: Instant
) -> bool:
    """Write what the members get, unless somebody else has, or the run is paused or stopped."""
    made = list(drafting.drafts(plan, profiles, run_id=run.id, now=now))
    async with sql.transaction(shares_commit=False):
        current = await queries.run(run.id, is_locked=True)
        if current is None or (current.state, current.after_id) != (run.state, run.after_id):
            return False
        await writing.write(made, now)
        if ids:
            await queries.advance(run.id, after_id=ids[-1], audience=len(profiles))
        if len(ids) < BATCH:
            await queries.planned(run.id, now)
    return True


async def plan_of(run: Run, version: Published, shelves: Shelves, now: Instant) -> Plan | None:
    """What a run's version says to whom; None if it does not count any more."""
    if shelves.of(version.kind).at(version.key, now) is not version:
        return None
    if not run.message:
        return await plan_of_campaign(run.campaign, version.document, shelves, now)
    return drafting.plan_of_offer(
        version,
        run.message,
        shelves=shelves,
        zone_name=(await programme.rulebook()).at(now).programme.programme.timezone,
        programme=await policy.programme_name_at(now),
        secret=await shared_secret(_LOTS),
        now=now,
    )


async def plan_of_campaign(
    key: str, document: Campaign, shelves: Shelves, now: Instant
) -> Plan | None:
    """What a campaign's document says to whom; None if a message of it is not published any
    more."""
    return drafting.plan_of_campaign(
        key,
        document,
        shelves=shelves,
        programme=await policy.programme_name_at(now),
        secret=await shared_secret(_LOTS),
        now=now,
    )


async def _give_up(run: Run, shelves: Shelves, now: Instant) -> None:
    """End the planning of a version that does not count any more: one that was withdrawn is
    stopped; of one that another version has followed, what is planned goes out."""
    version = shelves.by_id.get(run.version_id)
    follows = version is not None and shelves.of(version.kind).at(version.key, now) is not None
    async with sql.transaction():
        current = await queries.run(run.id, is_locked=True)
        if current is None or current.state is not RunState.PLANNING:
            return
        if follows:
            await queries.planned(run.id, now)
        else:
            await queries.become(run.id, RunState.STOPPED, now)
