"""The tables of referrals, of milestones and of what tells people apart."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Referral(Model):
    """A friend whom a member brought; `member` is who brought them, the inviter."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    friend_id = fields.BigIntField(unique=True)  # the friend's member id
    programme = fields.CharField(64)  # the key of the definition
    version = fields.IntField()  # and its version when the friend came
    state = fields.CharField(8)
    doubts = fields.CharField(120)  # separated by spaces
    accepted_at = InstantField()
    accepted_day = fields.IntField()  # local days, as `clock.LocalDay`
    enrolled_day = fields.IntField()
    purchase_id = fields.BigIntField(null=True)  # the friend's purchase that counts
    purchase_day = fields.IntField(null=True)
    granted_at = InstantField(null=True)
    granted_month = fields.IntField(null=True)  # of the purchase: year * 100 + month
    available_at = InstantField(null=True)
    is_capped = fields.SmallIntField()  # 1: the inviter has got nothing, because of a cap
    inviter_points = fields.BigIntField()
    inviter_cashback_minor = fields.BigIntField()
    friend_points = fields.BigIntField()
    friend_cashback_minor = fields.BigIntField()
    decided_by = fields.BigIntField(null=True)  # an account of staff
    decided_at = InstantField(null=True)
    note = fields.CharField(500, null=True)

    class Meta:
        """Table."""

        table = "referrals"
        indexes = (("member_id", "id"), ("state", "id"), ("purchase_id",))
        constraints = (
            CheckConstraint(
                check="state IN ('waiting', 'held', 'blocked', 'rejected', 'rewarded', 'returned')",
                name="referrals_state",
            ),
            CheckConstraint(
                check="(purchase_id IS NULL) = (purchase_day IS NULL)",
                name="referrals_purchase_day",
            ),
            CheckConstraint(
                check="state <> 'rewarded' OR (purchase_id IS NOT NULL AND granted_at IS NOT NULL"
                " AND granted_month IS NOT NULL AND available_at IS NOT NULL)",
                name="referrals_granted",
            ),
            CheckConstraint(
                check="inviter_points >= 0 AND inviter_cashback_minor >= 0 AND friend_points >= 0"
                " AND friend_cashback_minor >= 0",
                name="referrals_amounts",
            ),
        )


class ReferralMilestone(Model):
    """Points that an inviter got for having brought so many friends."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    programme = fields.CharField(64)
    friends = fields.IntField()
    points = fields.BigIntField()
    referral_id = fields.BigIntField()  # of the friend who made up the number
    state = fields.CharField(8)  # granted; returned; kept: not all of it could be taken back
    granted_at = InstantField()

    class Meta:
        """Table."""

        table = "referral_milestones"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(
                check="state IN ('granted', 'returned', 'kept')", name="referral_milestones_state"
            ),
            CheckConstraint(check="friends >= 1", name="referral_milestones_friends"),
            CheckConstraint(check="points >= 0", name="referral_milestones_points"),
        )


class MemberMark(Model):
    """Something that a member uses, by its keyed hash alone: a device, a means of payment or an
    address."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(7)
    mark_hash = fields.CharField(43)  # HMAC-SHA-256, base 64
    noted_at = InstantField()

    class Meta:
        """Table."""

        table = "member_marks"
        unique_together = (("member_id", "kind", "mark_hash"),)
        indexes = (("kind", "mark_hash"),)
        constraints = (
            CheckConstraint(
                check="kind IN ('device', 'payment', 'address')", name="member_marks_kind"
            ),
        )
