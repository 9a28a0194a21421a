"""Tables of households."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class Household(Model):
    """Members who pool what they have: each keeps their own lots, some may spend all of them."""

    id = IdField()
    name = fields.CharField(120, null=True)
    founded_at = InstantField()
    dissolved_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "households"


class HouseholdMember(Model):
    """A member's stay in a household; `left_at` is null while it lasts."""

    id = IdField()
    household: fields.ForeignKeyRelation[Household] = fields.ForeignKeyField(
        "laurel.Household", on_delete=fields.RESTRICT
    )
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    role = fields.CharField(12)  # owner, spender, contributor
    joined_at = InstantField()
    left_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "household_members"
        indexes = (
            ("household_id",),
            ("member_id",),
        )
        constraints = (
            CheckConstraint(
                check="role IN ('owner', 'spender', 'contributor')", name="household_members_role"
            ),
            # One household at a time.
            UniqueConstraint(
                fields=("member_id",),
                condition="left_at IS NULL",
                name="household_members_present",
            ),
        )


class HouseholdInvitation(Model):
    """An invitation, by a code that is kept as a hash; taken up once at most."""

    id = IdField()
    household: fields.ForeignKeyRelation[Household] = fields.ForeignKeyField(
        "laurel.Household", on_delete=fields.RESTRICT
    )
    code_hash = fields.CharField(64, unique=True)
    role = fields.CharField(12)
    invited_by = fields.BigIntField()  # a member
    created_at = InstantField()
    expires_at = InstantField()
    accepted_by = fields.BigIntField(null=True)  # a member
    accepted_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "household_invitations"
        indexes = (("household_id",),)
        constraints = (
            CheckConstraint(
                check="role IN ('owner', 'spender', 'contributor')",
                name="household_invitations_role",
            ),
        )
