"""The named queries of webhooks that come in."""

from collections.abc import Sequence

from server.clock import Instant
from server.storage import sql

SHOWN = "id, partner, created_at, expires_at"
EXPIRE = (
    "UPDATE webhook_secrets SET expires_at = $1 WHERE id = $2 AND partner IS NOT NULL"
    " AND (expires_at IS NULL OR expires_at > $1)"
)
CLAIM = sql.insert(
    "webhooks_received",
    "id, partner, webhook_id, content_hash, answer, received_at",
    otherwise="ON CONFLICT (partner, webhook_id) DO NOTHING",
)
ANSWER = "UPDATE webhooks_received SET answer = $1 WHERE id = $2"


async def secret(secret_id: int, *, locks: bool = False) -> sql.Row | None:
    """SHOWN of one; locked until the transaction's end, if it is to be changed."""
    lock = " FOR UPDATE" if locks and sql.engine() == "postgres" else ""
    return await sql.fetch_one(
        f"SELECT {SHOWN} FROM webhook_secrets WHERE id = $1 AND partner IS NOT NULL{lock}",
        secret_id,
    )


async def secrets(before: int, limit: int) -> Sequence[sql.Row]:
    """SHOWN of the newest with an id below `before`, ended ones included."""
    return await sql.fetch(
        f"SELECT {SHOWN} FROM webhook_secrets WHERE id < $1 AND partner IS NOT NULL"
        " ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )


async def accepted(partner: str | None, now: Instant) -> Sequence[sql.Row]:
    """(id, partner) of the secrets that count now, of one partner or of all, by partner."""
    of_partner = "" if partner is None else " AND partner = $2"
    return await sql.fetch(
        "SELECT id, partner FROM webhook_secrets WHERE partner IS NOT NULL"
        f" AND (expires_at IS NULL OR expires_at > $1){of_partner} ORDER BY partner, id DESC",
        now,
        *([] if partner is None else [partner]),
    )


async def received(partner: str, webhook_id: str) -> sql.Row | None:
    """(content_hash, answer) of a webhook that was taken."""
    return await sql.fetch_one(
        "SELECT content_hash, answer FROM webhooks_received WHERE partner = $1 AND webhook_id = $2",
        partner,
        webhook_id,
    )


async def member_of_address(email_key: str) -> int | None:
    """The member who signs in with the address, if there is one."""
    row = await sql.fetch_one(
        "SELECT member_id FROM accounts WHERE email_key = $1 AND member_id IS NOT NULL", email_key
    )
    return None if row is None else row[0]
