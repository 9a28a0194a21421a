"""Tables of members, accounts, sessions and API keys, and their named queries."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage import sql
from server.storage.fields import IdField, InstantField


class Member(Model):
    """A person in the programme."""

    id = IdField()
    external_id = fields.CharField(64, null=True, unique=True)
    name = fields.CharField(120, null=True)
    birthday = fields.CharField(10, null=True)  # ISO 8601 date
    locale = fields.CharField(16)
    time_zone = fields.CharField(64)
    enrolled_at = InstantField()
    enrolled_local_month = fields.IntField()  # year * 100 + month, programme's time zone
    merged_into = fields.BigIntField(null=True)  # the member whom this duplicate was joined into

    class Meta:
        """Table."""

        table = "members"
        constraints = (
            CheckConstraint(
                check="birthday IS NULL OR LENGTH(birthday) = 10", name="members_birthday"
            ),
        )


class Account(Model):
    """Who signs in, a member or one of the staff: by e-mail address and password, by an identity
    elsewhere, or by either."""

    id = IdField()
    member: fields.OneToOneNullableRelation[Member] = fields.OneToOneField(
        "laurel.Member", null=True, on_delete=fields.RESTRICT
    )
    email = fields.CharField(254, null=True)
    email_key = fields.CharField(254, null=True, unique=True)  # case-folded: one account an address
    password_hash = fields.CharField(200, null=True)
    staff_role = fields.CharField(16, null=True)
    created_at = InstantField()

    class Meta:
        """Table."""

        table = "accounts"
        constraints = (
            CheckConstraint(
                check="(email IS NULL) = (email_key IS NULL)", name="accounts_email_and_key"
            ),
            CheckConstraint(
                check="password_hash IS NULL OR email IS NOT NULL", name="accounts_password"
            ),
        )


class AccountIdentity(Model):
    """An identity elsewhere that signs in to an account."""

    id = IdField()
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "laurel.Account", on_delete=fields.RESTRICT
    )
    provider = fields.CharField(32)  # such as "firebase/<project>"
    subject = fields.CharField(128)  # the identity's unchanging id there
    created_at = InstantField()

    class Meta:
        """Table."""

        table = "account_identities"
        unique_together = (("provider", "subject"),)
        indexes = (("account_id",),)


class PasswordReset(Model):
    """A code that was sent to an account's address, and sets a new password once."""

    id = IdField()
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "laurel.Account", on_delete=fields.RESTRICT
    )
    code_hash = fields.CharField(64, unique=True)  # keyed hash of the code, hexadecimal
    created_at = InstantField()
    expires_at = InstantField()
    used_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "password_resets"
        indexes = (("account_id", "id"),)


class Session(Model):
    """One sign-in on one device, its refresh token is derived from id and generation."""

    id = IdField()
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "laurel.Account", on_delete=fields.RESTRICT
    )
    generation = fields.IntField()
    device_name = fields.CharField(120, null=True)
    created_at = InstantField()
    rotated_at = InstantField()
    expires_at = InstantField()
    revoked_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "sessions"
        indexes = (("account_id", "id"),)
        constraints = (CheckConstraint(check="generation >= 0", name="sessions_generation"),)


class ApiKey(Model):
    """A till's or shop's key: shown once, stored hashed."""

    id = IdField()
    name = fields.CharField(120)
    partner = fields.CharField(64)
    scopes = fields.CharField(400)  # names of `Scope`, separated by spaces
    key_hash = fields.CharField(64, unique=True)  # SHA-256 of the key, hexadecimal
    created_at = InstantField()
    expires_at = InstantField(null=True)
    revoked_at = InstantField(null=True)
    last_used_at = InstantField(null=True)  # to the minute
    replaces_id = fields.BigIntField(null=True)  # the key whose place it takes

    class Meta:
        """Table."""

        table = "api_keys"


