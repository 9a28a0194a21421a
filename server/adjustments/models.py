"""The table of adjustments."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Adjustment(Model):
    """Value that staff give (or take, if negative), applied at once or after a second person."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    reason = fields.CharField(500)
    status = fields.CharField(8)
    requested_by = fields.BigIntField()  # an account of staff
    requested_at = InstantField()
    decided_by = fields.BigIntField(null=True)  # another account of staff
    decided_at = InstantField(null=True)
    note = fields.CharField(500, null=True)

    class Meta:
        """Table."""

        table = "adjustments"
        indexes = (("member_id", "id"), ("status", "id"))
        constraints = (
            CheckConstraint(check="amount <> 0", name="adjustments_amount"),
            CheckConstraint(
                check="status IN ('pending', 'applied', 'rejected')", name="adjustments_status"
            ),
            CheckConstraint(
                check="decided_by IS NULL OR decided_by <> requested_by",
                name="adjustments_second_person",
            ),
        )
