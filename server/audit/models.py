"""The table of audits."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class AuditRun(Model):
    """One audit: how far it reached, and what it found."""

    id = IdField()
    scope = fields.CharField(8)  # all, changes
    started_at = InstantField()
    finished_at = InstantField(null=True)
    through_id = fields.BigIntField()  # rows made before this id have been looked at
    member_count = fields.IntField()
    problem_count = fields.IntField()
    first_problem = fields.TextField(null=True)

    class Meta:
        """Table."""

        table = "audit_runs"
