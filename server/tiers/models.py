"""Tables of tiers, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class TierState(Model):
    """A member's tier as of `evaluated_day`, and the next day on which time alone may change it."""

    id = IdField()
    member: fields.OneToOneRelation[Member] = fields.OneToOneField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    level = fields.CharField(64)
    since = InstantField()
    window_spend_minor = fields.BigIntField()
    lifetime_spend_minor = fields.BigIntField()
    evaluated_day = fields.IntField()
    next_drop_day = fields.IntField()
    change_count = fields.IntField()

    class Meta:
        """Table."""

        table = "tier_states"
        constraints = (
            CheckConstraint(
                check="window_spend_minor >= 0 AND lifetime_spend_minor >= 0",
                name="tier_states_spend",
            ),
            CheckConstraint(check="change_count >= 0", name="tier_states_change_count"),
        )


class TierDay(Model):
    """A member's qualifying spend on one local day."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    local_day = fields.IntField()
    spend_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "tier_days"
        unique_together = (("member_id", "local_day"),)
        constraints = (CheckConstraint(check="spend_minor >= 0", name="tier_days_spend_minor"),)


class TierChange(Model):
    """One evaluation that gave another tier than the one before."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    changed_at = InstantField()
    level_before = fields.CharField(64)
    level_after = fields.CharField(64)

    class Meta:
        """Table."""

        table = "tier_changes"
        indexes = (("member_id", "id"),)


STATE_COLUMNS = (
    "member_id, level, since, window_spend_minor, lifetime_spend_minor, evaluated_day,"
    " next_drop_day, change_count"
)
INSERT_STATE = sql.insert("tier_states", f"id, {STATE_COLUMNS}")
UPDATE_STATE = (
    "UPDATE tier_states SET level = $1, since = $2, window_spend_minor = $3,"
    " lifetime_spend_minor = $4, evaluated_day = $5, next_drop_day = $6, change_count = $7"
    " WHERE member_id = $8"
)
ADD_TO_DAY = sql.insert(
    "tier_days",
    "id, member_id, local_day, spend_minor",
    otherwise="ON CONFLICT (member_id, local_day)"
    " DO UPDATE SET spend_minor = tier_days.spend_minor + excluded.spend_minor",
)
INSERT_CHANGE = sql.insert("tier_changes", "id, member_id, changed_at, level_before, level_after")


async def states(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """The members' states (STATE_COLUMNS)."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        f"SELECT {STATE_COLUMNS} FROM tier_states"
        f" WHERE member_id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def days_since(member_ids: Iterable[int], first_day: int) -> Sequence[sql.Row]:
    """(member_id, local_day, spend_minor) of the members' days from `first_day` on."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT member_id, local_day, spend_minor FROM tier_days"
        f" WHERE member_id IN ({sql.placeholders(len(values))})"
        f" AND local_day >= ${len(values) + 1}",
        *values,
        first_day,
    )


async def level_counts(before: Instant) -> Sequence[sql.Row]:
    """(level, number of members) after the last booked change before the instant, of the members
    enrolled before it who have ever changed."""
    return await sql.fetch(
        "SELECT c.level_after, COUNT(*) FROM tier_changes c JOIN"
        " (SELECT member_id, MAX(id) AS id FROM tier_changes WHERE changed_at < $1"
        " GROUP BY member_id) last ON last.id = c.id GROUP BY c.level_after",
        before,
    )


async def first_levels(before: Instant) -> Sequence[sql.Row]:
    """(level, number of members) of the members enrolled before the instant whose tier has not
    changed before it: the level they had at first."""
    return await sql.fetch(
        "SELECT COALESCE((SELECT c.level_before FROM tier_changes c WHERE c.member_id = s.member_id"
        " ORDER BY c.changed_at, c.id LIMIT 1), s.level) AS level, COUNT(*)"
        " FROM tier_states s JOIN members m ON m.id = s.member_id WHERE m.enrolled_at < $1"
        " AND NOT EXISTS (SELECT 1 FROM tier_changes c WHERE c.member_id = s.member_id"
        " AND c.changed_at < $1) GROUP BY 1",
        before,
    )


async def states_due(day: int, after_member: int, limit: int) -> Sequence[sql.Row]:
    """States (STATE_COLUMNS) from whose window spend has left by the day, by member id."""
    return await sql.fetch(
        f"SELECT {STATE_COLUMNS} FROM tier_states WHERE next_drop_day <= $1 AND member_id > $2"
        " ORDER BY member_id LIMIT $3",
        day,
        after_member,
        limit,
    )
