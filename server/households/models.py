"""Tables of households, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class Household(Model):
    """Members who pool what they have: each keeps their own lots, some may spend all of them."""

    id = IdField()
    name = fields.CharField(120, null=True)
    founded_at = InstantField()
    dissolved_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "households"


class HouseholdMember(Model):
    """A member's stay in a household; `left_at` is null while it lasts."""

    id = IdField()
    household: fields.ForeignKeyRelation[Household] = fields.ForeignKeyField(
        "laurel.Household", on_delete=fields.RESTRICT
    )
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    role = fields.CharField(12)  # owner, spender, contributor
    joined_at = InstantField()
    left_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "household_members"
        indexes = (
            ("household_id",),
            ("member_id",),
        )
        constraints = (
            CheckConstraint(
                check="role IN ('owner', 'spender', 'contributor')", name="household_members_role"
            ),
            # One household at a time.
            UniqueConstraint(
                fields=("member_id",),
                condition="left_at IS NULL",
                name="household_members_present",
            ),
        )


class HouseholdInvitation(Model):
    """An invitation, by a code that is kept as a hash; taken up once at most."""

    id = IdField()
    household: fields.ForeignKeyRelation[Household] = fields.ForeignKeyField(
        "laurel.Household", on_delete=fields.RESTRICT
    )
    code_hash = fields.CharField(64, unique=True)
    role = fields.CharField(12)
    invited_by = fields.BigIntField()  # a member
    created_at = InstantField()
    expires_at = InstantField()
    accepted_by = fields.BigIntField(null=True)  # a member
    accepted_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "household_invitations"
        indexes = (("household_id",),)
        constraints = (
            CheckConstraint(
                check="role IN ('owner', 'spender', 'contributor')",
                name="household_invitations_role",
            ),
        )


STAY_COLUMNS = "id, household_id, member_id, role, joined_at"
INVITATION_COLUMNS = "id, household_id, code_hash, role, invited_by, created_at, expires_at"
_INSERT_HOUSEHOLD = sql.insert("households", "id, name, founded_at")
_INSERT_STAY = sql.insert("household_members", STAY_COLUMNS)
_INSERT_INVITATION = sql.insert("household_invitations", INVITATION_COLUMNS)


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def add_household(household_id: int, name: str | None, founded_at: Instant) -> None:
    """Insert a household."""
    await sql.execute(_INSERT_HOUSEHOLD, household_id, name, founded_at)


async def household_for_writing(household_id: int) -> sql.Row | None:
    """(id, name, founded_at) of a household that is not dissolved, locked."""
    return await sql.fetch_one(
        "SELECT id, name, founded_at FROM households"
        f" WHERE id = $1 AND dissolved_at IS NULL{_lock()}",
        household_id,
    )


async def dissolve(household_id: int, now: Instant) -> None:
    """Mark the household as dissolved."""
    await sql.execute("UPDATE households SET dissolved_at = $1 WHERE id = $2", now, household_id)


async def add_stay(row: sql.Row) -> None:
    """Insert a member's stay (STAY_COLUMNS)."""
    await sql.execute(_INSERT_STAY, *row)


async def end_stays(household_id: int, member_ids: Iterable[int], now: Instant) -> None:
    """End the stays of those present."""
    values = sql.padded(member_ids)
    await sql.execute(
        "UPDATE household_members SET left_at = $1 WHERE household_id = $2 AND left_at IS NULL"
        f" AND member_id IN ({sql.placeholders(len(values), 3)})",
        now,
        household_id,
        *values,
    )


async def set_role(member_id: int, role: str, *, household_id: int) -> None:
    """Change the role of a member who is present."""
    await sql.execute(
        "UPDATE household_members SET role = $1"
        " WHERE household_id = $2 AND member_id = $3 AND left_at IS NULL",
        role,
        household_id,
        member_id,
    )


async def stays(household_id: int) -> Sequence[sql.Row]:
    """(member_id, role, joined_at) of everyone present, in the order of joining."""
    return await sql.fetch(
        "SELECT member_id, role, joined_at FROM household_members"
        " WHERE household_id = $1 AND left_at IS NULL ORDER BY joined_at, id",
        household_id,
    )


async def present_household(member_id: int) -> int | None:
    """The household in which the member is."""
    row = await sql.fetch_one(
        "SELECT household_id FROM household_members WHERE member_id = $1 AND left_at IS NULL",
        member_id,
    )
    return int(row[0]) if row else None


async def last_left_at(member_id: int) -> Instant | None:
    """When the member left a household last."""
    row = await sql.fetch_one(
        "SELECT MAX(left_at) FROM household_members WHERE member_id = $1", member_id
    )
    return row[0] if row else None


async def stays_beside(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """Everyone present in the households of these members, themselves included, in the order of
    joining: whose household it is; its id, name and when it was founded; member_id, role,
    joined_at and name."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT own.member_id, h.id, h.name, h.founded_at, other.member_id, other.role,"
        " other.joined_at, m.name FROM household_members own"
        " JOIN households h ON h.id = own.household_id"
        " JOIN household_members other ON other.household_id = h.id AND other.left_at IS NULL"
        " JOIN members m ON m.id = other.member_id"
        f" WHERE own.left_at IS NULL AND own.member_id IN ({sql.placeholders(len(values))})"
        " ORDER BY other.joined_at, other.id",
        *values,
    )


async def add_invitation(row: sql.Row) -> None:
    """Insert an invitation (INVITATION_COLUMNS)."""
    await sql.execute(_INSERT_INVITATION, *row)


async def invitation(code_hash: str) -> sql.Row | None:
    """(INVITATION_COLUMNS, accepted_at) of the invitation with the hash of its code."""
    return await sql.fetch_one(
        f"SELECT {INVITATION_COLUMNS}, accepted_at FROM household_invitations WHERE code_hash = $1",
        code_hash,
    )


async def accept_invitation(invitation_id: int, *, member_id: int, now: Instant) -> None:
    """Note who took up the invitation."""
    await sql.execute(
        "UPDATE household_invitations SET accepted_by = $1, accepted_at = $2 WHERE id = $3",
        member_id,
        now,
        invitation_id,
    )
