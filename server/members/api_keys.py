"""API keys of tills, shops and services: shown once, stored hashed.

A key is 256 random bits, so that a plain SHA-256 keeps it: there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

import msgspec

from server.clock import Instant, system_now
from server.errors import InvalidInput
from server.members import models, rules
from server.members.errors import AuthenticationFailed
from server.principal import Principal, PrincipalKind, Scope
from server.storage.ids import new_id

PREFIX = "laurel_"
MAXIMUM_PARTNER_LENGTH = 64
_FORM = re.compile(r"laurel_[A-Za-z0-9_-]{16,120}")


class CreatedApiKey(msgspec.Struct, frozen=True):
    """A new API key; `key` is not shown again."""

    id: int
    key: str


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def create_api_key(
    name: str,
    partner: str,
    scopes: Iterable[Scope],
    *,
    expires_at: Instant | None = None,
    key: str | None = None,
) -> CreatedApiKey:
    """Make an API key with these scopes for the partner.

    `key` gives a key that is known beforehand, for demonstrations; the same with the same name,
    partner, scopes and expiry may be given again. Raises InvalidInput for an empty list of scopes,
    for values of another form, and for a known key that stands for something else.
    """
    name = rules.valid_name(name)
    if not 1 <= len(partner) <= MAXIMUM_PARTNER_LENGTH or not partner.isprintable():
        raise InvalidInput(
            "api_key.partner",
            path=("partner",),
            value=partner,
            accepted=f"1 to {MAXIMUM_PARTNER_LENGTH} printable characters",
        )
    granted = " ".join(sorted({scope.value for scope in scopes}))
    if not granted:
        raise InvalidInput("api_key.scopes", path=("scopes",), accepted="at least one scope")
    if key is not None and not _FORM.fullmatch(key):
        raise InvalidInput(
            "api_key.key",
            path=("key",),
            accepted="laurel_ and 16 to 120 letters, digits, - or _",
        )
    made = PREFIX + secrets.token_urlsafe(32) if key is None else key
    key_id = new_id()
    facts = (name, partner, granted, _hash(made))
    if not await models.add_api_key_if_new((key_id, *facts, system_now(), expires_at)):
        key_id = await _same_key(facts, expires_at)
    return CreatedApiKey(key_id, made)


async def _same_key(facts: tuple[str, str, str, str], expires_at: Instant | None) -> int:
    found = await models.api_key(facts[-1])
    if found is None or (*found[1:],) != (*facts, expires_at, None):
        raise InvalidInput(
            "api_key.taken", path=("key",), accepted="a key that stands for nothing else"
        )
    return int(found[0])


async def revoke_api_key(key_id: int) -> bool:
    """End an API key at once. Whether it stood until now."""
    return await models.revoke_api_key(key_id, now=system_now())


async def authenticate_api_key(key: str) -> Principal:
    """Who calls with this key. Raises AuthenticationFailed."""
    if not _FORM.fullmatch(key):
        raise AuthenticationFailed("malformed")
    key_hash = _hash(key)
    found = await models.api_key(key_hash)
    # The index compared hashes already, whose timing tells nothing of a key; once more, to be sure.
    if found is None or not hmac.compare_digest(found[4], key_hash):
        raise AuthenticationFailed("unknown")
    key_id, _name, partner, scopes, _hash_again, expires_at, revoked_at = found
    if revoked_at is not None:
        raise AuthenticationFailed("revoked")
    if expires_at is not None and expires_at <= system_now():
        raise AuthenticationFailed("expired")
    known = {scope.value: scope for scope in Scope}
    return Principal(
        PrincipalKind.KEY,
        id=key_id,
        scopes=frozenset(known[name] for name in scopes.split() if name in known),
        partner=partner,
    )
