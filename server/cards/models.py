"""The table of cards, and its named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Card(Model):
    """A digital card. A member has one that is not replaced."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    number = fields.CharField(19, unique=True)
    status = fields.CharField(8)  # active, blocked, replaced
    issued_at = InstantField()
    status_changed_at = InstantField()
    reported_lost_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "cards"
        indexes = (("member_id", "id"),)
