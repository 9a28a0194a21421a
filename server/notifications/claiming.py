"""Deliveries that are due, taken by one sender for a short while.

A sender claims some in one short transaction, which also settles what may not go at all and puts
off what falls in quiet hours. Claims come one after the other, whatever the channel, so that the
caps of a member hold whoever sends. Only then, in transactions of their own (`sending_windows`),
what was claimed is marked as being attempted, a few at a time, and goes over the wire.

Who dies leaves claims behind that end by themselves. What was only claimed is queued again. What
was being attempted may have been sent or not: marketing stays in doubt and is not sent again, what
is service is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import msgspec

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.notifications import rules, sending_facts, sending_rates
from server.notifications.sending_facts import Known
from server.notifications.sending_rates import UNLIMITED, Pause, Reservation
from server.notifications.shapes import Channel, Policy, Status, Suppression
from server.storage import sql
from server.storage.exchange import fetch_each

MAXIMUM_BATCH = 500
TRIED_FIRST = 4
"""After a failure of the provider: no more is claimed until some of these have gone."""
LEASE_SECONDS = 90
RUNS_AT_ONCE = 16
"""Campaigns of which a claim takes some: those whose oldest delivery has waited longest."""
_CLAIM_LOCK = 0x6C61_7572_636C_6169  # "laurclai": nobody else's advisory lock
_FIRST = (
    "SELECT due_at FROM deliveries WHERE status = 'queued' AND channel = $1 AND run_id {run}"
    " ORDER BY run_id, due_at LIMIT 1"
)
_NEXT_RUN = (
    "(SELECT run_id FROM deliveries WHERE status = 'queued' AND channel = $1 AND run_id {after}"
    " ORDER BY run_id LIMIT 1)"
)
# From run to run along the index: what waits of each is not looked at.
_WAITING_RUNS = f"""
    WITH RECURSIVE waiting (id) AS (
        SELECT {_NEXT_RUN.format(after="IS NOT NULL")}
        UNION ALL
        SELECT {_NEXT_RUN.format(after="> w.id")} FROM waiting w WHERE w.id IS NOT NULL
    )
    SELECT w.id, ({_FIRST.format(run="= w.id")}) AS first_due
    FROM waiting w LEFT JOIN campaign_runs r ON r.id = w.id
    WHERE w.id IS NOT NULL AND (r.state IS NULL OR r.state <> 'paused')
