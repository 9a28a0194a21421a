"""Sessions: one sign-in on one device, kept alive by refresh tokens that each work once.

A session lives 30 days from its last refresh and 180 days from the sign-in. A device that never
got the answer to its refresh may repeat it: with the same idempotency key for ever, as any request,
and with another key for half a minute. Any other use of an old refresh token means that two hold
the session, the owner and a thief: it ends for both (RFC 9700, section 4.14.2).

Each request asks the database whether its session stands, so that an end counts at once, on every
server.
"""

from collections.abc import Iterable

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import CredentialsRejected, NotFound, SessionRejected
from server.members import keys, models, queries, rules, tokens
from server.members.lifetimes import REFRESH_GRACE_SECONDS, refresh_token_expiry, session_end
from server.members.tokens import OpenedSession, SessionTokens, ShownRefreshToken
from server.refusals import Refusal
from server.storage import changes, sql
from server.storage.ids import new_id

FIRST_GENERATION = 1
_LATEST_ID = 2**63 - 1


class SessionView(msgspec.Struct, frozen=True):
    """A session as its owner sees it."""

    id: int
    device_name: str | None
    created_at: Instant
    last_used_at: Instant  # the sign-in or the last refresh
    expires_at: Instant  # unless it is refreshed or ended before


class SessionPage(msgspec.Struct, frozen=True):
    """Some sessions of an account, the newest first."""

    sessions: list[SessionView]
    has_next: bool


# ---------------------------------------------------------------- opening and refreshing


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
    expires_at = refresh_token_expiry(now, opened_at=now)
    await queries.add((session_id, account_id, FIRST_GENERATION, name, now, now, expires_at))
    return OpenedSession(
        account_id, session_id, FIRST_GENERATION, now, member_id, staff_role, opened_at=now
    )


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
    rotated = await queries.rotate(
        shown.session_id,
        generation=shown.generation,
        now=now,
        expires_at=refresh_token_expiry(now, opened_at=now),
    )
    stored = await _stored(shown.session_id)
    if stored is None or not stored.stands(now) or shown.generation > stored.opened.generation:
        raise SessionRejected("session.rejected")
    if rotated or stored.is_repeated(shown, now):
        return stored.opened
    await _end(shown.session_id, now)
    return Refusal.of(SessionRejected("session.rejected"))


class _Stored(msgspec.Struct, frozen=True):
    """A session as it stands in the database."""

    opened: OpenedSession
    expires_at: Instant
    revoked_at: Instant | None

    def stands(self, now: Instant) -> bool:
        """Whether it goes on."""
        return self.revoked_at is None and now < self.expires_at

    def is_repeated(self, shown: ShownRefreshToken, now: Instant) -> bool:
        """Whether the token is the one before the present, which was used just now."""
        age = now - self.opened.issued_at
        is_soon = age <= REFRESH_GRACE_SECONDS * MICROSECONDS_PER_SECOND
        return is_soon and shown.generation == self.opened.generation - 1


async def _stored(session_id: int) -> _Stored | None:
    found = await queries.session(session_id)
    if found is None:
        return None
    generation, created_at, rotated_at, expires_at, revoked_at, *who = found
    account_id, member_id, staff_role = who
    opened = OpenedSession(
        account_id, session_id, generation, rotated_at, member_id, staff_role, created_at
    )
    return _Stored(opened, min(expires_at, session_end(created_at)), revoked_at)


async def session_tokens(opened: OpenedSession) -> SessionTokens:
    """The tokens of an opened session: for the same facts the same tokens, to the byte."""
    ring = await keys.ring(maximum_age_seconds=keys.MAXIMUM_AGE_SECONDS)
    return tokens.tokens_of(ring, opened)


# ---------------------------------------------------------------- looking


async def account_of_refresh_token(shown: ShownRefreshToken) -> int:
    """Whose session the refresh token keeps alive. Raises SessionRejected if it does so no more."""
    now = system_now()
    stored = await _stored(shown.session_id)
    is_present = stored is not None and (
        shown.generation == stored.opened.generation or stored.is_repeated(shown, now)
    )
    if stored is None or not is_present or not stored.stands(now):
        raise SessionRejected("session.rejected")
    return stored.opened.account_id


async def page_of_sessions(account_id: int, *, first: int, before_id: int | None) -> SessionPage:
    """The account's sessions that stand, the newest first, from before that id on."""
    rows = await queries.page(
        account_id,
        before_id=_LATEST_ID if before_id is None else before_id,
        now=system_now(),
        limit=first + 1,
    )
    return SessionPage([_view(row) for row in rows[:first]], has_next=len(rows) > first)


async def session_of(account_id: int, session_id: int) -> SessionView | None:
    """The account's session of that id, if it stands."""
    if session_id not in await session_stands([session_id]):
        return None
    found = await queries.one(session_id, account_id=account_id)
    return None if found is None else _view(found)


def _view(row: sql.Row) -> SessionView:
    session_id, device_name, created_at, rotated_at, expires_at = row
    end = min(expires_at, session_end(created_at))
    return SessionView(session_id, device_name, created_at, rotated_at, Instant(end))


async def session_stands(session_ids: list[int]) -> set[int]:
    """Those of the sessions that go on, neither ended nor expired; one statement for all."""
    if not session_ids:
        return set()
    return {row[0] for row in await queries.standing(session_ids, now=system_now())}


# ---------------------------------------------------------------- ending


async def sign_out(*, session_id: int) -> bool:
    """End the session: its tokens are refused from now on. Whether it stood until now."""
    return await _end(session_id, system_now())


async def revoke_session(session_id: int, *, account_id: int) -> bool:
    """End one of the account's sessions; whether it stood until now.

    Raises NotFound for the session of another account, as for one that does not exist.
    """
    if await queries.one(session_id, account_id=account_id) is None:
        raise NotFound("session.not_found")
    return await _end(session_id, system_now())


async def sign_out_everywhere(account_id: int, *, kept_session_id: int | None = None) -> int:
    """End all sessions of the account, or all but one; how many stood until now."""
    ended = await queries.revoke_all(account_id, kept_id=kept_session_id or 0, now=system_now())
    _announce(row[0] for row in ended)
    return len(ended)


async def end_sessions_of_member(member_id: int) -> int:
    """End all sessions of the member, and of those merged into them; how many stood until now."""
    accounts = await queries.accounts_of(member_id)
    return sum([await sign_out_everywhere(account_id) for (account_id,) in accounts])


async def _end(session_id: int, now: Instant) -> bool:
    stood = await queries.revoke(session_id, now=now)
    if stood:
        _announce([session_id])
    return stood


def _announce(session_ids: Iterable[int]) -> None:
    """Tell the servers, after the commit, whose open connections end with these sessions."""
    for session_id in session_ids:
        changes.note(changes.SESSION, session_id)
