"""Tables of tiers, and their named queries."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.exchange import Asked
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
    programme_version = fields.IntField()  # by whose rules it was evaluated

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
    " next_drop_day, change_count, programme_version"
)
INSERT_STATE = sql.insert("tier_states", f"id, {STATE_COLUMNS}")
UPDATE_STATE = (
    "UPDATE tier_states SET level = $1, since = $2, window_spend_minor = $3,"
    " lifetime_spend_minor = $4, evaluated_day = $5, next_drop_day = $6, change_count = $7,"
    " programme_version = $8 WHERE member_id = $9"
)
ADD_TO_DAY = sql.insert(
    "tier_days",
    "id, member_id, local_day, spend_minor",
    otherwise="ON CONFLICT (member_id, local_day)"
    " DO UPDATE SET spend_minor = tier_days.spend_minor + excluded.spend_minor",
)
TAKE_FROM_DAY = (
    "UPDATE tier_days SET spend_minor = spend_minor - $1 WHERE member_id = $2 AND local_day = $3"
)
INSERT_CHANGE = sql.insert("tier_changes", "id, member_id, changed_at, level_before, level_after")


class Moment(NamedTuple):
    """A moment to count members at: those enrolled before `end`, by their spend on the local days
    after `after_day` up to `last_day`."""

    end: Instant
    after_day: int
    last_day: int
    minimums: tuple[int, ...]


def states_asked(member_ids: Iterable[int]) -> Asked:
    """What asks for the members' states (STATE_COLUMNS)."""
    values = sql.padded(member_ids)
    return (
        f"SELECT {STATE_COLUMNS} FROM tier_states"
        f" WHERE member_id IN ({sql.placeholders(len(values))})",
        values,
    )


async def states(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """The members' states (STATE_COLUMNS)."""
    statement, values = states_asked(member_ids)
    return await sql.fetch(statement, *values)


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


async def reaching_counts(moments: Sequence[Moment]) -> Sequence[int]:
    """For each moment, one after the other, and each of its minimums: how many of the members
    enrolled before its end had at least that much spend in its window."""
    spends: list[str] = []
    counts: list[str] = []
    values: list[int] = [min(moment.after_day for moment in moments)]
    for number, moment in enumerate(moments):
        first = len(values) + 1
        spends.append(
            f"CASE WHEN m.enrolled_at < ${first} THEN CAST(COALESCE(SUM(CASE WHEN"
            f" d.local_day > ${first + 1} AND d.local_day <= ${first + 2}"
            f" THEN d.spend_minor END), 0) AS BIGINT) END AS spend_{number}"
        )
        counts += [
            f"COUNT(CASE WHEN spend_{number} >= ${place} THEN 1 END)"
            for place, _ in enumerate(moment.minimums, first + 3)
        ]
        values += [moment.end, moment.after_day, moment.last_day, *moment.minimums]
    row = await sql.fetch_one(
        f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(spends)} FROM members m"
        " LEFT JOIN tier_days d ON d.member_id = m.id AND d.local_day > $1"
        " WHERE m.merged_into IS NULL"
        " GROUP BY m.id, m.enrolled_at) AS members",
        *values,
    )
    return row or ()
