"""Sessions: one sign-in on one device, kept alive by refresh tokens that each work once.

A device that never got the answer to its refresh may repeat it for half a minute. Any other use of
an old refresh token means that two hold the session, the owner and a thief: it ends for both
(RFC 9700, section 4.14.2).
"""

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import CredentialsRejected, SessionRejected
from server.members import keys, models, rules, tokens
from server.members.tokens import OpenedSession, SessionTokens
from server.storage import sql
from server.storage.ids import new_id

GRACE_SECONDS = 30
FIRST_GENERATION = 1


async def open_session(account_id: int, device_name: str | None = None) -> OpenedSession:
    """Open a session for the account. Whoever calls has checked that it's the owner.

    Raises CredentialsRejected if there is no such account and InvalidInput for the device's name.
    """
    name = rules.valid_device_name(device_name)
    found = await models.account(account_id)
    if found is None:
        raise CredentialsRejected("credentials.rejected")
    _password_hash, member_id, staff_role = found
    now = system_now()
    session_id = new_id()
    expires_at = tokens.refresh_token_expiry(now)
    await models.add_session((session_id, account_id, FIRST_GENERATION, name, now, now, expires_at))
    return OpenedSession(account_id, session_id, FIRST_GENERATION, now, member_id, staff_role)


async def refresh_session(refresh_token: str) -> OpenedSession:
    """The session's next generation, for new tokens; the same again if it is asked for again soon.

    Raises SessionRejected if the token is not ours, or the session has expired or was ended; and
    if the token was used before, in which case the session is ended. Opens its own transaction and
    can't run inside another: that end must be kept although the request is refused.
    """
    if sql.in_a_transaction():
        raise RuntimeError("refresh_session opens its own transaction")
    session_id, generation = tokens.read_refresh_token(await keys.ring(), refresh_token)
    async with sql.transaction():
        opened = await _next_generation(session_id, generation)
    if opened is None:
        raise SessionRejected("session.rejected")
    return opened


async def _next_generation(session_id: int, generation: int) -> OpenedSession | None:
    """The session after the refresh, or None for a refusal, which may have ended it."""
    now = system_now()
    rotated = await models.rotate_session(
        session_id,
        generation=generation,
        now=now,
        expires_at=tokens.refresh_token_expiry(now),
    )
    found = await models.session(session_id)
    if found is None:
        return None
    current, rotated_at, expires_at, revoked_at, account_id, member_id, staff_role = found
    if revoked_at is not None or expires_at <= now or generation > current:
        return None
    is_repeated = (
        generation == current - 1 and now - rotated_at <= GRACE_SECONDS * MICROSECONDS_PER_SECOND
    )
    if not rotated and not is_repeated:
        await models.revoke_session(session_id, now=now)
        return None
    return OpenedSession(
        account_id, session_id, current, Instant(rotated_at), member_id, staff_role
    )


async def sign_out(*, session_id: int) -> bool:
    """End the session: its tokens are refused from now on. Whether it stood until now."""
    return await models.revoke_session(session_id, now=system_now())


async def sign_out_with(refresh_token: str) -> bool:
    """End the session that the refresh token belongs to, however old it is.

    Raises SessionRejected if the token is not ours.
    """
    session_id, _generation = tokens.read_refresh_token(await keys.ring(), refresh_token)
    return await sign_out(session_id=session_id)


async def session_tokens(opened: OpenedSession) -> SessionTokens:
    """The tokens of an opened session: for the same facts the same tokens, to the byte."""
    ring = await keys.ring(maximum_age_seconds=keys.SIGNING_MAXIMUM_AGE_SECONDS)
    return tokens.tokens_of(ring, opened)
