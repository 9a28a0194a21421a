"""The table of vouchers, and its named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Voucher(Model):
    """A voucher bought with points."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    code = fields.CharField(24, unique=True)
    points = fields.BigIntField()
    value_minor = fields.BigIntField()
    currency = fields.CharField(3)
    issued_at = InstantField()
    status = fields.CharField(8)  # issued

    class Meta:
        """Table."""

        table = "vouchers"
        indexes = (("member_id", "id"), ("issued_at",))
