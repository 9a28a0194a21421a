"""The table of payouts."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Payout(Model):
    """Cashback that a member asked to be paid; it is held until it is paid or comes back."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    hold_id = fields.BigIntField()
    amount_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()
    destination = fields.CharField(200)  # where to, as the member wrote it
    status = fields.CharField(10)
    local_day = fields.IntField()  # of the request, for the daily limit
    requested_at = InstantField()
    decided_at = InstantField(null=True)
    decided_by = fields.BigIntField(null=True)  # an account of staff
    finished_at = InstantField(null=True)
    note = fields.CharField(
        200, null=True
    )  # why rejected or failed, or the bank's reference

    class Meta:
        """Table."""

        table = "payouts"
        indexes = (("member_id", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="amount_minor > 0", name="payouts_amount_minor"),
            CheckConstraint(
                check="status IN ('requested', 'approved', 'rejected', 'paid', 'failed',"
                " 'cancelled')",
                name="payouts_status",
            ),
        )