PROFILE_COLUMNS = "id, external_id, name, birthday, locale, time_zone, enrolled_at"
_MEMBER_COLUMNS = f"{PROFILE_COLUMNS}, enrolled_local_month"
_ADD_MEMBER = sql.insert("members", _MEMBER_COLUMNS)
_ADD_MEMBER_IF_NEW = sql.insert(
    "members", _MEMBER_COLUMNS, otherwise="ON CONFLICT (external_id) DO NOTHING"
)
_ADD_ACCOUNT = sql.insert(
    "accounts",
    "id, member_id, email, email_key, password_hash, staff_role, created_at",
    otherwise="ON CONFLICT (email_key) DO NOTHING",
)
_ADD_SESSION = sql.insert(
    "sessions", "id, account_id, generation, device_name, created_at, rotated_at, expires_at"
)
_ROTATE_SESSION = """
    UPDATE sessions SET generation = generation + 1, rotated_at = $3, expires_at = $4
    WHERE id = $1 AND generation = $2 AND revoked_at IS NULL AND expires_at > $5
"""
_REVOKE_SESSION = "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
_FIND_SESSION = """
    SELECT s.generation, s.rotated_at, s.expires_at, s.revoked_at,
           a.id, COALESCE(m.merged_into, a.member_id), a.staff_role
    FROM sessions s JOIN accounts a ON a.id = s.account_id
    LEFT JOIN members m ON m.id = a.member_id WHERE s.id = $1
"""
_AUTHENTICATE_SESSION = """
    SELECT COALESCE(m.merged_into, a.member_id), a.staff_role, s.revoked_at, k.retired_at
    FROM sessions s
    JOIN accounts a ON a.id = s.account_id
    LEFT JOIN members m ON m.id = a.member_id
    JOIN signing_keys k ON k.key_id = $3
    WHERE s.id = $1 AND s.account_id = $2
"""
_ADD_API_KEY = sql.insert(
    "api_keys",
    "id, name, partner, scopes, key_hash, created_at, expires_at",
    otherwise="ON CONFLICT (key_hash) DO NOTHING",
)
_FIND_API_KEY = """
    SELECT id, name, partner, scopes, key_hash, expires_at, revoked_at
    FROM api_keys WHERE key_hash = $1
"""
_UPGRADE_PASSWORD_HASH = """
    UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3
"""


async def add_members(rows: list[sql.Row]) -> None:
    """Insert members, each a row of `_MEMBER_COLUMNS`."""
    await sql.execute_many(_ADD_MEMBER, rows)


async def add_member_if_new(row: sql.Row) -> bool:
    """Insert a member unless the external id stands for another one; whether it was inserted."""
    return await sql.execute(_ADD_MEMBER_IF_NEW, *row) == 1


async def member_rows(ids: list[int]) -> Sequence[sql.Row]:
    """`PROFILE_COLUMNS` of the members with these ids; unknown ids are left out."""
    wanted = sql.padded(ids)
    return await sql.fetch(
        f"SELECT {PROFILE_COLUMNS} FROM members WHERE id IN ({sql.placeholders(len(wanted))})",
        *wanted,
    )


async def member_page_rows(*, after_id: int, limit: int) -> Sequence[sql.Row]:
    """`PROFILE_COLUMNS` of the next members in the order of their ids; merged ones are left out."""
    return await sql.fetch(
        f"SELECT {PROFILE_COLUMNS} FROM members WHERE id > $1 AND merged_into IS NULL"
        " ORDER BY id LIMIT $2",
        after_id,
        limit,
    )


async def ids_by_external_id(external_ids: list[str]) -> Sequence[sql.Row]:
    """(external id, id) of the members with these external ids: of a duplicate that was merged,
    the id of the member whom it was merged into."""
    wanted = sql.padded(external_ids)
    return await sql.fetch(
        "SELECT external_id, COALESCE(merged_into, id) FROM members"
        f" WHERE external_id IN ({sql.placeholders(len(wanted))}){kept_unmerged()}",
        *wanted,
    )


def kept_unmerged(alias: str = "") -> str:
    """What follows a query of members so that none of them is merged before the transaction ends.

    Merging takes the members' rows for itself; on SQLite it waits for this transaction anyway.
    """
    if not sql.in_a_transaction() or sql.engine() == "sqlite":
        return ""
    return f" FOR KEY SHARE{f' OF {alias}' if alias else ''}"


async def survivors(ids: list[int]) -> Sequence[sql.Row]:
    """(id, the member that it stands for) of those of the members who were merged."""
    wanted = sql.padded(ids)
    return await sql.fetch(
        "SELECT id, merged_into FROM members"
        f" WHERE id IN ({sql.placeholders(len(wanted))}) AND merged_into IS NOT NULL",
        *wanted,
    )


