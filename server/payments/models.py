"""The table of payments."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex


class Payment(Model):
    """Value that a member used at the till: what it cost them, and what it took off the basket.

    `amount` is points, or minor units of cashback or of a voucher; `restored_*` is what of it was
    given back since. It pays for one purchase at most.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(8)  # points, cashback, voucher
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    value_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()
    restored_amount = fields.BigIntField()
    restored_minor = fields.BigIntField()
    voucher_id = fields.BigIntField(null=True)
    hold_id = fields.BigIntField(null=True)
    purchase_id = fields.BigIntField(null=True)
    partner = fields.CharField(64)
    paid_at = InstantField()
    cancelled_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "payments"
        indexes = (
            ("member_id", "id"),
            PartialIndex(
                fields=("purchase_id",),
                where="purchase_id IS NOT NULL",
                name="payments_purchase",
            ),
        )
        constraints = (
            CheckConstraint(
                check="kind IN ('points', 'cashback', 'voucher')", name="payments_kind"
            ),
            CheckConstraint(
                check="amount > 0 AND restored_amount >= 0 AND restored_amount <= amount",
                name="payments_amount",
            ),
            CheckConstraint(
                check="value_minor >= 0 AND restored_minor >= 0 AND restored_minor <= value_minor",
                name="payments_value_minor",
            ),
        )
