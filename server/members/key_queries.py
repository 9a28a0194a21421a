"""The named queries of API keys; each says what its rows hold."""

from collections.abc import Iterable, Sequence

from server.storage import sql
from server.storage.changes import PROGRAMME_VERSION_ID

KEY_COLUMNS = (
    "id, name, partner, scopes, key_hash, created_at, expires_at, revoked_at, last_used_at,"
    " replaces_id"
)
_ADD = sql.insert(
    "api_keys",
    "id, name, partner, scopes, key_hash, created_at, expires_at, replaces_id",
    otherwise="ON CONFLICT (key_hash) DO NOTHING",
)
_AUTHENTICATE = f"""
    SELECT {KEY_COLUMNS},
           COALESCE((SELECT version FROM versions WHERE versions.id = api_keys.id), 0),
           COALESCE((SELECT version FROM versions WHERE versions.id = {PROGRAMME_VERSION_ID}), 0)
    FROM api_keys WHERE key_hash = $1
"""
_REVOKE = "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
_END_BY = """
    UPDATE api_keys
    SET expires_at = CASE WHEN expires_at IS NULL OR expires_at > $2 THEN $2 ELSE expires_at END
    WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
"""
_HAS_REPLACEMENT = """
    SELECT 1 FROM api_keys
    WHERE replaces_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""
_USED = """
    UPDATE api_keys SET last_used_at = $1
    WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)
"""


async def add_if_new(row: sql.Row) -> bool:
    """Insert a key unless there is the same; whether it was inserted."""
    return await sql.execute(_ADD, *row) == 1


async def by_hash(key_hash: str) -> sql.Row | None:
    """KEY_COLUMNS of the key with the hash."""
    return await sql.fetch_one(f"SELECT {KEY_COLUMNS} FROM api_keys WHERE key_hash = $1", key_hash)


async def authenticated(key_hash: str) -> sql.Row | None:
    """KEY_COLUMNS of the key with the hash, and the versions of the key and of the programme."""
    return await sql.fetch_one(_AUTHENTICATE, key_hash)


async def by_id(key_id: int) -> sql.Row | None:
    """KEY_COLUMNS of the key."""
    return await sql.fetch_one(f"SELECT {KEY_COLUMNS} FROM api_keys WHERE id = $1", key_id)


async def page(*, before: int, limit: int) -> Sequence[sql.Row]:
    """KEY_COLUMNS of the newest keys with an id below `before`."""
    return await sql.fetch(
        f"SELECT {KEY_COLUMNS} FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )


async def revoke(key_id: int, *, now: int) -> bool:
    """End a key; whether it stood."""
    return await sql.execute(_REVOKE, now, key_id) == 1


async def end_by(key_id: int, end: int, *, now: int) -> bool:
    """Let a key that is good now expire at `end` at the latest; whether it was good."""
    return await sql.execute(_END_BY, key_id, end, now) == 1


async def has_replacement(key_id: int, *, now: int) -> bool:
    """Whether another key that is good takes the key's place."""
    return await sql.fetch_one(_HAS_REPLACEMENT, key_id, now) is not None


async def note_uses(uses: Iterable[tuple[int, int]]) -> None:
    """Set when keys were last used, (instant, id) each, where that is later than what stands."""
    await sql.execute_many(_USED, sorted(uses, key=lambda use: use[1]))
