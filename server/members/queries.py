"""The named queries of sessions.

A session stands while it is not revoked, was refreshed in the last 30 days (`expires_at`), and was
opened in the last 180.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from server.members.lifetimes import SESSION_MICROSECONDS
from server.storage import sql
from server.storage.changes import PROGRAMME_VERSION_ID, SIGNING_KEY_VERSION_ID
from server.storage.gathering import Gathering

_ADD = sql.insert(
    "sessions", "id, account_id, generation, device_name, created_at, rotated_at, expires_at"
)
_STANDS = "revoked_at IS NULL AND expires_at > {now} AND created_at > {oldest}"
_ROTATE = f"""
    UPDATE sessions SET generation = generation + 1, rotated_at = $3,
        expires_at = CASE WHEN $4 < created_at + $5 THEN $4 ELSE created_at + $5 END
    WHERE id = $1 AND generation = $2 AND {_STANDS.format(now="$3", oldest="$6")}
"""
_FIND = """
    SELECT s.generation, s.created_at, s.rotated_at, s.expires_at, s.revoked_at,
           a.id, COALESCE(m.merged_into, a.member_id), a.staff_role
    FROM sessions s JOIN accounts a ON a.id = s.account_id
    LEFT JOIN members m ON m.id = a.member_id WHERE s.id = $1
"""
# In the same statement, so that the versions are those of what it reads.
_VERSION = "COALESCE((SELECT version FROM versions WHERE id = {id}), 0)"
_AUTHENTICATE = f"""
    SELECT s.id, s.account_id, k.key_id,
           COALESCE(m.merged_into, a.member_id), COALESCE(survivor.locale, m.locale), a.staff_role,
           s.created_at, s.expires_at, s.revoked_at, k.retired_at,
           {_VERSION.format(id="COALESCE(m.merged_into, a.member_id)")},
           {_VERSION.format(id="s.id")},
           {_VERSION.format(id=SIGNING_KEY_VERSION_ID)},
           {_VERSION.format(id=PROGRAMME_VERSION_ID)}
    FROM sessions s
    JOIN accounts a ON a.id = s.account_id
    LEFT JOIN members m ON m.id = a.member_id
    LEFT JOIN members survivor ON survivor.id = m.merged_into
    JOIN signing_keys k ON k.key_id IN ({{keys}})
    WHERE s.id IN ({{sessions}})
"""
_SHOWN_COLUMNS = 3
"""What comes first in a row, and was known to who asked."""
_SHOWN = "id, device_name, created_at, rotated_at, expires_at"
_PAGE = f"""
    SELECT {_SHOWN} FROM sessions
    WHERE account_id = $1 AND id < $2 AND {_STANDS.format(now="$3", oldest="$4")}
    ORDER BY id DESC LIMIT $5
"""
# Those that ran out as well: a device goes on after its session, until that is ended.
_REVOKE_ALL = """
    UPDATE sessions SET revoked_at = $1
    WHERE account_id = $2 AND id <> $3 AND revoked_at IS NULL
    RETURNING id, CASE WHEN expires_at > $1 AND created_at > $4 THEN 1 ELSE 0 END
"""


async def add(row: sql.Row) -> None:
    """Insert a session: id, account id, generation, device name, created, rotated, expires."""
    await sql.execute(_ADD, *row)


async def rotate(session_id: int, *, generation: int, now: int, expires_at: int) -> bool:
    """Begin the next generation, if the session stands and is in this one; whether it did.

    It expires at `expires_at`, at the latest at its end.
    """
    oldest = now - SESSION_MICROSECONDS
    changed = await sql.execute(
        _ROTATE, session_id, generation, now, expires_at, SESSION_MICROSECONDS, oldest
    )
    return changed == 1


async def session(session_id: int) -> sql.Row | None:
    """(generation, created, rotated, expires, revoked, account id, member id, staff role)."""
    return await sql.fetch_one(_FIND, session_id)


_Shown = tuple[int, int, str]
"""A session, its account, and the signing key, as a token names them."""


async def _authenticated(shown: Collection[_Shown]) -> Mapping[_Shown, Sequence[Any]]:
    sessions = sql.padded(session_id for session_id, _account_id, _key_id in shown)
    keys = sql.padded(key_id for _session_id, _account_id, key_id in shown)
    statement = _AUTHENTICATE.format(
        sessions=sql.placeholders(len(sessions)),
        keys=sql.placeholders(len(keys), len(sessions) + 1),
    )
    rows = await sql.fetch(statement, *sessions, *keys)
    return {(row[0], row[1], row[2]): row[_SHOWN_COLUMNS:] for row in rows}


_callers = Gathering(_authenticated)


async def authenticated(
    session_id: int, *, account_id: int, signed_by: str
) -> Sequence[Any] | None:
    """(member id, locale, staff role, session created, expires and revoked, signing key retired,
    and the versions of the member, the session, the signing keys and the programme), if all three
    exist. Requests at the same time share a statement."""
    shown = (session_id, account_id, signed_by)
    return (await _callers.read([shown])).get(shown)


async def page(account_id: int, *, before_id: int, now: int, limit: int) -> Sequence[sql.Row]:
    """(id, device name, created, rotated, expires) of the account's sessions that stand, the
    newest first, from before that id on."""
    return await sql.fetch(_PAGE, account_id, before_id, now, now - SESSION_MICROSECONDS, limit)


async def one(session_id: int, *, account_id: int) -> sql.Row | None:
    """(id, device name, created, rotated, expires) of the account's session, whether it stands
    or not."""
    return await sql.fetch_one(
        f"SELECT {_SHOWN} FROM sessions WHERE id = $1 AND account_id = $2", session_id, account_id
    )


async def standing(session_ids: list[int], *, now: int) -> Sequence[sql.Row]:
    """(id) of those of the sessions that stand."""
    wanted = sql.padded(session_ids)
    stands = _STANDS.format(now="$1", oldest="$2")
    return await sql.fetch(
        f"SELECT id FROM sessions WHERE {stands} AND id IN ({sql.placeholders(len(wanted), 3)})",
        now,
        now - SESSION_MICROSECONDS,
        *wanted,
    )


async def revoke(session_id: int, *, now: int) -> bool:
    """End the session; whether it stood."""
    statement = "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
    return await sql.execute(statement, now, session_id) == 1


async def revoke_all(account_id: int, *, kept_id: int, now: int) -> Sequence[sql.Row]:
    """End the account's sessions, but for one: (id) of those that stood."""
    oldest = now - SESSION_MICROSECONDS
    ended = await sql.fetch(_REVOKE_ALL, now, account_id, kept_id, oldest)
    return [row for row in ended if row[1]]


async def accounts_of(member_id: int) -> Sequence[sql.Row]:
    """(id) of the accounts that sign in as the member, those of merged duplicates included."""
    return await sql.fetch(
        "SELECT a.id FROM accounts a JOIN members m ON m.id = a.member_id"
        " WHERE m.id = $1 OR m.merged_into = $1 ORDER BY a.id",
        member_id,
    )
