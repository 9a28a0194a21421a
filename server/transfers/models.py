"""The table of gifts, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import LocalDay
from server.members.models import Member
from server.storage import sql
from server.storage.each import of_each
from server.storage.fields import IdField, InstantField


class Gift(Model):
    """Points that one member gave to another."""

    id = IdField()
    giver: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="gifts_given"
    )
    receiver: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="gifts_received"
    )
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    message = fields.CharField(200, null=True)
    local_day = fields.IntField()  # of the programme, for the daily limit
    given_at = InstantField()

    class Meta:
        """Table."""

        table = "gifts"
        indexes = (("giver_id", "local_day"), ("receiver_id", "id"))
        constraints = (
            CheckConstraint(check="amount > 0", name="gifts_amount"),
            CheckConstraint(check="giver_id <> receiver_id", name="gifts_two_members"),
        )


GIFT_COLUMNS = "id, giver_id, receiver_id, asset, amount, message, local_day, given_at"
_INSERT_GIFT = sql.insert("gifts", GIFT_COLUMNS)


async def add_gift(row: sql.Row) -> None:
    """Insert a gift (GIFT_COLUMNS)."""
    await sql.execute(_INSERT_GIFT, *row)


async def given_on(giver_id: int, asset: str, day: LocalDay) -> int:
    """How much the member gave away on a local day of the programme."""
    row = await sql.fetch_one(
        "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM gifts"
        " WHERE giver_id = $1 AND local_day = $2 AND asset = $3",
        giver_id,
        day,
        asset,
    )
    return int(row[0]) if row else 0


async def gift_pages(member_ids: Iterable[int], before: int, limit: int) -> Sequence[sql.Row]:
    """The newest `limit` gifts that each member gave, and those that they got (GIFT_COLUMNS), with
    an id below `before`; each with whose it is here and the other member's name."""

    def side(own: str, other: str) -> str:
        columns = ", ".join(f"g.{name}" for name in GIFT_COLUMNS.split(", "))
        return (
            f"SELECT * FROM (SELECT {columns}, g.{own} AS own, m.name AS name FROM gifts g"
            f" JOIN members m ON m.id = g.{other} WHERE g.{own} = {{owner}} AND g.id < $1"
            " ORDER BY g.id DESC LIMIT $2) AS"
        )

    return await of_each(
        f"{side('giver_id', 'receiver_id')} sent"
        f" UNION ALL {side('receiver_id', 'giver_id')} received",
        list(member_ids),
        before,
        limit,
    )
