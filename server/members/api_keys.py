"""API keys of tills, shops and partners: shown once, stored hashed.

A key is 256 bits that nobody can guess, so that a plain SHA-256 keeps it. One that is made by hand
is random. One that a repeatable request makes is derived from its id and a secret of the deployment
(`derived_key`): a repetition is answered with the same key, and still nothing stores it.
"""

import base64
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Iterable
from enum import Enum

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import InvalidInput, NotAllowed, NotFound, phrase
from server.members import key_queries, rules
from server.members.errors import AuthenticationFailed
from server.members.key_uses import note_key_use
from server.principal import AsOf, Principal, PrincipalKind, Scope
from server.storage import changes, sql
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

PREFIX = "laurel_"
MAXIMUM_PARTNER_LENGTH = 64
DEFAULT_LIFETIME_DAYS = 365
MAXIMUM_LIFETIME_DAYS = 3_650
DEFAULT_OVERLAP_HOURS = 24
MAXIMUM_OVERLAP_HOURS = 720
_HOUR = 3_600 * MICROSECONDS_PER_SECOND
_DAY = 24 * _HOUR
_FORM = re.compile(r"laurel_[A-Za-z0-9_-]{16,120}")
_SECRET = "api_keys"  # noqa: S105 - the name of a secret
_DERIVED_CONTEXT = b"laurel api key 1:"
_DERIVED_FACTS = struct.Struct(">Q")  # the key's id


class ApiKeyState(Enum):
    """Whether an API key is accepted."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CreatedApiKey(msgspec.Struct, frozen=True):
    """A new API key; `key` is not shown again."""

    id: int
    key: str


class ApiKeyView(msgspec.Struct, frozen=True):
    """What is known of an API key; the key itself nobody knows."""

    id: int
    name: str
    partner: str
    scopes: tuple[str, ...]  # names of `Scope`, sorted
    created_at: Instant
    expires_at: Instant | None  # None: never
    revoked_at: Instant | None
    last_used_at: Instant | None  # to the minute
    replaces_id: int | None

    def state_at(self, now: Instant) -> ApiKeyState:
        """Whether it is accepted then."""
        if self.revoked_at is not None:
            return ApiKeyState.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now
        return ApiKeyState.EXPIRED if is_over else ApiKeyState.ACTIVE


def hash_of(key: str) -> str:
    """What the database keeps of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """A random key."""
    return PREFIX + secrets.token_urlsafe(32)


async def derived_key(key_id: int) -> str:
    """The key that this deployment derives for the id: the same every time."""
    context = _DERIVED_CONTEXT + _DERIVED_FACTS.pack(key_id)
    made = hmac.digest(await shared_secret(_SECRET), context, "sha256")
    return PREFIX + base64.urlsafe_b64encode(made).rstrip(b"=").decode()


# ---------------------------------------------------------------- making


async def create_api_key(
    name: str,
    partner: str,
    scopes: Iterable[Scope],
    *,
    expires_at: Instant | None = None,
    key: str | None = None,
) -> CreatedApiKey:
    """`add_api_key` with a random key, or with one that is known beforehand, for demonstrations:
    the same with the same name, partner, scopes and expiry may be given again.

    Raises InvalidInput also for a known key that stands for something else.
    """
    if key is not None and not _FORM.fullmatch(key):
        raise InvalidInput(
            "api_key.key",
            path=("key",),
            accepted=phrase("accepted.key_form"),
        )
    made = new_key() if key is None else key
    key_id = await add_api_key(name, partner, scopes, expires_at=expires_at, key_hash=hash_of(made))
    return CreatedApiKey(key_id, made)


async def add_api_key(
    name: str,
    partner: str,
    scopes: Iterable[Scope],
    *,
    expires_at: Instant | None = None,
    key_hash: str | None = None,
) -> int:
    """Make an API key with these scopes for the partner; its id. Writes; call it inside a
    transaction.

    It is the key that has the hash or, without one, `derived_key` of the id. Raises InvalidInput
    for an empty list of scopes and for values of another form.
    """
    name = rules.valid_name(name)
    if not 1 <= len(partner) <= MAXIMUM_PARTNER_LENGTH or not partner.isprintable():
        raise InvalidInput(
            "api_key.partner",
            path=("partner",),
            value=partner,
            accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_PARTNER_LENGTH),
        )
    granted = " ".join(sorted({scope.value for scope in scopes}))
    if not granted:
        raise InvalidInput("api_key.scopes", path=("scopes",), accepted=phrase("accepted.a_scope"))
    key_id = new_id()
    facts = (name, partner, granted, key_hash or hash_of(await derived_key(key_id)))
    if not await key_queries.add_if_new((key_id, *facts, system_now(), expires_at, None)):
        key_id = await _same_key(facts, expires_at)
    return key_id


async def _same_key(facts: tuple[str, str, str, str], expires_at: Instant | None) -> int:
    found = await key_queries.by_hash(facts[-1])
    view = None if found is None else _view(found)
    name, partner, granted, _ = facts
    if view is None or (view.name, view.partner, " ".join(view.scopes)) != (name, partner, granted):
        raise _taken()
    if (view.expires_at, view.revoked_at) != (expires_at, None):
        raise _taken()
    return view.id


def _taken() -> InvalidInput:
    return InvalidInput("api_key.taken", path=("key",), accepted=phrase("accepted.new_key"))


def expiry_in(days: int) -> Instant:
    """When a key that is made now expires. Raises InvalidInput for more than ten years."""
    if not 1 <= days <= MAXIMUM_LIFETIME_DAYS:
        raise _wrong_expiry(days)
    return Instant(system_now() + days * _DAY)


