"""Callers are remembered only for as long as nothing that they hang on has changed."""

from collections.abc import Awaitable, Callable

import pytest
import time_machine

from server.clock import Instant
from server.members import keys as key_store
from server.members import service as members
from server.members.errors import AuthenticationFailed
from server.members.key_uses import noting_key_uses
from server.members.remembering import REMEMBERED_MICROSECONDS, Callers, Known, callers, mark_of
from server.members.service import OpenedSession
from server.principal import AsOf, Principal, PrincipalKind
from server.storage import changes, sql
from server.storage.database import Address
from tests.members.people import SECOND, signed_up, staff_session
from tests.members.test_authentication import START_INSTANT, till_key

KEY = "laurel_remembered_key_0123456789"


async def header_of(opened: OpenedSession) -> str:
    """The Authorization header of the session."""
    return f"Bearer {(await members.session_tokens(opened)).access_token}"


async def refused(authorization: str) -> str:
    """Why the credentials are refused."""
    with pytest.raises(AuthenticationFailed) as caught:
        await members.authenticate(authorization)
    return caught.value.reason


async def noted(topic: str, number: int) -> None:
    """Something changed."""
    async with sql.transaction():
        changes.note(topic, number)


def without_checking(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nobody's credentials can be checked."""

    async def fail(*_given: object, **_named: object) -> None:
        raise AssertionError("was looked up")

    monkeypatch.setattr("server.members.queries.authenticated", fail)
    monkeypatch.setattr("server.members.key_queries.authenticated", fail)
    monkeypatch.setattr("server.members.tokens.read_access_token", fail)


async def test_who_calls_again_is_known_by_the_versions_alone(
    keys: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, staff = await header_of(await signed_up()), await header_of(await staff_session())
    await till_key(KEY)
    shown = [member, staff, f"Bearer {KEY}"]
    first = [await members.authenticate(one) for one in shown]
    without_checking(monkeypatch)
    again = [await members.authenticate(one) for one in shown]
    assert again == first
    assert [one.as_of for one in again] == [one.as_of for one in first]


async def test_what_is_remembered_is_no_secret(keys: Address) -> None:
    header = await header_of(await signed_up())
    await members.authenticate(header)
    token = header.removeprefix("Bearer ")
    known = callers().find(mark_of(token))
    assert known is not None
    assert token not in repr(known)
    assert token.rpartition(".")[2] not in repr(known)


async def test_what_is_refused_is_not_remembered(keys: Address) -> None:
    opened = await signed_up()
    header = await header_of(opened)
    async with sql.transaction():
        await members.sign_out(session_id=opened.session_id)
    for _ in range(3):
        assert await refused(header) == "revoked"
        assert await refused("Bearer " + "x" * 40) == "malformed"
    assert len(callers()) == 0


async def _sign_out(who: OpenedSession) -> None:
    await members.sign_out(session_id=who.session_id)


async def _sign_out_everywhere(who: OpenedSession) -> None:
    await members.sign_out_everywhere(who.account_id)


async def _end_sessions(who: OpenedSession) -> None:
    assert who.member_id is not None
    await members.end_sessions_of_member(who.member_id)


async def _reuse_refresh_token(who: OpenedSession) -> None:
    for generation in (1, 2, 1):
        shown = members.ShownRefreshToken(who.session_id, generation)
        await members.refresh_session(shown)


async def _compromise(_who: OpenedSession) -> None:
    await members.rotate_signing_key(is_compromised=True)


@pytest.mark.parametrize(
    "end", [_sign_out, _sign_out_everywhere, _end_sessions, _reuse_refresh_token, _compromise]
)
async def test_a_session_that_ends_is_refused_at_once(
    keys: Address, end: Callable[[OpenedSession], Awaitable[None]]
) -> None:
    opened = await signed_up()
    header = await header_of(opened)
    await members.authenticate(header)
    async with sql.transaction():
        await end(opened)
        # Who asks within the transaction is told what it has written.
        assert await refused(header) == "revoked"
    assert await refused(header) == "revoked"


async def test_an_end_that_is_rolled_back_is_none(keys: Address) -> None:
    opened = await signed_up()
    header = await header_of(opened)
    known = await members.authenticate(header)

    async def give_up() -> None:
        async with sql.transaction():
            await members.sign_out(session_id=opened.session_id)
            assert await refused(header) == "revoked"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up()
    assert await members.authenticate(header) == known


async def test_a_key_that_is_revoked_is_refused_at_once(keys: Address) -> None:
    created = await till_key(KEY)
    assert (await members.authenticate(f"Bearer {KEY}")).id == created.id
    async with sql.transaction():
        await members.revoke_api_key(created.id)
    assert await refused(f"Bearer {KEY}") == "revoked"


async def test_a_key_that_is_replaced_ends_when_its_overlap_does(
    keys: Address, clock: time_machine.Traveller
) -> None:
    created = await till_key(KEY)
    assert (await members.authenticate(f"Bearer {KEY}")).expires_at is None
    async with sql.transaction():
        await members.replace_api_key(created.id, overlap_hours=1)
    ends_at = Instant(START_INSTANT + 3_600 * SECOND)
    assert (await members.authenticate(f"Bearer {KEY}")).expires_at == ends_at
    clock.shift(3_600)
    assert await refused(f"Bearer {KEY}") == "expired"


async def test_what_expires_is_refused_on_time(
    keys: Address, clock: time_machine.Traveller
) -> None:
    header = await header_of(await signed_up())
    until = (await members.authenticate(header)).expires_at
    assert until is not None
    clock.move_to((until - 1) / SECOND)
    await members.authenticate(header)
    clock.move_to(until / SECOND)
    assert await refused(header) == "expired"


async def test_a_signing_key_that_is_retired_ends_its_tokens_on_time(
    keys: Address, clock: time_machine.Traveller
) -> None:
    header = await header_of(await signed_up())
    await members.authenticate(header)
    (pair,) = (await key_store.ring()).pairs
    async with sql.transaction():
        await sql.execute(
            "UPDATE signing_keys SET retired_at = $1 WHERE key_id = $2",
            START_INSTANT + 60 * SECOND,
            pair.key_id,
        )
        changes.note(changes.SIGNING_KEY, 0)
    clock.shift(59)
    await members.authenticate(header)
    clock.shift(1)
    assert await refused(header) == "revoked"


async def test_nobody_is_remembered_for_longer_than_a_token_lives(
    keys: Address, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till_key(KEY)
    await members.authenticate(f"Bearer {KEY}")
    without_checking(monkeypatch)
    clock.shift(REMEMBERED_MICROSECONDS / SECOND - 1)
    await members.authenticate(f"Bearer {KEY}")
    clock.shift(1)
    with pytest.raises(AssertionError):
        await members.authenticate(f"Bearer {KEY}")


async def test_a_clock_that_is_set_back_has_the_caller_checked_again(
    keys: Address, clock: time_machine.Traveller
) -> None:
    header = await header_of(await signed_up())
    await members.authenticate(header)
    clock.shift(-60)
    assert await refused(header) == "malformed"  # made in the future


async def test_a_caller_carries_the_versions_of_the_request(
    keys: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await signed_up()
    assert opened.member_id is not None
    header = await header_of(opened)
    first = (await members.authenticate(header)).as_of
    assert first is not None
    await noted(changes.MEMBER, opened.member_id)
    second = (await members.authenticate(header)).as_of
    assert second == AsOf(first.member + 1, first.programme)
    without_checking(monkeypatch)
    await noted(changes.PROGRAMME, 0)
    third = (await members.authenticate(header)).as_of
    assert third == AsOf(first.member + 1, first.programme + 1)


async def test_a_change_of_the_member_needs_no_signature_checked(
    keys: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await signed_up()
    assert opened.member_id is not None
    header = await header_of(opened)
    await members.authenticate(header)

    def fail(*_given: object) -> None:
        raise AssertionError("was checked")

    monkeypatch.setattr("server.members.tokens.read_access_token", fail)
    async with sql.transaction():
        await members.update_profile(opened.member_id, locale="lv")
    assert (await members.authenticate(header)).locale == "lv"
    await noted(changes.SIGNING_KEY, 0)
    with pytest.raises(AssertionError):
        await members.authenticate(header)


async def test_uses_of_a_remembered_key_are_noted_by_the_minute(
    keys: Address, clock: time_machine.Traveller
) -> None:
    created = await till_key(KEY)
    async with noting_key_uses():
        await members.authenticate(f"Bearer {KEY}")
        clock.shift(60)
        await members.authenticate(f"Bearer {KEY}")
    minute = 60 * SECOND
    row = await sql.fetch_one("SELECT last_used_at FROM api_keys WHERE id = $1", created.id)
    assert row is not None
    assert row[0] == (START_INSTANT // minute + 1) * minute


def test_the_callers_that_did_not_call_for_longest_are_forgotten() -> None:
    remembered = Callers(capacity=3)
    known = Known(Principal(PrincipalKind.KEY, 1), (), (), Instant(0), Instant(1))
    for number in range(3):
        remembered.remember(bytes([number]), known)
    for number in range(3, 60):
        remembered.remember(bytes([number]), known)
        assert remembered.find(bytes([0])) is known  # who calls again and again
        assert len(remembered) <= 6
    assert remembered.find(bytes([1])) is None
    assert remembered.find(bytes([59])) is known
    remembered.forget(bytes([59]))
    assert remembered.find(bytes([59])) is None
