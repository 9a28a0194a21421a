"""The statements that claim deliveries and note what came of them."""

from collections.abc import Sequence

from server.clock import Instant
from server.storage import sql

_FREE = "(d.claimed_until IS NULL OR d.claimed_until <= $2)"
_DUE = f"d.status = 'queued' AND d.due_at <= $1 AND {_FREE}"
READY = (
    "SELECT s.id FROM webhook_subscriptions s WHERE s.state = 'active' AND EXISTS"
    f" (SELECT 1 FROM webhook_deliveries d WHERE d.subscription_id = s.id AND {_DUE})"
    " ORDER BY s.id"
)
_OLDER = (
    "SELECT 1 FROM webhook_deliveries e WHERE e.subscription_id = d.subscription_id"
    " AND e.status = 'queued' AND e.id < d.id AND e.kind <> 'ping' AND e.member_id"
)
_IS_FIRST = (
    "(d.kind = 'ping'"
    f" OR (d.member_id IS NULL AND NOT EXISTS ({_OLDER} IS NULL))"
    f" OR (d.member_id IS NOT NULL AND NOT EXISTS ({_OLDER} = d.member_id)))"
)
HEADS = (
    "SELECT d.id, d.subscription_id, d.event_id, d.member_id, d.kind, d.payload, d.attempts,"
    " d.tried_since, d.due_at FROM webhook_deliveries d"
    f" WHERE d.subscription_id = {{owner}} AND {_DUE} AND {_IS_FIRST}"
    " ORDER BY d.due_at, d.id LIMIT $3"
)
LAG = (
    "SELECT MIN(d.due_at) FROM webhook_deliveries d JOIN webhook_subscriptions s"
    " ON s.id = d.subscription_id WHERE s.state = 'active' AND d.status = 'queued'"
    f" AND d.due_at <= $1 AND {_IS_FIRST}"
)
HOLD = "UPDATE webhook_deliveries SET claimed_until = $1 WHERE id = $2"
_MINE = "id = $1 AND status = 'queued' AND claimed_until = $2"
DELIVERED = (
    "UPDATE webhook_deliveries SET status = 'delivered', attempts = attempts + 1, settled_at = $3,"
    f" claimed_until = NULL, answer_status = $4, error = NULL WHERE {_MINE}"
)
POSTPONED = (
    "UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = $3, tried_since = $4,"
    f" claimed_until = NULL, answer_status = $5, error = $6 WHERE {_MINE}"
)
DEAD = (
    "UPDATE webhook_deliveries SET status = 'dead', attempts = attempts + 1, settled_at = $3,"
    f" tried_since = $4, claimed_until = NULL, answer_status = $5, error = $6 WHERE {_MINE}"
)
# Those behind it have to wait for it anyway: they are not looked at before it is due again.
FOLLOW = (
    "UPDATE webhook_deliveries SET due_at = $1 WHERE subscription_id = $2 AND member_id = $3"
    " AND status = 'queued' AND id > $4 AND due_at < $1"
)
WORKS = (
    "UPDATE webhook_subscriptions SET failing_since = NULL"
    " WHERE id = $1 AND failing_since IS NOT NULL AND state = 'active'"
)
FAILS = (
    "UPDATE webhook_subscriptions SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL"
)
FAILING_SINCE = "SELECT failing_since FROM webhook_subscriptions WHERE id = $1"
FAILED = (
    "SELECT COUNT(*) FROM webhook_deliveries WHERE subscription_id = $1 AND kind <> 'ping'"
    " AND attempts > 0 AND (status = 'queued' OR (status = 'dead' AND settled_at >= $2))"
)


async def locked(subscription_ids: Sequence[int]) -> list[int]:
    """Those of the active subscriptions that nobody else claims from just now; nobody does before
    the transaction ends."""
    values = sql.padded(subscription_ids)
    lock = " FOR UPDATE SKIP LOCKED" if sql.engine() == "postgres" else ""
    rows = await sql.fetch(
        "SELECT id FROM webhook_subscriptions"
        f" WHERE id IN ({sql.placeholders(len(values))}) AND state = 'active' ORDER BY id{lock}",
        *values,
    )
    return [row[0] for row in rows]


async def held(subscription_ids: Sequence[int], now: Instant) -> Sequence[sql.Row]:
    """(subscription_id, how many) of the deliveries that somebody attempts just now."""
    values = sql.padded(subscription_ids)
    return await sql.fetch(
        "SELECT subscription_id, COUNT(*) FROM webhook_deliveries WHERE status = 'queued'"
        " AND claimed_until IS NOT NULL AND claimed_until > $1"
        f" AND subscription_id IN ({sql.placeholders(len(values), 2)}) GROUP BY subscription_id",
        now,
        *values,
    )
