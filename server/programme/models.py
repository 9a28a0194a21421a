"""The table of programme versions, and its named queries."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class ProgrammeVersion(Model):
    """One published version of the rules, never changed afterwards."""

    id = IdField()
    version = fields.IntField(unique=True)
    document = fields.TextField()  # canonical JSON
    digest = fields.CharField(64)  # SHA-256 of the document, hexadecimal
    effective_at = InstantField()
    published_at = InstantField()
    published_by = fields.CharField(120)

    class Meta:
        """Table."""

        table = "programme_versions"
