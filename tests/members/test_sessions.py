"""Refresh tokens: each works once, a lost answer is forgiven, a thief ends the session."""

import asyncio

import pytest
import time_machine

from server.clock import Instant
from server.errors import SessionRejected
from server.members import keys as key_store
from server.members import service as members
from server.members import tokens
from server.members.service import OpenedSession
from server.refusals import Refusal
from server.storage import sql
from server.storage.database import Address
from tests.members.people import DAY, SECOND, signed_up, staff_session


async def refresh_token(opened: OpenedSession) -> str:
    return (await members.session_tokens(opened)).refresh_token


async def refresh(token: str) -> OpenedSession:
    """The session's next generation, committed; a refusal is raised after the commit."""
    shown = await members.shown_refresh_token(token)
    async with sql.transaction():
        answer = await members.refresh_session(shown)
    if isinstance(answer, Refusal):
        raise answer.error()
    return answer


async def assert_rejected(token: str) -> None:
    with pytest.raises(SessionRejected) as caught:
        await refresh(token)
    assert (caught.value.reason, caught.value.path, caught.value.facts) == (
        "session.rejected",
        (),
        {},
    )


async def is_standing(opened: OpenedSession) -> bool:
    row = await sql.fetch_one("SELECT revoked_at FROM sessions WHERE id = $1", opened.session_id)
    assert row is not None
    return row[0] is None


async def test_a_refresh_begins_the_next_generation(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    clock.shift(3600)
    refreshed = await refresh(await refresh_token(opened))
    assert refreshed == OpenedSession(
        account_id=opened.account_id,
        session_id=opened.session_id,
        generation=2,
        issued_at=Instant(opened.issued_at + 3600 * SECOND),
        member_id=opened.member_id,
        staff_role=None,
    )
    before = await members.session_tokens(opened)
    after = await members.session_tokens(refreshed)
    assert before.refresh_token != after.refresh_token
    assert before.access_token != after.access_token
    assert after.access_token_expires_at - before.access_token_expires_at == 3600 * SECOND
    assert after.refresh_token_expires_at == refreshed.issued_at + 30 * DAY


async def test_staff_stay_staff(keys: Address) -> None:
    opened = await staff_session()
    refreshed = await refresh(await refresh_token(opened))
    assert (refreshed.member_id, refreshed.staff_role) == (None, "MANAGER")


async def test_the_last_refresh_can_be_repeated_for_30_seconds(
    keys: Address, clock: time_machine.Traveller
) -> None:
    first = await refresh_token(await signed_up())
    refreshed = await refresh(first)
    clock.shift(30)
    again = await refresh(first)
    assert again == refreshed
    assert await members.session_tokens(again) == await members.session_tokens(refreshed)
    assert await is_standing(refreshed)


async def test_a_refresh_token_used_again_after_30_seconds_ends_the_session(
    keys: Address, clock: time_machine.Traveller
) -> None:
    first = await refresh_token(await signed_up())
    refreshed = await refresh(first)
    clock.shift(30.000001)
    await assert_rejected(first)
    assert not await is_standing(refreshed)
    await assert_rejected(await refresh_token(refreshed))


async def test_an_older_refresh_token_ends_the_session_at_once(keys: Address) -> None:
    first = await refresh_token(await signed_up())
    second = await refresh_token(await refresh(first))
    third = await refresh(second)
    await assert_rejected(first)
    assert not await is_standing(third)
    await assert_rejected(second)
    await assert_rejected(await refresh_token(third))


async def test_other_sessions_of_the_account_go_on(keys: Address) -> None:
    opened = await signed_up()
    async with sql.transaction():
        other = await members.open_session(opened.account_id, "tablet")
    async with sql.transaction():
        assert await members.sign_out(session_id=opened.session_id)
    await assert_rejected(await refresh_token(opened))
    assert (await refresh(await refresh_token(other))).generation == 2


async def test_a_session_lives_30_days_from_its_last_refresh(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    for generation in (2, 3):
        clock.shift(30 * 86_400 - 1)
        opened = await refresh(await refresh_token(opened))
        assert opened.generation == generation
    clock.shift(30 * 86_400)
    await assert_rejected(await refresh_token(opened))
    assert await is_standing(opened)  # it has expired; nobody was caught


async def test_refreshes_at_once_get_one_generation(keys: Address) -> None:
    first = await refresh_token(await signed_up())
    answers = await asyncio.gather(*(refresh(first) for _ in range(4)))
    assert {answer.generation for answer in answers} == {2}
    assert len({(await members.session_tokens(answer)).access_token for answer in answers}) == 1


async def test_signing_out_ends_the_session_once(keys: Address) -> None:
    opened = await signed_up()
    async with sql.transaction():
        assert await members.sign_out(session_id=opened.session_id)
        assert not await members.sign_out(session_id=opened.session_id)
    await assert_rejected(await refresh_token(opened))


async def test_any_refresh_token_of_a_session_signs_it_out(keys: Address) -> None:
    first = await refresh_token(await signed_up())
    refreshed = await refresh(first)
    async with sql.transaction():
        shown = await members.shown_refresh_token(first)
        assert await members.sign_out(session_id=shown.session_id)
    assert not await is_standing(refreshed)


async def test_what_is_no_refresh_token_of_ours_names_no_session(keys: Address) -> None:
    await signed_up()
    with pytest.raises(SessionRejected):
        await members.shown_refresh_token("A" * 59)


async def test_a_session_or_generation_that_is_not_there_is_refused(keys: Address) -> None:
    opened = await signed_up()
    ring = await key_store.ring()
    unknown = tokens.refresh_token(ring, session_id=1, generation=1)
    ahead = tokens.refresh_token(ring, session_id=opened.session_id, generation=2)
    await assert_rejected(unknown)
    await assert_rejected(ahead)  # as after a database was restored from an older copy
    assert await is_standing(opened)


async def test_the_end_after_a_reuse_is_returned_and_not_raised(keys: Address) -> None:
    token = await refresh_token(await signed_up())
    second = await refresh(token)
    await refresh(await refresh_token(second))
    shown = await members.shown_refresh_token(token)
    async with sql.transaction():
        ended = await members.refresh_session(shown)
    assert isinstance(ended, Refusal)  # to be committed with the session's end
    async with sql.transaction():
        with pytest.raises(SessionRejected):  # now there is nothing to commit
            await members.refresh_session(shown)


async def test_no_token_is_stored(keys: Address) -> None:
    opened = await signed_up()
    made = await members.session_tokens(opened)
    rows = await sql.fetch("SELECT * FROM sessions")
    stored = " ".join(str(value) for row in rows for value in tuple(row))
    assert made.refresh_token not in stored
    assert made.access_token not in stored
