"""The keys that tokens are signed with: made on the first start, kept in the database alone.

A key is published as soon as it is made and signs from an instant of its own, when every process
and everyone who keeps `/.well-known/jwks.json` for a minute has read it. The key before it stays
until the last token that it can have signed has expired, so that no request fails for a rotation.

Each process keeps what it read. Whoever signs reads the keys again after a second, and so does
whoever is shown a token of a key that it does not know. A key that is retired stops working at
once: whoever is authenticated is known only while the keys are what they were.
"""

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
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
from server.members.lifetimes import (
    ACCESS_TOKEN_SECONDS,
    KEY_OVERLAP_SECONDS,
    MAXIMUM_CLOCK_SKEW_SECONDS,
)
from server.storage import changes, sql
from server.storage.ids import new_id
from server.storage.secrets import claimed_secret, shared_secret

MAXIMUM_AGE_SECONDS = 1
"""How old may be what a process signs with, or refuses an unknown key by: one statement a second
at most, whatever is asked of it."""

_REFRESH_TOKEN_SECRET = "refresh_tokens"  # noqa: S105 - the name of a secret
_KEY_ID = re.compile(r"[0-9a-f]{16}")

# In the order in which they sign, which no clock changes: see `rotate`.
_FIND_STANDING = """
    SELECT key_id, private_key, COALESCE(signs_from, created_at), retired_at FROM signing_keys
    WHERE retired_at IS NULL OR retired_at > $1 ORDER BY COALESCE(signs_from, created_at), id
"""
_LIST = """
    SELECT key_id, created_at, COALESCE(signs_from, created_at), retired_at
    FROM signing_keys ORDER BY COALESCE(signs_from, created_at), id
"""
_ADD = sql.insert("signing_keys", "id, key_id, private_key, created_at, signs_from")
_RETIRE_OLDER = """
    UPDATE signing_keys SET retired_at = $1
    WHERE key_id <> $2 AND (retired_at IS NULL OR retired_at > $1)
"""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A signing key with its name in tokens (`kid`)."""

    key_id: str
    private_key: Ed25519PrivateKey
    public_key: Ed25519PublicKey
    signs_from: Instant
    retired_at: Instant | None = None  # may lie ahead


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All that tokens are made and checked with. `pairs` are those that stood when they were read,
    in the order in which they sign."""

    pairs: tuple[KeyPair, ...]
    refresh_token_secret: bytes
    issuer: str
    audience: str
    loaded_at: Instant

    def pair(self, key_id: str) -> KeyPair | None:
        """The key pair of that name."""
        return next((pair for pair in self.pairs if pair.key_id == key_id), None)

    def signing_pair(self, at: Instant) -> KeyPair:
        """The newest pair that signed then, so that the same token is signed the same again."""
        signing = [pair for pair in self.pairs if pair.signs_from <= at]
        return signing[-1] if signing else self.pairs[0]

    def is_older_than(self, seconds: int) -> bool:
        """Whether it was read so long ago or longer (or, by a clock set back, after now)."""
        return not 0 <= system_now() - self.loaded_at < seconds * MICROSECONDS_PER_SECOND


class SigningKey(msgspec.Struct, frozen=True):
    """What may be told of a signing key: all but the key."""

    key_id: str
    created_at: Instant
    signs_from: Instant
    retired_at: Instant | None  # may lie ahead


_rings: WeakKeyDictionary[Any, KeyRing] = WeakKeyDictionary()  # by the database they're from
_readings: WeakKeyDictionary[Any, asyncio.Task[KeyRing]] = WeakKeyDictionary()  # same


def is_key_id(text: str) -> bool:
    """Whether a key of this deployment can have the name."""
    return _KEY_ID.fullmatch(text) is not None


# ---------------------------------------------------------------- reading


async def prepare(*, issuer: str = DEFAULT_ISSUER, audience: str = DEFAULT_AUDIENCE) -> None:
    """Read the keys, making them if this is the deployment's first start.

    Call it at every start. `issuer` and `audience` stand in access tokens (`iss`, `aud`) and must
    be the same in all processes.
    """
    await _load(issuer, audience)


