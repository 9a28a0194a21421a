"""Who is calling: from the Authorization header to a principal, with one statement."""

from server.clock import Instant, system_now
from server.members import api_keys, keys, queries, tokens
from server.members.errors import AuthenticationFailed
from server.members.lifetimes import session_end
from server.principal import ANONYMOUS, Principal, PrincipalKind, StaffRole

MAXIMUM_HEADER_LENGTH = 4096


async def authenticate(authorization: str | None) -> Principal:
    """Who calls with this Authorization header: `Bearer` and an access token or an API key.

    Without a header nobody known calls. Raises AuthenticationFailed for credentials that are not
    accepted: a caller who shows some means to be known.
    """
    if authorization is None:
        return ANONYMOUS
    scheme, _, credential = authorization.strip().partition(" ")
    credential = credential.strip()
    is_too_long = len(authorization) > MAXIMUM_HEADER_LENGTH
    if scheme.lower() != "bearer" or not credential or is_too_long or not credential.isascii():
        raise AuthenticationFailed("malformed")
    if credential.startswith(api_keys.PREFIX):
        return await api_keys.authenticate_api_key(credential)
    return await _authenticate_access_token(credential)


async def _authenticate_access_token(token: str) -> Principal:
    try:
        claims = tokens.read_access_token(await keys.ring(), token)
    except tokens.UnknownKey:
        # Another process may have made the key; ask again, but not for every made-up name.
        fresh = await keys.ring(maximum_age_seconds=keys.MAXIMUM_AGE_SECONDS)
        claims = tokens.read_access_token(fresh, token)
    found = await queries.authenticated(
        claims.session_id, account_id=claims.account_id, signed_by=claims.key_id
    )
    if found is None:
        raise AuthenticationFailed("unknown")
    member_id, locale, staff_role, opened_at, expires_at, revoked_at, key_retired_at = found
    now = system_now()
    if revoked_at is not None or (key_retired_at is not None and key_retired_at <= now):
        raise AuthenticationFailed("revoked")
    ends_at = Instant(min(claims.expires_at, expires_at, session_end(opened_at)))
    if ends_at <= now:
        raise AuthenticationFailed("expired")
    return Principal(
        PrincipalKind.MEMBER if staff_role is None else PrincipalKind.STAFF,
        id=claims.account_id,
        member_id=member_id,
        staff_role=None if staff_role is None else StaffRole(staff_role),
        session_id=claims.session_id,
        locale=locale,
        expires_at=ends_at,
    )
