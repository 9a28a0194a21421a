"""Tables of challenges, and their named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class ChallengeProgress(Model):
    """A member's progress in one challenge and one period (a week or a month)."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    period_start = fields.IntField()  # local day
    progress = fields.BigIntField()
    counted = fields.TextField()  # what was counted: days or departments, as JSON; empty for sums
    completed_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "challenge_progress"
        unique_together = (("member_id", "challenge", "period_start"),)


class ChallengeRun(Model):
    """Periods in a row in which a member completed a challenge, and the streaks they gave."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    first_period = fields.IntField()  # local day on which the run's first period starts
    last_period = fields.IntField()  # local day on which the run's last period starts
    streak_count = fields.IntField()

    class Meta:
        """Table."""

        table = "challenge_runs"
        unique_together = (("member_id", "challenge", "first_period"),)


class ChallengeTotal(Model):
    """How often a member has completed a challenge, and its streak, so far."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    completion_count = fields.IntField()
    streak_count = fields.IntField()

    class Meta:
        """Table."""

        table = "challenge_totals"
        unique_together = (("member_id", "challenge"),)
