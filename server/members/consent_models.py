"""Tables of consents."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class MemberConsent(Model):
    """What a member said last of one purpose that their data may be used for."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    purpose = fields.CharField(12)  # email, push, sms, profiling
    is_given = fields.IntField()  # 0 or 1
    changed_at = InstantField()
    source = fields.CharField(8)  # member, staff

    class Meta:
        """Table."""

        table = "member_consents"
        unique_together = (("member_id", "purpose"),)
        constraints = (
            CheckConstraint(check="is_given IN (0, 1)", name="member_consents_is_given"),
            CheckConstraint(
                check="purpose IN ('email', 'push', 'sms', 'profiling')",
                name="member_consents_purpose",
            ),
        )


class ConsentChange(Model):
    """The evidence of one change of a consent; it is never changed."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    purpose = fields.CharField(12)
    is_given = fields.IntField()
    changed_at = InstantField()
    source = fields.CharField(8)
    stated_by = fields.CharField(64)  # the name of the caller
    note = fields.CharField(200, null=True)
    text_version = fields.CharField(40, null=True)  # of the words that the member was shown

    class Meta:
        """Table."""

        table = "consent_changes"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(check="is_given IN (0, 1)", name="consent_changes_is_given"),
        )
