"""The table of monthly cashback, and its named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField


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
