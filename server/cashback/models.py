"""The tables of what was accrued in which span of time, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField
from server.storage.parts import Branch


class CashbackMonth(Model):
    """What a member accrued, and lost to the cap, in one calendar month of the programme."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    local_month = fields.IntField()  # year * 100 + month
    accrued_minor = fields.BigIntField()
    capped_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "cashback_months"
        unique_together = (("member_id", "local_month"),)
        constraints = (
            CheckConstraint(check="accrued_minor >= 0", name="cashback_months_accrued_minor"),
            CheckConstraint(check="capped_minor >= 0", name="cashback_months_capped_minor"),
        )


class CashbackPeriod(Model):
    """What a member accrued in one period of a cap that the programme sets beside the month's."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    period = fields.CharField(14)  # calendar_day, calendar_week, calendar_month, ..., lifetime
    period_start = fields.IntField()  # local day; 0 for the lifetime
    accrued_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "cashback_periods"
        unique_together = (("member_id", "period", "period_start"),)
        constraints = (
            CheckConstraint(check="accrued_minor >= 0", name="cashback_periods_accrued_minor"),
        )


MONTH_COLUMNS = "member_id, local_month, accrued_minor, capped_minor"
UPSERT_MONTH = sql.insert(
    "cashback_months",
    f"id, {MONTH_COLUMNS}",
    otherwise="ON CONFLICT (member_id, local_month) DO UPDATE SET"
    " accrued_minor = excluded.accrued_minor, capped_minor = excluded.capped_minor",
)


def months(member_ids: Iterable[int], local_months: Iterable[int]) -> Asked:
    """What asks for MONTH_COLUMNS of the members in the months."""
    members, wanted = sql.padded(member_ids), sql.padded(local_months)
    return (
        f"SELECT {MONTH_COLUMNS} FROM cashback_months"
        f" WHERE member_id IN ({sql.placeholders(len(members))})"
        f" AND local_month IN ({sql.placeholders(len(wanted), len(members) + 1)})",
        (*members, *wanted),
    )


PERIOD_COLUMNS = "member_id, period, period_start, accrued_minor"
UPSERT_PERIOD = sql.insert(
    "cashback_periods",
    f"id, {PERIOD_COLUMNS}",
    otherwise="ON CONFLICT (member_id, period, period_start) DO UPDATE SET"
    " accrued_minor = excluded.accrued_minor",
)


def periods(member_ids: Iterable[int], names: Iterable[str], starts: Iterable[int]) -> Asked:
    """What asks for PERIOD_COLUMNS of the members in the periods of these names and starts."""
    members, named, wanted = sql.padded(member_ids), sql.padded(names), sql.padded(starts)
    return (
        f"SELECT {PERIOD_COLUMNS} FROM cashback_periods"
        f" WHERE member_id IN ({sql.placeholders(len(members))})"
        f" AND period IN ({sql.placeholders(len(named), len(members) + 1)})"
        f" AND period_start IN ({sql.placeholders(len(wanted), len(members) + len(named) + 1)})",
        (*members, *named, *wanted),
    )


TOTALS = Branch(
    "cashback totals",
    member="member_id",
    numbers=(
        "SUM(accrued_minor)",
        "SUM(capped_minor)",
        "SUM(CASE WHEN local_month = {0} THEN accrued_minor ELSE 0 END)",
    ),
    source="FROM cashback_months WHERE member_id IN ({members}) GROUP BY member_id",
    value_count=1,
)
"""Accrued and capped over all months, accrued in the month."""


async def month_sums() -> Sequence[sql.Row]:
    """(local_month, accrued, capped) over all members, by month."""
    return await sql.fetch(
        "SELECT local_month, CAST(SUM(accrued_minor) AS BIGINT), CAST(SUM(capped_minor) AS BIGINT)"
        " FROM cashback_months GROUP BY local_month ORDER BY local_month"
    )
