"""What the servers of one deployment share and no one else may know: signing keys and secrets."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class SigningKey(Model):
    """An EdDSA key pair for access tokens, the newest one that is not retired signs."""

    id = IdField()
    key_id = fields.CharField(32, unique=True)
    private_key = fields.TextField()  # PEM, PKCS 8
    created_at = InstantField()
    retired_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "signing_keys"


class SharedSecret(Model):
    """A named secret of 32 random bytes, hexadecimal."""

    id = IdField()
    name = fields.CharField(64, unique=True)
    value = fields.CharField(64)
    created_at = InstantField()

    class Meta:
        """Table."""

        table = "shared_secrets"