async def known_members(ids: Sequence[int], external_ids: Sequence[str]) -> Sequence[sql.Row]:
    """(id, external id, the member it stands for) of the members that have one of the ids or of
    the external ids."""
    # An empty IN list is no SQL; no member has the id 0 or the external id ''.
    numbers, texts = sql.padded(ids or [0]), sql.padded(external_ids or [""])
    return await sql.fetch(
        "SELECT id, external_id, COALESCE(merged_into, id) FROM members"
        f" WHERE id IN ({sql.placeholders(len(numbers))})"
        f" OR external_id IN ({sql.placeholders(len(texts), len(numbers) + 1)}){kept_unmerged()}",
        *numbers,
        *texts,
    )


async def update_member(member_id: int, values: dict[str, str | None]) -> bool:
    """Set columns, whose names are ours; whether there is such a member."""
    assignments = ", ".join(f"{column} = ${place}" for place, column in enumerate(values, 2))
    return (
        await sql.execute(
            f"UPDATE members SET {assignments} WHERE id = $1", member_id, *values.values()
        )
        == 1
    )


async def add_account_if_new(row: sql.Row) -> bool:
    """Insert an account unless its e-mail address has one; whether it was inserted."""
    return await sql.execute(_ADD_ACCOUNT, *row) == 1


async def account_by_email(email_key: str) -> sql.Row | None:
    """(id, password hash) of the account with the address."""
    return await sql.fetch_one(
        "SELECT id, password_hash FROM accounts WHERE email_key = $1", email_key
    )


async def account(account_id: int) -> sql.Row | None:
    """(password hash, member id, staff role) of an account; the member is the one whom a merged
    duplicate stands for."""
    return await sql.fetch_one(
        "SELECT a.password_hash, COALESCE(m.merged_into, a.member_id), a.staff_role"
        " FROM accounts a LEFT JOIN members m ON m.id = a.member_id WHERE a.id = $1",
        account_id,
    )


async def upgrade_password_hash(account_id: int, *, old: str, new: str) -> None:
    """Put another hash of the same password in the old one's place, unless it has changed."""
    await sql.execute(_UPGRADE_PASSWORD_HASH, new, account_id, old)


async def add_session(row: sql.Row) -> None:
    """Insert a session: id, account id, generation, device name, created, rotated, expires."""
    await sql.execute(_ADD_SESSION, *row)


async def rotate_session(session_id: int, *, generation: int, now: int, expires_at: int) -> bool:
    """Begin the next generation, if the session stands and is in this one; whether it did."""
    changed = await sql.execute(_ROTATE_SESSION, session_id, generation, now, expires_at, now)
    return changed == 1


async def revoke_session(session_id: int, *, now: int) -> bool:
    """End the session; whether it stood."""
    return await sql.execute(_REVOKE_SESSION, now, session_id) == 1


async def session(session_id: int) -> sql.Row | None:
    """(generation, rotated, expires, revoked, account id, member id, staff role)."""
    return await sql.fetch_one(_FIND_SESSION, session_id)


async def authenticated_session(
    session_id: int, *, account_id: int, signed_by: str
) -> sql.Row | None:
    """(member id, staff role, session revoked, signing key retired), if all three exist."""
    return await sql.fetch_one(_AUTHENTICATE_SESSION, session_id, account_id, signed_by)


async def add_api_key_if_new(row: sql.Row) -> bool:
    """Insert an API key unless there is the same; whether it was inserted."""
    return await sql.execute(_ADD_API_KEY, *row) == 1


async def api_key(key_hash: str) -> sql.Row | None:
    """(id, name, partner, scopes, hash, expires, revoked) of the API key with the hash."""
    return await sql.fetch_one(_FIND_API_KEY, key_hash)


async def revoke_api_key(key_id: int, *, now: int) -> bool:
    """End an API key; whether it stood."""
    statement = "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
    return await sql.execute(statement, now, key_id) == 1


async def enrolment_counts(at: int) -> Sequence[sql.Row]:
    """(month of enrolment, number of members) of those enrolled up to the instant; a duplicate
    that was merged is nobody of its own."""
    return await sql.fetch(
        "SELECT enrolled_local_month, COUNT(*) FROM members"
        " WHERE enrolled_at <= $1 AND merged_into IS NULL GROUP BY enrolled_local_month",
        at,
    )
