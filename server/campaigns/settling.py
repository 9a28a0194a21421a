"""The end of campaigns: what was stopped is not sent, and what has nothing left to send is done."""

import time

from server.campaigns import queries
from server.campaigns.shapes import OF_OFFER, Run, RunState
from server.clock import Instant
from server.definitions import service as definitions
from server.storage import sql

AT_ONCE = 1_000
"""Deliveries to a transaction."""
_UNFINISHED = (RunState.PLANNING, RunState.SENDING, RunState.PAUSED)


async def settle(now: Instant, *, seconds: float) -> int:
    """Stop the campaigns that were withdrawn, suppress what waits of those that were stopped, and
    note which are done, for at most about so long; how many deliveries and runs."""
    until = time.monotonic() + seconds
    done = await _stop_withdrawn(now)
    for run_id in await queries.stopped_with_waiting():
        done += await _stop_waiting(run_id, now, until)
    for run in await queries.runs_in(RunState.SENDING):
        if not await queries.has_open_deliveries(run.id):
            async with sql.transaction():
                done += await queries.finish(run.id, now)
    return done


async def _stop_withdrawn(now: Instant) -> int:
    stopped = 0
    for run in await queries.runs_in(*_UNFINISHED):
        if await _is_withdrawn(run, now):
            async with sql.transaction():
                current = await queries.run(run.id, is_locked=True)
                if current is not None and current.state in _UNFINISHED:
                    await queries.become(run.id, RunState.STOPPED, now)
                    stopped += 1
    return stopped


async def _is_withdrawn(run: Run, now: Instant) -> bool:
    shelves = await definitions.shelves()
    kind, key = "campaign", run.campaign
    if key.startswith(OF_OFFER):
        kind, key = "offer", key.removeprefix(OF_OFFER)
    version = shelves.by_id.get(run.version_id)
    has_begun = version is not None and version.effective_at <= now
    return has_begun and shelves.of(kind).at(key, now) is None


async def _stop_waiting(run_id: int, now: Instant, until: float) -> int:
    stopped = 0
    while time.monotonic() < until:
        async with sql.transaction(shares_commit=False):
            some = await queries.stop_some(run_id, now, limit=AT_ONCE)
        stopped += some
        if some < AT_ONCE:
            break
    return stopped


async def waiting_since(now: Instant) -> int:
    """For how many seconds what waits of stopped campaigns has not been suppressed."""
    since = await queries.stopped_at()
    return 0 if since is None else max(0, (now - since) // 1_000_000)
