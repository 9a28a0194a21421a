"""Who is calling: from the Authorization header to a principal, with one statement."""

from server.members import api_keys, keys, models, tokens
from server.members.errors import AuthenticationFailed
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
        fresh = await keys.ring(maximum_age_seconds=keys.UNKNOWN_KEY_MINIMUM_AGE_SECONDS)
        claims = tokens.read_access_token(fresh, token)
    found = await models.authenticated_session(
        claims.session_id, account_id=claims.account_id, signed_by=claims.key_id
    )
    if found is None:
        raise AuthenticationFailed("unknown")
    member_id, staff_role, session_revoked_at, key_retired_at = found
    if session_revoked_at is not None or key_retired_at is not None:
        raise AuthenticationFailed("revoked")
    return Principal(
        PrincipalKind.MEMBER if staff_role is None else PrincipalKind.STAFF,
        id=claims.account_id,
        member_id=member_id,
        staff_role=None if staff_role is None else StaffRole(staff_role),
        session_id=claims.session_id,
    )
