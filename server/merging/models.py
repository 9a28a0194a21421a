"""The table of merges."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Merge(Model):
    """A duplicate membership joined into another, and all that moved with it."""

    id = IdField()
    duplicate: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="merges_as_duplicate"
    )
    survivor: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="merges_as_survivor"
    )
    moved = fields.TextField()  # ids of the rows that moved, by table, as JSON
    reason = fields.CharField(500)
    merged_by = fields.BigIntField()  # an account of staff
    merged_at = InstantField()
    undone_by = fields.BigIntField(null=True)
    undone_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "merges"
        indexes = (("survivor_id",), ("duplicate_id",))
        constraints = (
            CheckConstraint(check="duplicate_id <> survivor_id", name="merges_two_members"),
        )
