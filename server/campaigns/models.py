"""The table of reminders."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField


class ReminderScan(Model):
    """How far the members have been looked at on one day for what one message reminds of."""

    id = IdField()
    message = fields.CharField(64, unique=True)  # its key
    version_id = fields.BigIntField()  # of `definition_versions`
    local_day = fields.IntField()  # of the programme
    after_id = fields.BigIntField()  # members up to this id have been looked at

    class Meta:
        """Table."""

        table = "reminder_scans"
