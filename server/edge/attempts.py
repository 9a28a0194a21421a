"""How often something may be tried, counted for all processes in the database."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import InstantField


class AttemptLimit(Model):
    """What has been tried under one name, as the one instant of the generic cell rate algorithm."""

    name_hash = fields.CharField(64, primary_key=True)  # keyed hash of what is limited
    used_up_until = InstantField()  # when all that was tried will have been given back

    class Meta:
        """Table."""

        table = "attempt_limits"
        indexes = (("used_up_until",),)
