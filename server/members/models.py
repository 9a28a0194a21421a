"""Tables of members, accounts, sessions and API keys, and their named queries."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField
from server.storage.parts import Branch


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


class ResetRequest(Model):
    """That a code is to be sent to whoever has an address, until its letter has left."""

    id = IdField()
    email_key = fields.CharField(254)
    language = fields.CharField(16)  # for who has none of their own
    letters = fields.IntField()  # written so far
    asked_at = InstantField()
    due_at = InstantField()  # who sends the letter moves it on, and has until then

    class Meta:
        """Table."""

        table = "reset_requests"
        constraints = (CheckConstraint(check="letters >= 0", name="reset_requests_letters"),)


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
_ADD_IDENTITY = sql.insert("account_identities", "id, account_id, provider, subject, created_at")
_FIND_IDENTITY = """
    SELECT a.id, a.staff_role FROM account_identities i JOIN accounts a ON a.id = i.account_id
    WHERE i.provider = $1 AND i.subject = $2
"""
_FIND_ADDRESS_PROOF = """
    SELECT a.id, a.staff_role, CASE WHEN a.password_hash IS NULL THEN 0 ELSE 1 END,
        (SELECT COUNT(*) FROM account_identities i WHERE i.account_id = a.id),
        (SELECT COUNT(*) FROM password_resets r
         WHERE r.account_id = a.id AND r.used_at IS NOT NULL)
    FROM accounts a WHERE a.email_key = $1
"""
_REPLACE_PASSWORD = """
    UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3
"""
_FIND_ADDRESSEE = """
    SELECT a.id, a.email, COALESCE(survivor.locale, m.locale)
    FROM accounts a
    LEFT JOIN members m ON m.id = a.member_id
    LEFT JOIN members survivor ON survivor.id = m.merged_into
    WHERE a.email_key = $1
"""


async def add_members(rows: list[sql.Row]) -> None:
    """Insert members, each a row of `_MEMBER_COLUMNS`."""
    await sql.execute_many(_ADD_MEMBER, rows)


async def add_member_if_new(row: sql.Row) -> bool:
    """Insert a member unless the external id stands for another one; whether it was inserted."""
    return await sql.execute(_ADD_MEMBER_IF_NEW, *row) == 1


PROFILES = Branch(
    "profiles",
    member="id",
    numbers=("enrolled_at",),
    texts=("external_id", "name", "birthday", "locale", "time_zone"),
    source="FROM members WHERE id IN ({members})",
)
"""The members' profiles."""


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


def known_members(ids: Sequence[int], external_ids: Sequence[str]) -> Asked:
    """What asks for (id, external id, the member it stands for) of the members that have one of
    the ids or of the external ids, which are not both empty."""
    numbers = sql.padded(ids) if ids else []
    texts = sql.padded(external_ids) if external_ids else []
    by_id = f"id IN ({sql.placeholders(len(numbers))})"
    by_text = f"external_id IN ({sql.placeholders(len(texts), len(numbers) + 1)})"
    condition = " OR ".join([by_id] * bool(numbers) + [by_text] * bool(texts))
    return (
        "SELECT id, external_id, COALESCE(merged_into, id) AS stands_for FROM members"
        f" WHERE {condition}{kept_unmerged()}",
        (*numbers, *texts),
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


async def replace_password(account_id: int, *, old: str, new: str) -> bool:
    """Put another password hash in the old one's place, unless it has changed; whether it did."""
    return await sql.execute(_REPLACE_PASSWORD, new, account_id, old) == 1


async def set_password(account_id: int, password_hash: str) -> None:
    """Give the account this password hash."""
    await sql.execute(
        "UPDATE accounts SET password_hash = $1 WHERE id = $2", password_hash, account_id
    )


async def kept_password(account_id: int) -> str | None:
    """The account's password hash, which nobody changes before the transaction ends."""
    statement = "SELECT password_hash FROM accounts WHERE id = $1"
    row = await sql.fetch_one(
        statement if sql.engine() == "sqlite" else f"{statement} FOR NO KEY UPDATE", account_id
    )
    return None if row is None else row[0]


async def email_key_of(account_id: int) -> str | None:
    """The account's address as it is compared; None without one."""
    row = await sql.fetch_one("SELECT email_key FROM accounts WHERE id = $1", account_id)
    return None if row is None else row[0]


async def addressee(email_key: str) -> sql.Row | None:
    """(account id, address, the member's locale) of the account with the address; without a member
    the locale is null."""
    return await sql.fetch_one(_FIND_ADDRESSEE, email_key)


async def enrolment_counts(at: int) -> Sequence[sql.Row]:
    """(month of enrolment, number of members) of those enrolled up to the instant; a duplicate
    that was merged is nobody of its own."""
    return await sql.fetch(
        "SELECT enrolled_local_month, COUNT(*) FROM members"
        " WHERE enrolled_at <= $1 AND merged_into IS NULL GROUP BY enrolled_local_month",
        at,
    )


async def identity_account(provider: str, subject: str) -> sql.Row | None:
    """(account id, staff role) of the account that an identity elsewhere signs in to."""
    return await sql.fetch_one(_FIND_IDENTITY, provider, subject)


async def add_identity(row: sql.Row) -> None:
    """Insert an identity elsewhere: id, account id, provider, subject, created."""
    await sql.execute(_ADD_IDENTITY, *row)


async def address_proof(email_key: str) -> sql.Row | None:
    """(account id, staff role, whether there is a password, identities, resets that were used) of
    the account with the address, which nobody else changes before the transaction ends."""
    statement = _FIND_ADDRESS_PROOF
    return await sql.fetch_one(
        statement if sql.engine() == "sqlite" else f"{statement} FOR NO KEY UPDATE OF a", email_key
    )


async def remove_password(account_id: int) -> None:
    """Let nobody sign in to the account by a password."""
    await sql.execute("UPDATE accounts SET password_hash = NULL WHERE id = $1", account_id)
