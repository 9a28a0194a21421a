"""The table of gifts."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
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
