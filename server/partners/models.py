"""The table of what partners pay and are owed, and its named queries."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage import sql
from server.storage.fields import IdField, InstantField


class SettlementEntry(Model):
    """A party's part of one reward, or of what undoes it; never changed afterwards.

    Of each reward that a partner pays for in part there is an entry for each of the parties, the
    operator's with an empty `partner`; together they are the whole reward.
    """

    id = IdField()
    member_id = fields.BigIntField()
    local_month = fields.IntField()  # year * 100 + month, programme's time zone
    partner = fields.CharField(64)  # "" for the operator
    source = fields.CharField(12)  # points, cashback, discount, reward, redemption
    rule = fields.CharField(80)  # what gave the reward, such as offer:KEY
    reference = fields.BigIntField()  # the purchase, order or payment
    lot_id = fields.BigIntField(null=True)  # of the posting that granted it, if one did
    asset = fields.CharField(6)
    amount = fields.BigIntField()  # of the asset; below 0 where a reward was undone
    value_minor = fields.BigIntField()  # what the party pays; below 0 for what it is owed
    currency = fields.CharField(3)
    occurred_at = InstantField()
    recorded_at = InstantField()

    class Meta:
        """Table."""

        table = "settlement_entries"
        indexes = (("local_month", "partner"), ("reference", "rule"), ("member_id", "id"))
        constraints = (
            CheckConstraint(
                check="source IN ('points', 'cashback', 'discount', 'reward', 'redemption')",
                name="settlement_entries_source",
            ),
        )


COLUMNS = (
    "id, member_id, local_month, partner, source, rule, reference, lot_id, asset, amount,"
    " value_minor, currency, occurred_at, recorded_at"
)
INSERT = sql.insert("settlement_entries", COLUMNS)


async def standing(reference: int) -> Sequence[sql.Row]:
    """What the parties bear of the rewards with the reference so far: source, rule, partner,
    lot_id, asset, currency, amount, value_minor; in the order of the first entries."""
    return await sql.fetch(
        "SELECT source, rule, partner, MIN(lot_id), MIN(asset), MIN(currency),"
        " CAST(SUM(amount) AS BIGINT), CAST(SUM(value_minor) AS BIGINT)"
        " FROM settlement_entries WHERE reference = $1 GROUP BY source, rule, partner"
        " ORDER BY MIN(id)",
        reference,
    )


async def month(local_month: int) -> Sequence[sql.Row]:
    """What the parties bear of the month's entries: partner, source, rule, asset, currency,
    rewards, amount, value_minor; in the order of these names."""
    return await sql.fetch(
        "SELECT partner, source, rule, asset, currency, COUNT(DISTINCT reference),"
        " CAST(SUM(amount) AS BIGINT), CAST(SUM(value_minor) AS BIGINT)"
        " FROM settlement_entries WHERE local_month = $1"
        " GROUP BY partner, source, rule, asset, currency"
        " ORDER BY partner, source, rule, asset, currency",
        local_month,
    )
