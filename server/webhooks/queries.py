"""The named queries of webhooks; each says what its rows hold."""

from collections.abc import Collection, Sequence

from server.clock import Instant
from server.storage import sql

SUBSCRIPTION_COLUMNS = (
    "id, name, url, partner, kinds, state, state_reason, failing_since, created_at, changed_at"
)
_OF_SECRETS = "id, subscription_id, partner, created_at, expires_at"
DELIVERY_COLUMNS = (
    "id, subscription_id, event_id, kind, member_id, payload, status, attempts, due_at, created_at,"
    " tried_since, claimed_until, settled_at, answer_status, error"
)
SHOWN_COLUMNS = (
    "id, subscription_id, event_id, kind, member_id, status, attempts, due_at, created_at,"
    " settled_at, answer_status, error"
)

INSERT_SUBSCRIPTION = sql.insert("webhook_subscriptions", SUBSCRIPTION_COLUMNS)
INSERT_SECRET = sql.insert("webhook_secrets", _OF_SECRETS)
INSERT_DELIVERY = sql.insert(
    "webhook_deliveries",
    DELIVERY_COLUMNS,
    otherwise="ON CONFLICT (subscription_id, event_id) DO NOTHING",
)


def _locking() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


# ---------------------------------------------------------------- subscriptions


async def subscription(subscription_id: int, *, locks: bool = False) -> sql.Row | None:
    """SUBSCRIPTION_COLUMNS of one that is not deleted; locked until the transaction's end, if it is
    to be changed."""
    lock = _locking() if locks else ""
    return await sql.fetch_one(
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM webhook_subscriptions"
        f" WHERE id = $1 AND state <> 'deleted'{lock}",
        subscription_id,
    )


