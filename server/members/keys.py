"""The keys that tokens are signed with: made on the first start, kept in the database alone.

Each process keeps what it read. A key that another process has made since is found when a token
names it, or within a minute; a key that is retired stops working at once, because authentication
asks the database for it (`models.authenticated_session`).
"""

import secrets
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm
from tortoise.connection import get_connections

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.members.defaults import DEFAULT_AUDIENCE, DEFAULT_ISSUER
from server.storage import sql
from server.storage.ids import new_id
from server.storage.secrets import claimed_secret, shared_secret

SIGNING_MAXIMUM_AGE_SECONDS = 60
UNKNOWN_KEY_MINIMUM_AGE_SECONDS = 5
_REFRESH_TOKEN_SECRET = "refresh_tokens"  # noqa: S105 - the name of a secret

_FIND_SIGNING_KEYS = """
    SELECT key_id, private_key, created_at FROM signing_keys
    WHERE retired_at IS NULL ORDER BY created_at, id
"""
_ADD_SIGNING_KEY = sql.insert("signing_keys", "id, key_id, private_key, created_at")
_RETIRE_SIGNING_KEY = (
    "UPDATE signing_keys SET retired_at = $1 WHERE key_id = $2 AND retired_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A signing key with its name in tokens (`kid`)."""

    key_id: str
    private_key: Ed25519PrivateKey
    public_key: Ed25519PublicKey
    created_at: Instant


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All that tokens are made and checked with. `pairs` are those not retired, oldest first."""

    pairs: tuple[KeyPair, ...]
    refresh_token_secret: bytes
    issuer: str
    audience: str
    loaded_at: Instant

    def pair(self, key_id: object) -> KeyPair | None:
        """The key pair of that name."""
        return next((pair for pair in self.pairs if pair.key_id == key_id), None)

    def signing_pair(self, at: Instant) -> KeyPair:
        """The newest pair that existed then, so that the same token is signed the same again."""
        existing = [pair for pair in self.pairs if pair.created_at <= at]
        return existing[-1] if existing else self.pairs[0]

    def is_older_than(self, seconds: int) -> bool:
        """Whether it was read longer ago (or, by a clock set back, after now)."""
        return not 0 <= system_now() - self.loaded_at <= seconds * MICROSECONDS_PER_SECOND


_rings: WeakKeyDictionary[Any, KeyRing] = WeakKeyDictionary()  # by the database they're from


async def prepare(*, issuer: str = DEFAULT_ISSUER, audience: str = DEFAULT_AUDIENCE) -> None:
    """Read the keys, making them if this is the deployment's first start.

    Call it at every start. `issuer` and `audience` stand in access tokens (`iss`, `aud`) and must
    be the same in all processes.
    """
    await _load(issuer, audience)


async def ring(*, maximum_age_seconds: int | None = None) -> KeyRing:
    """This process's key ring, read again if it is older than that."""
    known = _rings.get(get_connections())
    if known is None:
        return await _load(DEFAULT_ISSUER, DEFAULT_AUDIENCE)
    if maximum_age_seconds is not None and known.is_older_than(maximum_age_seconds):
        return await _load(known.issuer, known.audience)
    return known


async def _load(issuer: str, audience: str) -> KeyRing:
    rows = await sql.fetch(_FIND_SIGNING_KEYS)
    if not rows:
        async with sql.transaction():
            await _make_first_signing_key()
            rows = await sql.fetch(_FIND_SIGNING_KEYS)
    loaded = KeyRing(
        pairs=tuple(_pair_of(*row) for row in rows),
        refresh_token_secret=await shared_secret(_REFRESH_TOKEN_SECRET),
        issuer=issuer,
        audience=audience,
        loaded_at=system_now(),
    )
    if not sql.in_a_transaction():  # what is not committed may never be
        _rings[get_connections()] = loaded
    return loaded


async def _make_first_signing_key() -> None:
    await claimed_secret(_REFRESH_TOKEN_SECRET)  # processes that start at once go one by one
    if not await sql.fetch(_FIND_SIGNING_KEYS):
        await add_signing_key()


async def add_signing_key() -> str:
    """Make a key that signs from now on (elsewhere within a minute); its name.

    Tokens signed before stay good until the older key is retired.
    """
    key_id = secrets.token_hex(8)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    await sql.execute(_ADD_SIGNING_KEY, new_id(), key_id, pem.decode(), system_now())
    return key_id


async def retire_signing_key(key_id: str) -> bool:
    """End a key: access tokens that it signed are refused at once. Whether there was such a key.

    The last one may be retired too: the next start makes a new one.
    """
    return await sql.execute(_RETIRE_SIGNING_KEY, system_now(), key_id) == 1


def _pair_of(key_id: str, pem: str, created_at: int) -> KeyPair:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("a signing key that is not Ed25519")
    return KeyPair(key_id, key, key.public_key(), Instant(created_at))


async def jwks() -> dict[str, list[dict[str, str]]]:
    """The public keys, for `/.well-known/jwks.json` (RFC 7517)."""
    current = await ring(maximum_age_seconds=SIGNING_MAXIMUM_AGE_SECONDS)
    return {"keys": [_public_jwk(pair) for pair in current.pairs]}


def _public_jwk(pair: KeyPair) -> dict[str, str]:
    jwk = OKPAlgorithm.to_jwk(pair.public_key, as_dict=True)
    return {**jwk, "kid": pair.key_id, "use": "sig", "alg": "EdDSA"}
