"""Tables of purchases, and their named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Purchase(Model):
    """One basket as the till sent it, with what it earned, never changed afterwards."""

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

    class Meta:
        """Table."""

        table = "purchases"
        unique_together = (("partner", "external_id"),)
        indexes = (("member_id", "occurred_at"), ("local_month", "member_id"))


class PurchaseLine(Model):
    """One line of a basket."""

    id = IdField()
    member_id = fields.BigIntField()
    purchase: fields.ForeignKeyRelation[Purchase] = fields.ForeignKeyField(
        "laurel.Purchase", on_delete=fields.RESTRICT
    )
    number = fields.IntField()  # from 0
    product_id = fields.CharField(64)
    department = fields.CharField(64)
    product_category = fields.CharField(64)
    product_type = fields.CharField(64)
    quantity = fields.BigIntField()
    sales_minor = fields.BigIntField()
    coupon_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "purchase_lines"
        indexes = (("purchase_id", "number"),)
