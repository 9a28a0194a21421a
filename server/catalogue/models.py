"""The tables of the catalogue: stock, orders, favourites, and the lines of drops."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class RewardStock(Model):
    """How many units of a reward are ordered and not cancelled: its row is what orders wait for."""

    reward_key = fields.CharField(64, primary_key=True)
    sold = fields.BigIntField()

    class Meta:
        """Table."""

        table = "reward_stock"
        constraints = (CheckConstraint(check="sold >= 0", name="reward_stock_sold"),)


class RewardOrder(Model):
    """Units of a reward that a member bought with points. A voucher of its own has the same id."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    reward_key = fields.CharField(64)
    reward_version = fields.IntField()
    kind = fields.CharField(16)  # what the reward is
    quantity = fields.IntField()
    points = fields.BigIntField()  # of all units together
    money_minor = fields.BigIntField()  # the same: to be paid at the counter
    currency = fields.CharField(3)
    digits = fields.SmallIntField()  # a major unit has 10**digits minor units
    status = fields.CharField(10)
    fulfilment = fields.CharField(10)  # instant, manual
    code = fields.CharField(24, unique=True)
    ordered_at = InstantField()
    expires_at = InstantField()  # of the code
    refund_until = InstantField()
    place_id = fields.BigIntField(null=True)  # in the line of a drop
    ready_at = InstantField(null=True)
    delivered_at = InstantField(null=True)
    cancelled_at = InstantField(null=True)
    paid_at = InstantField(null=True)
    changed_by = fields.CharField(32)  # who did the last of it, by their name

    class Meta:
        """Table."""

        table = "reward_orders"
        indexes = (("member_id", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="quantity >= 1", name="reward_orders_quantity"),
            CheckConstraint(check="points > 0", name="reward_orders_points"),
            CheckConstraint(check="money_minor >= 0", name="reward_orders_money_minor"),
            CheckConstraint(
                check="status IN ('issued', 'ready', 'delivered', 'cancelled')",
                name="reward_orders_status",
            ),
        )


class RewardFavourite(Model):
    """A reward that a member likes."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    reward_key = fields.CharField(64)

    class Meta:
        """Table."""

        table = "reward_favourites"
        unique_together = (("member_id", "reward_key"),)


class DropLine(Model):
    """The line of a drop, made by the first who comes; its row is what those who come wait for."""

    id = IdField()
    drop_key = fields.CharField(64, unique=True)
    units = fields.IntField()  # offered when the line was made
    hold_seconds = fields.IntField()
    created_at = InstantField()
    last_number = fields.IntField()  # of the last place
    changed_at = InstantField()  # when something happened in it last: time never goes back
    taken = fields.IntField()  # units that are ordered and not cancelled

    class Meta:
        """Table."""

        table = "drop_lines"
        constraints = (
            CheckConstraint(check="last_number >= 0", name="drop_lines_last_number"),
            CheckConstraint(check="taken >= 0", name="drop_lines_taken"),
        )


class DropPlace(Model):
    """A member's place in the line of a drop."""

    id = IdField()
    line: fields.ForeignKeyRelation[DropLine] = fields.ForeignKeyField(
        "laurel.DropLine", on_delete=fields.RESTRICT
    )
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    number = fields.IntField()  # from 1, without gaps, in the order of commit
    turn = fields.IntField()  # the member's first place in this line, or which after that
    joined_at = InstantField()
    left_at = InstantField(null=True)
    taken_at = InstantField(null=True)  # when its unit was ordered
    freed_at = InstantField(null=True)  # when that order was cancelled

    class Meta:
        """Table."""

        table = "drop_places"
        unique_together = (("line_id", "number"), ("line_id", "member_id", "turn"))
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(check="number >= 1", name="drop_places_number"),
            CheckConstraint(check="turn >= 1", name="drop_places_turn"),
            CheckConstraint(
                check="left_at IS NULL OR taken_at IS NULL", name="drop_places_left_or_taken"
            ),
            CheckConstraint(
                check="freed_at IS NULL OR taken_at IS NOT NULL", name="drop_places_freed_at"
            ),
        )


ORDER_COLUMNS = (
    "id, member_id, reward_key, reward_version, kind, quantity, points, money_minor, currency,"
    " digits, status, fulfilment, code, ordered_at, expires_at, refund_until, place_id, ready_at,"
    " delivered_at, cancelled_at, paid_at, changed_by"
)
INSERT_ORDER = sql.insert("reward_orders", ORDER_COLUMNS)
UPDATE_ORDER = (
    "UPDATE reward_orders SET status = $1, ready_at = $2, delivered_at = $3, cancelled_at = $4,"
    " paid_at = $5, changed_by = $6 WHERE id = $7"
)
SELL = (
    "INSERT INTO reward_stock (reward_key, sold) VALUES ($1, $2)"
    " ON CONFLICT (reward_key) DO UPDATE SET sold = reward_stock.sold + $2"
    " WHERE reward_stock.sold + $2 <= $3"
)
"""Takes units, unless more would be sold then than there are ever; the first may take them all."""
PUT_BACK = "UPDATE reward_stock SET sold = sold - $1 WHERE reward_key = $2"

INSERT_FAVOURITE = sql.insert(
    "reward_favourites", "id, member_id, reward_key", otherwise="ON CONFLICT DO NOTHING"
)
DELETE_FAVOURITE = "DELETE FROM reward_favourites WHERE member_id = $1 AND reward_key = $2"

LINE_COLUMNS = "id, drop_key, units, hold_seconds, created_at, last_number, changed_at, taken"
INSERT_LINE = sql.insert("drop_lines", LINE_COLUMNS, otherwise="ON CONFLICT (drop_key) DO NOTHING")
UPDATE_LINE = "UPDATE drop_lines SET last_number = $1, changed_at = $2, taken = $3 WHERE id = $4"
PLACE_COLUMNS = "id, line_id, member_id, number, turn, joined_at, left_at, taken_at, freed_at"
INSERT_PLACE = sql.insert("drop_places", PLACE_COLUMNS)
UPDATE_PLACE = "UPDATE drop_places SET left_at = $1, taken_at = $2, freed_at = $3 WHERE id = $4"
GIVE_PLACE = "UPDATE drop_places SET member_id = $1, turn = $2 WHERE id = $3"
