"""The tables of completed actions, their counters and the answers to surveys."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


class ActionCompletion(Model):
    """An action that a member completed, once."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    action = fields.CharField(64)  # the key of the definition
    version = fields.IntField()
    subject = fields.CharField(64, null=True)  # such as the product that was reviewed
    local_day = fields.IntField()  # of the programme
    points = fields.BigIntField()
    completed_at = InstantField()
    told_by = fields.CharField(120)  # the caller's name

    class Meta:
        """Table."""

        table = "action_completions"
        indexes = (("member_id", "action", "id"), ("action", "id"))
        constraints = (CheckConstraint(check="points >= 0", name="action_completions_points"),)


class ActionCounter(Model):
    """How often an action with a limit in total was completed; its row is what is locked for it."""

    id = IdField()
    action = fields.CharField(64, unique=True)
    completions = fields.BigIntField()

    class Meta:
        """Table."""

        table = "action_counters"
        constraints = (
            CheckConstraint(check="completions >= 0", name="action_counters_completions"),
        )


class SurveyAnswer(Model):
    """A member's answer to one question of a survey."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    completion_id = fields.BigIntField()
    action = fields.CharField(64)
    question = fields.CharField(64)
    value = fields.CharField(64, null=True)  # the number or the choice
    text = fields.CharField(2000, null=True)  # what was written

    class Meta:
        """Table."""

        table = "survey_answers"
        indexes = (("action", "question", "id"), ("member_id", "id"))
        constraints = (
            CheckConstraint(
                check="(value IS NULL) <> (text IS NULL)", name="survey_answers_value_or_text"
            ),
        )
