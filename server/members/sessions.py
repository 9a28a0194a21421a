"""Sessions: one sign-in on one device, kept alive by refresh tokens that each work once.

A device that never got the answer to its refresh may repeat it: with the same idempotency key for
ever, as any request, and with another key for half a minute. Any other use of an old refresh token
means that two hold the session, the owner and a thief: it ends for both (RFC 9700, section 4.14.2).
"""

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import CredentialsRejected, SessionRejected
from server.members import keys, models, rules, tokens
from server.members.tokens import OpenedSession, SessionTokens, ShownRefreshToken
from server.refusals import Refusal
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


async def shown_refresh_token(token: str) -> ShownRefreshToken:
    """What the refresh token says. Raises SessionRejected if it's not ours."""
    return tokens.read_refresh_token(await keys.ring(), token)


async def refresh_session(shown: ShownRefreshToken) -> OpenedSession | Refusal:
    """The session's next generation, for new tokens; the same again if it is asked for again soon.

    In the transaction. Raises SessionRejected, having written nothing, if the session has expired
    or was ended. If the token was used before, it ends the session and returns the refusal, so
    that the end is committed.
    """
    now = system_now()
    rotated = await models.rotate_session(
        shown.session_id,
        generation=shown.generation,
        now=now,
        expires_at=tokens.refresh_token_expiry(now),
    )
    found = await models.session(shown.session_id)
    rejected = SessionRejected("session.rejected")
    if found is None:
        raise rejected
    current, rotated_at, expires_at, revoked_at, account_id, member_id, staff_role = found
    if revoked_at is not None or expires_at <= now or shown.generation > current:
        raise rejected
    is_repeated = (
        shown.generation == current - 1
        and now - rotated_at <= GRACE_SECONDS * MICROSECONDS_PER_SECOND
    )
    if not rotated and not is_repeated:
        await models.revoke_session(shown.session_id, now=now)
        return Refusal.of(rejected)
    return OpenedSession(
        account_id, shown.session_id, current, Instant(rotated_at), member_id, staff_role
    )


async def sign_out(*, session_id: int) -> bool:
    """End the session: its tokens are refused from now on. Whether it stood until now."""
    return await models.revoke_session(session_id, now=system_now())


async def session_tokens(opened: OpenedSession) -> SessionTokens:
    """The tokens of an opened session: for the same facts the same tokens, to the byte."""
    ring = await keys.ring(maximum_age_seconds=keys.SIGNING_MAXIMUM_AGE_SECONDS)
    return tokens.tokens_of(ring, opened)
