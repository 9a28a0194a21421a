"""What the servers of one deployment share and no one else may know: signing keys and secrets.

A named secret is made when it is first asked for and never changes; each process keeps those that
it has read.
"""

import secrets
from typing import Any
from weakref import WeakKeyDictionary

from tortoise import fields
from tortoise.connection import get_connections
from tortoise.models import Model

from server.clock import system_now
from server.storage import sql
from server.storage.fields import IdField, InstantField
from server.storage.ids import new_id


class SigningKey(Model):
    """An EdDSA key pair for access tokens, the newest one that is not retired signs."""

    id = IdField()
    key_id = fields.CharField(32, unique=True)
    private_key = fields.TextField()  # PEM, PKCS 8
    created_at = InstantField()
    signs_from = InstantField(null=True)  # published before it signs; without: from its creation
    retired_at = InstantField(null=True)  # may lie ahead: what it has signed is good until then

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


_FIND = "SELECT value FROM shared_secrets WHERE name = $1"
# Processes that start at once meet on the secret's row: the second waits for the first.
_CLAIM = sql.insert(
    "shared_secrets",
    "id, name, value, created_at",
    otherwise="ON CONFLICT (name) DO UPDATE SET name = excluded.name",
)

_known: WeakKeyDictionary[Any, dict[str, bytes]] = WeakKeyDictionary()  # by their database


async def shared_secret(name: str) -> bytes:
    """The deployment's secret of that name: 32 random bytes, made if there is none."""
    known = _known.setdefault(get_connections(), {})
    if name in known:
        return known[name]
    row = await sql.fetch_one(_FIND, name)
    if row is not None:
        value = bytes.fromhex(row[0])
    else:
        async with sql.transaction():
            value = await claimed_secret(name)
    if not sql.in_a_transaction():  # what is not committed may never be
        known[name] = value
    return value


async def claimed_secret(name: str) -> bytes:
    """`shared_secret`, in the transaction, where whoever claims it too waits for its end."""
    await sql.execute(_CLAIM, new_id(), name, secrets.token_hex(32), system_now())
    row = await sql.fetch_one(_FIND, name)
    if row is None:
        raise AssertionError("the secret was claimed in this transaction")
    return bytes.fromhex(row[0])
