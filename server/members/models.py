"""Tables of members, accounts, sessions and API keys, and their named queries."""

from tortoise import fields
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class Member(Model):
    """A person in the programme."""

    id = IdField()
    external_id = fields.CharField(64, null=True, unique=True)
    name = fields.CharField(120, null=True)
    birthday = fields.CharField(10, null=True)  # ISO 8601 date
    locale = fields.CharField(16)
    time_zone = fields.CharField(64)
    enrolled_at = InstantField()
    enrolled_local_month = fields.IntField()  # year * 100 + month, programme's time zone

    class Meta:
        """Table."""

        table = "members"


class Account(Model):
    """What one signs in with: an e-mail address and a password, for a member or for staff."""

    id = IdField()
    member: fields.ForeignKeyNullableRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", null=True, on_delete=fields.RESTRICT, unique=True
    )
    email = fields.CharField(254)
    email_key = fields.CharField(254, unique=True)  # case-folded: one account an address
    password_hash = fields.CharField(200)
    staff_role = fields.CharField(16, null=True)
    created_at = InstantField()

    class Meta:
        """Table."""

        table = "accounts"


class Session(Model):
    """One sign-in on one device, its refresh token is derived from id and generation."""

    id = IdField()
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "laurel.Account", on_delete=fields.RESTRICT
    )
    generation = fields.IntField()
    device_name = fields.CharField(120, null=True)
    created_at = InstantField()
    rotated_at = InstantField()
    expires_at = InstantField()
    revoked_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "sessions"
        indexes = (("account_id", "id"),)


class ApiKey(Model):
    """A till's or shop's key: shown once, stored hashed."""

    id = IdField()
    name = fields.CharField(120)
    partner = fields.CharField(64)
    scopes = fields.CharField(400)  # names of `Scope`, separated by spaces
    key_hash = fields.CharField(64, unique=True)  # SHA-256 of the key, hexadecimal
    created_at = InstantField()
    expires_at = InstantField(null=True)
    revoked_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "api_keys"
