"""Tables of purchases, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField


class Purchase(Model):
    """One basket as the till sent it, with what it earned; only returns are noted afterwards."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    partner = fields.CharField(64)
    external_id = fields.CharField(64)
    content_hash = fields.CharField(64)
    store_id = fields.CharField(64)
    occurred_at = InstantField()
    recorded_at = InstantField()
    local_month = fields.IntField()  # year * 100 + month, programme's time zone
    currency = fields.CharField(3)
    net_minor = fields.BigIntField()
    eligible_minor = fields.BigIntField()
    programme_version = fields.IntField()
    outcome = fields.TextField()  # what the till was answered, as JSON
    paid_minor = fields.BigIntField()  # what points, cashback and vouchers took off
    returned_net_minor = fields.BigIntField()  # of the net, what was returned since
    returned_eligible_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "purchases"
        unique_together = (("partner", "external_id"),)
        indexes = (("member_id", "occurred_at"), ("local_month", "member_id"))
        constraints = (
            CheckConstraint(check="eligible_minor >= 0", name="purchases_eligible_minor"),
            CheckConstraint(
                check="returned_eligible_minor >= 0 AND returned_eligible_minor <= eligible_minor",
                name="purchases_returned_eligible_minor",
            ),
            CheckConstraint(check="paid_minor >= 0", name="purchases_paid_minor"),
        )


class PurchaseLine(Model):
    """One line of a basket."""

    id = IdField()
    member_id = fields.BigIntField()
    purchase: fields.ForeignKeyRelation[Purchase] = fields.ForeignKeyField(
        "laurel.Purchase", on_delete=fields.RESTRICT
    )
    number = fields.IntField()  # from 0
    product_id = fields.CharField(64)
    department = fields.CharField(120)
    product_category = fields.CharField(120)
    product_type = fields.CharField(120)
    quantity = fields.BigIntField()
    sales_minor = fields.BigIntField()
    coupon_minor = fields.BigIntField()
    paid_minor = fields.BigIntField()  # its share of what points, cashback and vouchers took off
    returned_quantity = fields.BigIntField()
    returned_minor = fields.BigIntField()  # of sales less coupon

    class Meta:
        """Table."""

        table = "purchase_lines"
        indexes = (("purchase_id", "number"),)
        constraints = (
            CheckConstraint(check="number >= 0", name="purchase_lines_number"),
            CheckConstraint(check="quantity >= 0", name="purchase_lines_quantity"),
            CheckConstraint(check="sales_minor >= 0", name="purchase_lines_sales_minor"),
            CheckConstraint(check="coupon_minor >= 0", name="purchase_lines_coupon_minor"),
            CheckConstraint(
                check="returned_quantity >= 0 AND returned_quantity <= quantity",
                name="purchase_lines_returned_quantity",
            ),
        )


class PurchaseReturn(Model):
    """One return of some lines of a purchase, as the till sent it, with what it undid."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    purchase: fields.ForeignKeyRelation[Purchase] = fields.ForeignKeyField(
        "laurel.Purchase", on_delete=fields.RESTRICT
    )
    partner = fields.CharField(64)
    external_id = fields.CharField(64)
    content_hash = fields.CharField(64)
    occurred_at = InstantField()
    recorded_at = InstantField()
    net_minor = fields.BigIntField()
    outcome = fields.TextField()  # what the till was answered, as JSON

    class Meta:
        """Table."""

        table = "purchase_returns"
        unique_together = (("partner", "external_id"),)
        indexes = (("purchase_id",), ("member_id", "id"))


class ReturnLine(Model):
    """What of one line of a purchase one return gave back."""

    id = IdField()
    member_id = fields.BigIntField()
    purchase_return: fields.ForeignKeyRelation[PurchaseReturn] = fields.ForeignKeyField(
        "laurel.PurchaseReturn", on_delete=fields.RESTRICT
    )
    number = fields.IntField()  # of the line, from 0
    quantity = fields.BigIntField()
    amount_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "return_lines"
        unique_together = (("purchase_return_id", "number"),)
        constraints = (CheckConstraint(check="quantity >= 0", name="return_lines_quantity"),)


PURCHASE_COLUMNS = (
    "id, member_id, partner, external_id, content_hash, store_id, occurred_at, recorded_at,"
    " local_month, currency, net_minor, eligible_minor, programme_version, outcome,"
    " paid_minor, returned_net_minor, returned_eligible_minor"
)
LINE_COLUMNS = (
    "id, member_id, purchase_id, number, product_id, department, product_category, product_type,"
    " quantity, sales_minor, coupon_minor, paid_minor, returned_quantity, returned_minor"
)
INSERT_PURCHASE = sql.insert("purchases", PURCHASE_COLUMNS)
INSERT_LINE = sql.insert("purchase_lines", LINE_COLUMNS)


def recorded(partner: str, external_ids: Iterable[str]) -> Asked:
    """What asks for (partner, external_id, content_hash, outcome) of the partner's purchases with
    these ids."""
    values = sql.padded(external_ids)
    return (
        "SELECT partner, external_id, content_hash, outcome FROM purchases WHERE partner = $1"
        f" AND external_id IN ({sql.placeholders(len(values), 2)})",
        (partner, *values),
    )


async def outcomes(purchase_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(id, outcome) of the purchases."""
    values = sql.padded(purchase_ids)
    return await sql.fetch(
        f"SELECT id, outcome FROM purchases WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def month_rows(at: Instant) -> Sequence[sql.Row]:
    """By local month, of the purchases up to the instant: local_month, members with a purchase,
    members with two or more, purchases; net and eligible spend, less what was returned since."""
    return await sql.fetch(
        "SELECT local_month, COUNT(*), COUNT(CASE WHEN purchases > 1 THEN 1 END),"
        " CAST(SUM(purchases) AS BIGINT), CAST(SUM(net) AS BIGINT), CAST(SUM(eligible) AS BIGINT)"
        " FROM (SELECT local_month, member_id, COUNT(*) AS purchases,"
        " SUM(net_minor - returned_net_minor) AS net,"
        " SUM(eligible_minor - returned_eligible_minor) AS eligible"
        " FROM purchases WHERE occurred_at <= $1"
        " GROUP BY local_month, member_id) AS by_member GROUP BY local_month ORDER BY local_month",
        at,
    )


async def cohort_rows(at: Instant) -> Sequence[sql.Row]:
    """(month of enrolment, local month, members of the one with a purchase in the other), of the
    purchases up to the instant."""
    return await sql.fetch(
        "SELECT m.enrolled_local_month, a.local_month, COUNT(*)"
        " FROM (SELECT DISTINCT local_month, member_id FROM purchases WHERE occurred_at <= $1) a"
        " JOIN members m ON m.id = a.member_id GROUP BY 1, 2",
        at,
    )
