"""Which deliveries are attempted next, and what is noted of an attempt.

Who attempts a delivery holds it for a minute. Whoever dies loses it then to the next: so it is
attempted at least once, and told by one at a time. Of a member's events for one subscription only
the oldest that is not settled is ever attempted, and of a subscription's events without a member:
so that they arrive in their order, however many attempt deliveries at once.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.storage import sql
from server.storage.each import of_each
from server.webhooks import claim_queries, rules, service
from server.webhooks.rules import DisabledReason
from server.webhooks.sending import Answer

PER_ENDPOINT: Final = 8
"""Deliveries to one endpoint at a time, by all processes together."""
HELD_SECONDS: Final = 60
"""Longer than an attempt may take."""
MAXIMUM_ERROR_LENGTH: Final = 200


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is this process's to attempt."""

    id: int
    subscription_id: int
    event_id: int
    member_id: int | None
    kind: str
    payload: str
    attempts: int  # so far
    tried_since: Instant | None
    held_until: Instant  # what tells its holder from a later one


async def claim(now: Instant, *, room: int, without: Collection[int]) -> list[Claimed]:
    """Up to `room` deliveries that are due and first in their order, of subscriptions other than
    those named; nobody else attempts them meanwhile. Opens its own transaction, if there is any."""
    ready = [row[0] for row in await sql.fetch(claim_queries.READY, now, system_now())]
    wanted = [subscription_id for subscription_id in ready if subscription_id not in without]
    if not wanted or room < 1:
        return []
    async with sql.transaction():
        locked = await claim_queries.locked(wanted)
        free = await _free(locked)
        if not free:
            return []
        rows = await of_each(claim_queries.HEADS, list(free), now, system_now(), PER_ENDPOINT)
        chosen = _chosen(rows, free, room)
        held_until = Instant(system_now() + HELD_SECONDS * MICROSECONDS_PER_SECOND)
        await sql.execute_many(claim_queries.HOLD, [(held_until, row[0]) for row in chosen])
    return [_claimed(row, held_until) for row in chosen]


def _claimed(row: sql.Row, held_until: Instant) -> Claimed:
    id_, subscription_id, event_id, member_id, kind, payload, attempts, tried_since = row[:8]
    return Claimed(
        *(id_, subscription_id, event_id, member_id, kind, payload, attempts, tried_since),
        held_until=held_until,
    )


async def _free(subscription_ids: Sequence[int]) -> dict[int, int]:
    """How many deliveries may begin for each; those that may begin none are left out."""
    if not subscription_ids:
        return {}
    rows = await claim_queries.held(subscription_ids, system_now())
    held = {row[0]: row[1] for row in rows}
    free = {id_: PER_ENDPOINT - held.get(id_, 0) for id_ in subscription_ids}
    return {id_: count for id_, count in free.items() if count > 0}


def _chosen(rows: Sequence[sql.Row], free: dict[int, int], room: int) -> list[sql.Row]:
    """The longest due of the rows, no more of an endpoint than it may have."""
    left = dict(free)
    chosen: list[sql.Row] = []
    for row in sorted(rows, key=lambda one: (one[8], one[0])):
        if left[row[1]] and len(chosen) < room:
            left[row[1]] -= 1
            chosen.append(row)
    return chosen


async def settle(claimed: Claimed, answer: Answer, *, now: Instant) -> DisabledReason | None:
    """Note what came of an attempt; why its subscription was disabled by that, if it was. Opens
    its own transaction. Who has lost what was claimed notes nothing of it."""
    async with sql.transaction():
        if answer.is_taken:
            await sql.execute(claim_queries.WORKS, claimed.subscription_id)
            mine = (claimed.id, claimed.held_until)
            await sql.execute(claim_queries.DELIVERED, *mine, now, answer.status)
            return None
        # Before the delivery's row: whoever disables the subscription locks them in this order.
        await sql.execute(claim_queries.FAILS, claimed.subscription_id, now)
        reason = DisabledReason.GONE if answer.is_gone else None
        if await _note_failure(claimed, answer, now) and reason is None:
            reason = await _failing(claimed.subscription_id, now)
        if reason is None:
            return None
        is_disabled = await service.disable(claimed.subscription_id, reason, now=now)
        return reason if is_disabled else None


async def _note_failure(claimed: Claimed, answer: Answer, now: Instant) -> bool:
    """Postpone what failed, or give it up; whether it was still this process's."""
    since = now if claimed.tried_since is None else claimed.tried_since
    error = (answer.error or "")[:MAXIMUM_ERROR_LENGTH]
    mine = (claimed.id, claimed.held_until)
    again = None
    if not answer.is_gone:
        again = rules.next_attempt_at(
            claimed.attempts + 1,
            tried_since=since,
            now=now,
            retry_after_seconds=answer.retry_after_seconds,
        )
    if again is None:
        return bool(await sql.execute(claim_queries.DEAD, *mine, now, since, answer.status, error))
    if not await sql.execute(claim_queries.POSTPONED, *mine, again, since, answer.status, error):
        return False
    if claimed.member_id is not None and claimed.kind != "ping":
        await sql.execute(
            claim_queries.FOLLOW, again, claimed.subscription_id, claimed.member_id, claimed.id
        )
    return True


async def _failing(subscription_id: int, now: Instant) -> DisabledReason | None:
    row = await sql.fetch_one(claim_queries.FAILING_SINCE, subscription_id)
    if row is None or row[0] is None or not rules.has_failed_for_long(row[0], now):
        return None
    counted = await sql.fetch_one(claim_queries.FAILED, subscription_id, row[0])
    assert counted is not None, "an aggregate has a row"
    return DisabledReason.FAILING if counted[0] >= rules.FAILING_DELIVERIES else None


async def lag_seconds(now: Instant) -> int:
    """For how long the delivery that is due and has waited longest has waited."""
    row = await sql.fetch_one(claim_queries.LAG, now)
    since = None if row is None else row[0]
    return 0 if since is None else max(0, now - since) // MICROSECONDS_PER_SECOND