"""
_CLAIM = (
    "UPDATE deliveries SET status = 'claimed', claimed_by = $1, claimed_until = $2,"
    " attempted_at = $3 WHERE status = 'queued' AND id IN ({ids}) RETURNING id"
)
_SUPPRESS = (
    "UPDATE deliveries SET status = $1, reason = $2, settled_at = $3, claimed_until = NULL,"
    " attempted_at = CASE WHEN attempts = 0 THEN NULL ELSE attempted_at END"
    " WHERE status = '{status}' AND id IN ({ids})"
)
_POSTPONE = "UPDATE deliveries SET due_at = $1 WHERE id = $2 AND status = 'queued'"
_RELEASE = (
    "UPDATE deliveries SET status = 'queued', claimed_by = NULL, claimed_until = NULL,"
    " attempted_at = CASE WHEN attempts = 0 THEN NULL ELSE attempted_at END"
    " WHERE status = 'claimed' AND {whose}"
)
_LAPSED = (
    "UPDATE deliveries SET status = $1, reason = $2, claimed_until = NULL, settled_at = $3"
    " WHERE status = 'attempting' AND claimed_until <= $4 AND category {marketing}"
)


class Claim(msgspec.Struct, frozen=True):
    """What a sender has taken."""

    taken: Sequence[Known] = ()  # in the order in which they are to go
    reservation: Reservation = UNLIMITED
    pause: Pause = Pause()  # the last one, which is over
    handled: int = 0  # these, and what was settled or put off


class _Sorted(msgspec.Struct, frozen=True):
    """What is due, by what is to become of it."""

    going: list[Known]
    refused: list[tuple[Suppression, Known]]
    postponed: list[tuple[Instant, Known]]


async def claim(
    now: Instant,
    *,
    channel: Channel,
    sender_id: int,
    policy: Policy,
    quota: int | None,
    limit: int = MAXIMUM_BATCH,
) -> Claim:
    """Take what is due, at most so many and no more than the quota has left.

    In a transaction of its own. Nothing is taken while the channel is paused.
    """
    size = min(limit, MAXIMUM_BATCH)

    async def once() -> Claim:
        async with sql.transaction():
            if sql.engine() == "postgres":
                await sql.fetch("SELECT pg_advisory_xact_lock($1)", _CLAIM_LOCK)
            return await _claim(now, channel, sender_id, policy, quota, size)

    return await sql.retried(once)


async def _claim(
    now: Instant,
    channel: Channel,
    sender_id: int,
    policy: Policy,
    quota: int | None,
    limit: int,
) -> Claim:
    run_rows, pause_rows = await fetch_each(
        [(_WAITING_RUNS, (channel,)), sending_rates.pause_asked(channel)]
    )
    pause = sending_rates.pause_of(pause_rows)
    if pause.until > now:
        return Claim(pause=pause)
    if pause.failures:
        limit = min(limit, TRIED_FIRST)
    runs = sorted((due, run) for run, due in run_rows if due is not None and due <= now)
    statement, values = sending_facts.queued_asked(
        channel, [run for _due, run in runs[:RUNS_AT_ONCE]], now, limit=limit
    )
    due = [sending_facts.known_of(row) for row in await sql.fetch(statement, *values)]
    if not due:
        return Claim(pause=pause)
    said_rows, had_rows = await _looked_up(due, channel, policy, now)
    sorted_ = _sorted(due, channel, sending_facts.said_of(said_rows), policy, now)
    reservation = UNLIMITED
    if quota is not None:
        reservation = await sending_rates.reserved(quota, len(sorted_.going))
    had = sending_facts.had_of(had_rows)
    going, capped = _within_caps(sorted_.going, had, policy, reservation.count, now)
    refused = [*sorted_.refused, *((Suppression.CAP, one) for one in capped)]
    await suppress(refused, now, status=Status.QUEUED)
    await sql.execute_many(_POSTPONE, [(until, one.id) for until, one in sorted_.postponed])
    taken = await _take(going, sender_id, now)
    handled = len(taken) + len(refused) + len(sorted_.postponed)
    return Claim(taken, reservation, pause, handled)


async def _looked_up(
    due: Sequence[Known], channel: Channel, policy: Policy, now: Instant
) -> tuple[Sequence[sql.Row], Sequence[sql.Row]]:
    member_ids = {one.member_id for one in due}
    said = sending_facts.said_asked(channel, member_ids)
    had = sending_facts.had_asked(member_ids, policy, now)
    if had is None:
        return (await fetch_each([said]))[0], []
    said_rows, had_rows = await fetch_each([said, had])
    return said_rows, had_rows


def _sorted(
    due: Iterable[Known],
    channel: Channel,
    said: sending_facts.Said,
    policy: Policy,
    now: Instant,
) -> _Sorted:
    found = _Sorted([], [], [])
    for one in due:
        verdict = rules.verdict(sending_facts.facts_of(one, channel, said, policy), now)
        if verdict.reason is not None:
            found.refused.append((verdict.reason, one))
        elif verdict.until is not None:
            found.postponed.append((verdict.until, one))
        else:
            found.going.append(one)
    return found


def _within_caps(
    going: Iterable[Known],
    had: sending_facts.Had,
    policy: Policy,
    count: int | None,
    now: Instant,
) -> tuple[list[Known], list[Known]]:
    """Of what may go, the first so many that no cap keeps back, and those before them that one
    does. A message that counts already counts no more for another device."""
    kept: list[Known] = []
    capped: list[Known] = []
    for one in going:
        if count is not None and len(kept) >= count:
            break
        counted = had[one.member_id]
        if one.notification_id not in counted:
            if rules.is_capped(one.category, counted.values(), policy.caps, now):
                capped.append(one)
                continue
            counted[one.notification_id] = (one.category, now)
        kept.append(one)
    return kept, capped


async def _take(going: Sequence[Known], sender_id: int, now: Instant) -> list[Known]:
    if not going:
        return []
    ids = sql.padded(one.id for one in going)
    rows = await sql.fetch(
        _CLAIM.format(ids=sql.placeholders(len(ids), 4)), sender_id, lease_end(), now, *ids
    )
    taken = {row[0] for row in rows}
    return [one for one in going if one.id in taken]


def lease_end() -> Instant:
    """Until when what is claimed now is the sender's."""
    return Instant(clock.system_now() + LEASE_SECONDS * MICROSECONDS_PER_SECOND)


async def suppress(
    refused: Iterable[tuple[Suppression, Known]], now: Instant, *, status: Status
) -> None:
    """Settle deliveries that are not sent, which have the status so far. Writes.

    What was tried before and is too late now has failed.
    """
    by_end: dict[tuple[Status, str], list[int]] = defaultdict(list)
    for reason, one in refused:
        is_late = reason is Suppression.EXPIRED and one.attempts > 0
        by_end[Status.FAILED if is_late else Status.SUPPRESSED, reason].append(one.id)
    for (end, why), ids in by_end.items():
        places = sql.padded(ids)
        statement = _SUPPRESS.format(status=status, ids=sql.placeholders(len(places), 4))
        await sql.execute(statement, end, why, now, *places)


async def release(ids: Collection[int], sender_id: int) -> None:
    """Put what is still claimed of these back in the queue. Writes."""
    if ids:
        places = sql.padded(ids)
        whose = f"claimed_by = $1 AND id IN ({sql.placeholders(len(places), 2)})"
        await sql.execute(_RELEASE.format(whose=whose), sender_id, *places)


async def recover(now: Instant) -> int:
    """End the claims of those who died; how many deliveries. In a transaction of its own."""
    ended = clock.system_now()

    async def once() -> int:
        async with sql.transaction():
            count = await sql.execute(_RELEASE.format(whose="claimed_until <= $1"), ended)
            count += await sql.execute(
                _LAPSED.format(marketing="<> 'service'"), Status.IN_DOUBT, "no_answer", now, ended
            )
            count += await sql.execute(
                _LAPSED.format(marketing="= 'service'"), Status.QUEUED, "no_answer", None, ended
            )
            return count

    return await sql.retried(once)


async def lag_seconds(channel: Channel, now: Instant) -> int:
    """For how long the oldest delivery of the channel has been due and not claimed."""
    runs, of_none = await fetch_each(
        [(_WAITING_RUNS, (channel,)), (_FIRST.format(run="IS NULL"), (channel,))]
    )
    firsts = [due for _run, due in runs if due is not None] + [row[0] for row in of_none]
    return max(0, now - min(firsts, default=now)) // MICROSECONDS_PER_SECOND
