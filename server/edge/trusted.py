"""Documents that the operator has published, found by the SHA-256 of their text."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import InstantField


class TrustedDocument(Model):
    """One published document; its text never changes, for its name is its hash."""

    sha256 = fields.CharField(64, primary_key=True)  # of the text in UTF-8, hexadecimal
    body = fields.TextField()
    label = fields.CharField(255)  # the operation's name, or what the manifest calls it
    published_at = InstantField()
    withdrawn_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "trusted_documents"