def valid_expiry(expires_at: Instant) -> Instant:
    """An expiry from now on, and in ten years at the latest. Raises InvalidInput."""
    now = system_now()
    if not now < expires_at <= now + MAXIMUM_LIFETIME_DAYS * _DAY:
        raise _wrong_expiry()
    return expires_at


def _wrong_expiry(value: int | None = None) -> InvalidInput:
    return InvalidInput(
        "api_key.expiry",
        path=("expiresAt",),
        value=value,
        accepted=phrase("accepted.days_ahead", days=MAXIMUM_LIFETIME_DAYS),
    )


# ---------------------------------------------------------------- replacing and ending


class ReplacedApiKey(msgspec.Struct, frozen=True):
    """A key that takes another's place, and the other as it stands now."""

    made: ApiKeyView
    former: ApiKeyView


async def replace_api_key(
    key_id: int, *, overlap_hours: int = DEFAULT_OVERLAP_HOURS, key_hash: str | None = None
) -> ReplacedApiKey:
    """Make a key with the same name, partner, scopes and lifetime; the former one is accepted for
    `overlap_hours` more, or until it expires. Writes; call it inside a transaction.

    It is the key that has the hash or, without one, `derived_key` of its id. Raises NotFound;
    NotAllowed for a key that has ended or has been replaced already; InvalidInput for an overlap
    of less than 0 or more than 720 hours.
    """
    if not 0 <= overlap_hours <= MAXIMUM_OVERLAP_HOURS:
        raise InvalidInput(
            "api_key.overlap",
            path=("overlapHours",),
            value=overlap_hours,
            accepted=phrase("accepted.hours", maximum=MAXIMUM_OVERLAP_HOURS),
        )
    now = system_now()
    former = await api_key(key_id)
    # This also holds the row, so that of two replacements at once the second sees the first.
    if not await key_queries.end_by(key_id, now + overlap_hours * _HOUR, now=now):
        raise NotAllowed("api_key.ended", path=("apiKeyId",))
    changes.note(changes.API_KEY, key_id)
    if await key_queries.has_replacement(key_id, now=now):
        raise NotAllowed("api_key.replaced", path=("apiKeyId",))
    made = await _add_replacement(former, now, key_hash)
    return ReplacedApiKey(await api_key(made), await api_key(key_id))


async def _add_replacement(former: ApiKeyView, now: Instant, key_hash: str | None) -> int:
    made = new_id()
    expires_at = former.expires_at
    await key_queries.add_if_new(
        (
            made,
            former.name,
            former.partner,
            " ".join(former.scopes),
            key_hash or hash_of(await derived_key(made)),
            now,
            None if expires_at is None else now + expires_at - former.created_at,
            former.id,
        )
    )
    return made


async def revoke_api_key(key_id: int) -> bool:
    """End an API key at once. Whether it stood until now. Writes; call it inside a transaction."""
    stood = await key_queries.revoke(key_id, now=system_now())
    if stood:
        changes.note(changes.API_KEY, key_id)
    return stood


# ---------------------------------------------------------------- reading


def _view(row: sql.Row) -> ApiKeyView:
    key_id, name, partner, scopes, _, created, expires, revoked, used, replaces = row
    return ApiKeyView(
        key_id, name, partner, tuple(scopes.split()), created, expires, revoked, used, replaces
    )


async def api_key(key_id: int) -> ApiKeyView:
    """The key with that id. Raises NotFound."""
    found = await find_api_key(key_id)
    if found is None:
        raise NotFound("api_key.not_found", path=("apiKeyId",))
    return found


async def find_api_key(key_id: int) -> ApiKeyView | None:
    """The key with that id, if there is one."""
    row = await key_queries.by_id(key_id)
    return None if row is None else _view(row)


async def api_keys(*, before: int | None = None, limit: int) -> list[ApiKeyView]:
    """The newest keys, or those before the one with that id; the newest first."""
    most = 2**63 - 1 if before is None else before
    return [_view(row) for row in await key_queries.page(before=most, limit=limit)]


class KnownKey(msgspec.Struct, frozen=True):
    """The caller who shows a key, as it was read."""

    principal: Principal
    version: int  # of the key
    last_used_at: Instant | None


async def authenticate_api_key(key: str) -> Principal:
    """Who calls with this key, whose use is noted. Raises AuthenticationFailed."""
    known = await known_by_key(key)
    note_key_use(known.principal.id, known.last_used_at)
    return known.principal


async def known_by_key(key: str) -> KnownKey:
    """Who calls with this key, with one statement. Raises AuthenticationFailed."""
    if not _FORM.fullmatch(key):
        raise AuthenticationFailed("malformed")
    key_hash = hash_of(key)
    found = await key_queries.authenticated(key_hash)
    # The index compared hashes already, whose timing tells nothing of a key; once more, to be sure.
    if found is None or not hmac.compare_digest(found[4], key_hash):
        raise AuthenticationFailed("unknown")
    *columns, version, programme_version = found
    view = _view(columns)
    state = view.state_at(system_now())
    if state is not ApiKeyState.ACTIVE:
        raise AuthenticationFailed("revoked" if state is ApiKeyState.REVOKED else "expired")
    known = {scope.value: scope for scope in Scope}
    principal = Principal(
        PrincipalKind.KEY,
        id=view.id,
        scopes=frozenset(known[name] for name in view.scopes if name in known),
        partner=view.partner,
        expires_at=view.expires_at,
        as_of=AsOf(0, programme_version),
    )
    return KnownKey(principal, version, view.last_used_at)
