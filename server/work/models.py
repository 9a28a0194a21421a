"""Tables of background work."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class JobRun(Model):
    """How one job fares."""

    id = IdField()
    name = fields.CharField(64, unique=True)
    started_at = InstantField(null=True)  # the last time
    succeeded_at = InstantField(null=True)  # the last time
    failed_at = InstantField(null=True)  # the last time
    error = fields.CharField(200, null=True)  # of the last failure, without anybody's data
    done_count = fields.BigIntField()  # things done since the first run
    duration_microseconds = fields.BigIntField()  # of the last run

    class Meta:
        """Table."""

        table = "job_runs"