async def subscriptions(before: int, limit: int) -> Sequence[sql.Row]:
    """SUBSCRIPTION_COLUMNS of the newest with an id below `before`, deleted ones left out."""
    return await sql.fetch(
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM webhook_subscriptions"
        " WHERE id < $1 AND state <> 'deleted' ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )


async def subscriptions_by_id(ids: Collection[int]) -> Sequence[sql.Row]:
    """SUBSCRIPTION_COLUMNS of these, deleted ones left out."""
    values = sql.padded(ids)
    return await sql.fetch(
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM webhook_subscriptions"
        f" WHERE id IN ({sql.placeholders(len(values))}) AND state <> 'deleted'",
        *values,
    )


async def listening() -> Sequence[sql.Row]:
    """(id, partner, kinds) of the subscriptions for which events are kept, by id."""
    return await sql.fetch(
        "SELECT id, partner, kinds FROM webhook_subscriptions"
        " WHERE state IN ('active', 'paused') ORDER BY id"
    )


async def count_subscriptions() -> int:
    """How many there are, deleted ones left out."""
    row = await sql.fetch_one("SELECT COUNT(*) FROM webhook_subscriptions WHERE state <> 'deleted'")
    assert row is not None, "an aggregate has a row"
    return int(row[0])


UPDATE_SUBSCRIPTION = (
    "UPDATE webhook_subscriptions SET name = $1, url = $2, partner = $3, kinds = $4,"
    " changed_at = $5 WHERE id = $6"
)
SET_STATE = (
    "UPDATE webhook_subscriptions SET state = $1, state_reason = $2, failing_since = $3,"
    " changed_at = $4 WHERE id = $5"
)


# ---------------------------------------------------------------- secrets


async def secrets_of(subscription_ids: Collection[int], now: Instant) -> Sequence[sql.Row]:
    """(id, subscription_id) of the secrets that sign now, the newest first."""
    values = sql.padded(subscription_ids)
    wanted = sql.placeholders(len(values), 2)
    return await sql.fetch(
        "SELECT id, subscription_id FROM webhook_secrets"
        f" WHERE (expires_at IS NULL OR expires_at > $1) AND subscription_id IN ({wanted})"
        " ORDER BY id DESC",
        now,
        *values,
    )


EXPIRE_SECRETS = (
    "UPDATE webhook_secrets SET expires_at = $1 WHERE subscription_id = $2"
    " AND (expires_at IS NULL OR expires_at > $1)"
)


# ---------------------------------------------------------------- deliveries


async def delivery(delivery_id: int) -> sql.Row | None:
    """SHOWN_COLUMNS of one."""
    return await sql.fetch_one(
        f"SELECT {SHOWN_COLUMNS} FROM webhook_deliveries WHERE id = $1", delivery_id
    )


async def deliveries(
    *, subscription_id: int | None, status: str | None, before: int, limit: int
) -> Sequence[sql.Row]:
    """SHOWN_COLUMNS of the newest with an id below `before`."""
    conditions, values = ["id < $1"], [before, limit]
    stated: list[int | str] = [*values]
    for column, value in (("subscription_id", subscription_id), ("status", status)):
        if value is not None:
            stated.append(value)
            conditions.append(f"{column} = ${len(stated)}")
    return await sql.fetch(
        f"SELECT {SHOWN_COLUMNS} FROM webhook_deliveries WHERE {' AND '.join(conditions)}"
        " ORDER BY id DESC LIMIT $2",
        *stated,
    )


async def counts(subscription_ids: Collection[int]) -> Sequence[sql.Row]:
    """(subscription_id, status, how many) of what waits and of the dead letters."""
    values = sql.padded(subscription_ids)
    return await sql.fetch(
        "SELECT subscription_id, status, COUNT(*) FROM webhook_deliveries"
        f" WHERE subscription_id IN ({sql.placeholders(len(values))})"
        " AND status IN ('queued', 'dead') GROUP BY subscription_id, status",
        *values,
    )


_QUEUED_AGAIN = (
    "UPDATE webhook_deliveries SET status = 'queued', attempts = 0, due_at = $1,"
    " tried_since = NULL, claimed_until = NULL, settled_at = NULL, answer_status = NULL,"
    " error = NULL WHERE status = 'dead' AND"
)
REPLAY_ONE = f"{_QUEUED_AGAIN} id = $2"
REPLAY_MANY = (
    f"{_QUEUED_AGAIN} id IN (SELECT d.id FROM webhook_deliveries d"
    " WHERE d.subscription_id = $2 AND d.status = 'dead' AND d.created_at >= $3"
    " ORDER BY d.id LIMIT $4)"
)
CANCEL_QUEUED = (
    "UPDATE webhook_deliveries SET status = 'cancelled', settled_at = $1, claimed_until = NULL"
    " WHERE subscription_id = $2 AND status IN ('queued', 'dead')"
)
BURY_QUEUED = (
    "UPDATE webhook_deliveries SET status = 'dead', settled_at = $1, error = $2"
    " WHERE subscription_id = $3 AND status = 'queued'"
    " AND (claimed_until IS NULL OR claimed_until <= $4)"
)
"""What is being attempted just now is left to whoever attempts it."""


async def has_dead(subscription_id: int, since: Instant) -> bool:
    """Whether there is a dead letter of an event that came since then."""
    row = await sql.fetch_one(
        "SELECT id FROM webhook_deliveries WHERE subscription_id = $1 AND status = 'dead'"
        " AND created_at >= $2 LIMIT 1",
        subscription_id,
        since,
    )
    return row is not None


# ---------------------------------------------------------------- what events are about


async def purchases_of(references: Collection[int]) -> Sequence[sql.Row]:
    """(id, purchase, partner) of the purchases and returns with these ids."""
    values = sql.padded(references)
    wanted = sql.placeholders(len(values))
    return await sql.fetch(
        f"SELECT id, id, partner FROM purchases WHERE id IN ({wanted})"
        f" UNION ALL SELECT id, purchase_id, partner FROM purchase_returns WHERE id IN ({wanted})",
        *values,
    )


async def customers(member_ids: Collection[int], partners: Collection[str]) -> Sequence[sql.Row]:
    """(member_id, partner) of those of the members who have bought at one of the partners."""
    ids, keys = sql.padded(member_ids), sql.padded(partners)
    return await sql.fetch(
        "SELECT DISTINCT member_id, partner FROM purchases"
        f" WHERE member_id IN ({sql.placeholders(len(ids))})"
        f" AND partner IN ({sql.placeholders(len(keys), len(ids) + 1)})",
        *ids,
        *keys,
    )


# ---------------------------------------------------------------- retention

_DELETE = (
    "DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_deliveries d"
    " WHERE d.status {which} AND d.{column} < $1 ORDER BY d.id LIMIT $2)"
)
DELETE_SETTLED = _DELETE.format(which="IN ('delivered', 'cancelled')", column="settled_at")
DELETE_DEAD = _DELETE.format(which="= 'dead'", column="settled_at")
BURY_OLD = (
    "UPDATE webhook_deliveries SET status = 'dead', settled_at = $1, error = $2"
    " WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.status = 'queued'"
    " AND d.created_at < $3 AND d.subscription_id IN (SELECT s.id"
    " FROM webhook_subscriptions s WHERE s.state IN ('paused', 'disabled'))"
    " ORDER BY d.id LIMIT $4)"
)
DELETE_RECEIVED = (
    "DELETE FROM webhooks_received WHERE id IN (SELECT r.id FROM webhooks_received r"
    " WHERE r.received_at < $1 ORDER BY r.id LIMIT $2)"
)
DELETE_SECRETS = "DELETE FROM webhook_secrets WHERE expires_at < $1"
