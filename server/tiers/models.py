"""Tables of tiers, and their named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class TierState(Model):
    """A member's tier as of `evaluated_day`, and the next day on which time alone may change it."""

    id = IdField()
    member: fields.OneToOneRelation[Member] = fields.OneToOneField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    level = fields.CharField(64)
    since = InstantField()
    window_spend_minor = fields.BigIntField()
    lifetime_spend_minor = fields.BigIntField()
    evaluated_day = fields.IntField()
    next_drop_day = fields.IntField()
    change_count = fields.IntField()

    class Meta:
        """Table."""

        table = "tier_states"


class TierDay(Model):
    """A member's qualifying spend on one local day."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    local_day = fields.IntField()
    spend_minor = fields.BigIntField()

    class Meta:
        """Table."""

        table = "tier_days"
        unique_together = (("member_id", "local_day"),)


class TierChange(Model):
    """One evaluation that gave another tier than the one before."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    changed_at = InstantField()
    level_before = fields.CharField(64)
    level_after = fields.CharField(64)

    class Meta:
        """Table."""

        table = "tier_changes"
        indexes = (("member_id", "id"),)