async def ring(*, maximum_age_seconds: int | None = None) -> KeyRing:
    """This process's key ring, read again if it is older than that.

    Those who want it read again at once share one reading.
    """
    known = _rings.get(get_connections())
    if known is None:
        return await _load(DEFAULT_ISSUER, DEFAULT_AUDIENCE)
    if maximum_age_seconds is None or not known.is_older_than(maximum_age_seconds):
        return known
    if sql.in_a_transaction():  # which sees what is not committed, and nobody else may
        return await _load(known.issuer, known.audience)
    reading = _readings.get(get_connections())
    if reading is None or reading.done():
        reading = asyncio.create_task(_load(known.issuer, known.audience))
        _readings[get_connections()] = reading
    return await asyncio.shield(reading)


async def _load(issuer: str, audience: str) -> KeyRing:
    loaded_at = system_now()
    rows = await sql.fetch(_FIND_STANDING, loaded_at)
    if not rows:
        async with sql.transaction():
            await _make_first()
            rows = await sql.fetch(_FIND_STANDING, loaded_at)
    loaded = KeyRing(
        pairs=tuple(_pair_of(*row) for row in rows),
        refresh_token_secret=await shared_secret(_REFRESH_TOKEN_SECRET),
        issuer=issuer,
        audience=audience,
        loaded_at=loaded_at,
    )
    if not sql.in_a_transaction():  # what is not committed may never be
        _rings[get_connections()] = loaded
    return loaded


def _pair_of(key_id: str, pem: str, signs_from: int, retired_at: int | None) -> KeyPair:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("a signing key that is not Ed25519")
    ends = None if retired_at is None else Instant(retired_at)
    return KeyPair(key_id, key, key.public_key(), Instant(signs_from), ends)


async def jwks() -> dict[str, list[dict[str, str]]]:
    """The public keys as they are now, for `/.well-known/jwks.json` (RFC 7517)."""
    current = await ring(maximum_age_seconds=0)
    return {"keys": [_public_jwk(pair) for pair in current.pairs]}


def _public_jwk(pair: KeyPair) -> dict[str, str]:
    jwk = OKPAlgorithm.to_jwk(pair.public_key, as_dict=True)
    return {**jwk, "kid": pair.key_id, "use": "sig", "alg": "EdDSA"}


async def signing_keys() -> list[SigningKey]:
    """All signing keys that there ever were, in the order in which they sign."""
    return [SigningKey(*row) for row in await sql.fetch(_LIST)]


# ---------------------------------------------------------------- making


async def _make_first() -> None:
    await _one_at_a_time()
    if not await sql.fetch(_FIND_STANDING, system_now()):
        await _add(system_now())


async def _one_at_a_time() -> None:
    # Processes that make a key at once meet on the secret's row: the second waits for the first.
    await claimed_secret(_REFRESH_TOKEN_SECRET)


async def rotate(*, is_compromised: bool = False) -> SigningKey:
    """Make the next signing key, in the transaction.

    It is published at once and signs in `KEY_OVERLAP_SECONDS`; the older ones are retired when the
    last tokens that they can have signed have expired. If a key may have been stolen, the new one
    signs at once and all others are retired at once: the access tokens that stand are refused,
    and each device gets the next with its refresh token.
    """
    await _one_at_a_time()
    now = system_now()
    if is_compromised:
        # Reckoned from the slowest clock: no process may go on with what was stolen.
        at_once = Instant(now - MAXIMUM_CLOCK_SKEW_SECONDS * MICROSECONDS_PER_SECOND)
        made = await _add(at_once)
        await sql.execute(_RETIRE_OLDER, at_once, made.key_id)
        return made
    latest = max((key.signs_from for key in await signing_keys() if _stands(key, now)), default=0)
    # After the latest, also if that was made by a clock that ran ahead.
    signs_from = Instant(max(now + KEY_OVERLAP_SECONDS * MICROSECONDS_PER_SECOND, latest + 1))
    made = await _add(signs_from)
    kept_seconds = ACCESS_TOKEN_SECONDS + 2 * MAXIMUM_CLOCK_SKEW_SECONDS
    retired_at = signs_from + kept_seconds * MICROSECONDS_PER_SECOND
    await sql.execute(_RETIRE_OLDER, retired_at, made.key_id)
    return made


def _stands(key: SigningKey, at: Instant) -> bool:
    return key.retired_at is None or key.retired_at > at


async def _add(signs_from: Instant) -> SigningKey:
    key_id = secrets.token_hex(8)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    now = system_now()
    await sql.execute(_ADD, new_id(), key_id, pem.decode(), now, signs_from)
    changes.note(changes.SIGNING_KEY, 0)  # whoever makes one retires those before it, too
    return SigningKey(key_id, now, signs_from, None)
