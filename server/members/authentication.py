"""Who is calling: from the Authorization header to a principal, with one statement.

Who has called before is remembered (`server.members.remembering`): the signature is not checked
again and the caller not looked up again while the versions of the member, the session or key, and
the signing keys are what they were. These are read for every request, in one statement for all
requests at the same time; so whatever ends a session or key counts at once, on every server.
"""

from dataclasses import replace

from server.clock import NEVER, Instant, system_now
from server.members import api_keys, keys, queries, tokens
from server.members.errors import AuthenticationFailed
from server.members.key_uses import note_key_use
from server.members.lifetimes import session_end
from server.members.remembering import REMEMBERED_MICROSECONDS, Known, callers, mark_of
from server.members.tokens import AccessClaims
from server.principal import ANONYMOUS, AsOf, Principal, PrincipalKind, StaffRole
from server.storage import sql, versions
from server.storage.changes import PROGRAMME_VERSION_ID, SIGNING_KEY_VERSION_ID

MAXIMUM_HEADER_LENGTH = 4096
_NO_MEMBER_ID = 0
"""No row's: its version is always 0."""
_SIGNING_KEYS, _PROGRAMME = 2, 3
"""Where their versions stand; before them are those of the member and of the session or key."""


async def authenticate(authorization: str | None) -> Principal:
    """Who calls with this Authorization header: `Bearer` and an access token or an API key.

    Without a header nobody known calls. Raises AuthenticationFailed for credentials that are not
    accepted: a caller who shows some means to be known.
    """
    if authorization is None:
        return ANONYMOUS
    credential = _credential(authorization)
    if sql.in_a_transaction():  # which sees what is not committed, and has no version yet
        known = await _checked(credential)
    else:
        known = await _known(credential)
    if known.principal.kind is PrincipalKind.KEY:
        note_key_use(known.principal.id, known.last_used_at)
    return known.principal


def _credential(authorization: str) -> str:
    scheme, _, credential = authorization.strip().partition(" ")
    credential = credential.strip()
    is_too_long = len(authorization) > MAXIMUM_HEADER_LENGTH
    if scheme.lower() != "bearer" or not credential or is_too_long or not credential.isascii():
        raise AuthenticationFailed("malformed")
    return credential


async def _known(credential: str) -> Known:
    remembered, mark = callers(), mark_of(credential)
    known = remembered.find(mark)
    claims: AccessClaims | None = None
    if known is not None:
        found = await versions.current(known.ids)
        if known.since <= system_now() < known.until:
            if found == known.versions:
                return known
            if found[:_PROGRAMME] == known.versions[:_PROGRAMME]:
                return _with_programme(known, found)
            if found[_SIGNING_KEYS] == known.versions[_SIGNING_KEYS]:
                claims = known.claims
        remembered.forget(mark)
    fresh = await _checked(credential, claims)
    remembered.remember(mark, fresh)
    return fresh


def _with_programme(known: Known, found: tuple[int, ...]) -> Known:
    """The same caller, while another programme counts."""
    as_of = AsOf(found[0], found[_PROGRAMME])
    known.principal, known.versions = replace(known.principal, as_of=as_of), found
    return known


async def _checked(credential: str, claims: AccessClaims | None = None) -> Known:
    """The caller as the database has it now; `claims` are what the access token says, if that
    was checked before."""
    if credential.startswith(api_keys.PREFIX):
        return await _checked_key(credential)
    return await _checked_session(claims or await _claims(credential))


async def _checked_key(key: str) -> Known:
    since = system_now()
    found = await api_keys.known_by_key(key)
    principal = found.principal
    assert principal.as_of is not None
    return Known(
        principal,
        (_NO_MEMBER_ID, principal.id, _NO_MEMBER_ID, PROGRAMME_VERSION_ID),
        (0, found.version, 0, principal.as_of.programme),
        since,
        Instant(min(since + REMEMBERED_MICROSECONDS, principal.expires_at or NEVER)),
        last_used_at=found.last_used_at,
    )


async def _claims(token: str) -> AccessClaims:
    try:
        return tokens.read_access_token(await keys.ring(), token)
    except tokens.UnknownKey:
        # Another process may have made the key; ask again, but not for every made-up name.
        fresh = await keys.ring(maximum_age_seconds=keys.MAXIMUM_AGE_SECONDS)
        return tokens.read_access_token(fresh, token)


async def _checked_session(claims: AccessClaims) -> Known:
    found = await queries.authenticated(
        claims.session_id, account_id=claims.account_id, signed_by=claims.key_id
    )
    if found is None:
        raise AuthenticationFailed("unknown")
    member_id, locale, staff_role, opened_at, expires_at, revoked_at, key_retired_at, *seen = found
    now = system_now()
    if revoked_at is not None or (key_retired_at is not None and key_retired_at <= now):
        raise AuthenticationFailed("revoked")
    ends_at = Instant(min(claims.expires_at, expires_at, session_end(opened_at)))
    if ends_at <= now:
        raise AuthenticationFailed("expired")
    principal = Principal(
        PrincipalKind.MEMBER if staff_role is None else PrincipalKind.STAFF,
        id=claims.account_id,
        member_id=member_id,
        staff_role=None if staff_role is None else StaffRole(staff_role),
        session_id=claims.session_id,
        locale=locale,
        expires_at=ends_at,
        as_of=AsOf(seen[0], seen[_PROGRAMME]),
    )
    member = _NO_MEMBER_ID if member_id is None else member_id
    ids = (member, claims.session_id, SIGNING_KEY_VERSION_ID, PROGRAMME_VERSION_ID)
    until = Instant(min(ends_at, key_retired_at or NEVER, now + REMEMBERED_MICROSECONDS))
    return Known(principal, ids, tuple(seen), now, until, claims)
