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
from server.storage import changes, sql
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
        opened_at=opened.issued_at,
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


async def test_a_session_ends_180_days_after_the_sign_in_however_often_it_is_refreshed(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    end = opened.issued_at + 180 * DAY
    for _ in range(6):
        clock.shift(29 * 86_400)
        opened = await refresh(await refresh_token(opened))
    made = await members.session_tokens(opened)
    assert made.refresh_token_expires_at == end  # and not 30 days from this refresh
    assert await expiry(opened) == end
    clock.move_to((end - 300 * SECOND) / SECOND)
    last = await refresh(made.refresh_token)
    tokens_of_last = await members.session_tokens(last)
    assert tokens_of_last.refresh_token_expires_at == end
    assert end - SECOND < tokens_of_last.access_token_expires_at <= end
    clock.move_to(end / SECOND - 1.5)
    assert await members.session_stands([opened.session_id]) == {opened.session_id}
    principal = await members.authenticate(f"Bearer {tokens_of_last.access_token}")
    assert principal.expires_at == tokens_of_last.access_token_expires_at
    clock.move_to(end / SECOND)
    await assert_rejected(tokens_of_last.refresh_token)
    assert await members.session_stands([opened.session_id]) == set()
    assert await is_standing(last)  # it has expired; nobody was caught


async def test_a_session_of_more_than_180_days_ends_whatever_expiry_was_stored(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    access = (await members.session_tokens(opened)).access_token
    async with sql.transaction():
        await sql.execute(
            "UPDATE sessions SET created_at = created_at - $1, expires_at = expires_at + $1",
            180 * DAY,
        )
    await assert_rejected(await refresh_token(opened))
    with pytest.raises(members.AuthenticationFailed, match="expired"):
        await members.authenticate(f"Bearer {access}")
    assert await members.session_stands([opened.session_id]) == set()
    page = await members.page_of_sessions(opened.account_id, first=10, before_id=None)
    assert page.sessions == []


async def expiry(opened: OpenedSession) -> int:
    row = await sql.fetch_one("SELECT expires_at FROM sessions WHERE id = $1", opened.session_id)
    assert row is not None
    return int(row[0])


async def test_the_sessions_of_an_account_are_listed_newest_first(
    keys: Address, clock: time_machine.Traveller
) -> None:
    first = await signed_up()
    await signed_up("eve@example.com")
    clock.shift(60)
    second = await opened_on(first.account_id, "tablet")
    clock.shift(60)
    await refresh(await refresh_token(first))
    page = await members.page_of_sessions(first.account_id, first=2, before_id=None)
    assert page == members.SessionPage(
        [
            members.SessionView(
                second.session_id,
                "tablet",
                second.issued_at,
                second.issued_at,
                Instant(second.issued_at + 30 * DAY),
            ),
            members.SessionView(
                first.session_id,
                "phone",
                first.issued_at,
                Instant(first.issued_at + 120 * SECOND),
                Instant(first.issued_at + 120 * SECOND + 30 * DAY),
            ),
        ],
        has_next=False,
    )
    page = await members.page_of_sessions(first.account_id, first=1, before_id=None)
    assert (page.sessions[0].id, page.has_next) == (second.session_id, True)
    rest = await members.page_of_sessions(first.account_id, first=1, before_id=page.sessions[0].id)
    assert (rest.sessions[0].id, rest.has_next) == (first.session_id, False)
    async with sql.transaction():
        await members.sign_out(session_id=second.session_id)
    page = await members.page_of_sessions(first.account_id, first=2, before_id=None)
    assert [view.id for view in page.sessions] == [first.session_id]
    assert await members.session_of(first.account_id, second.session_id) is None


async def opened_on(account_id: int, device_name: str) -> OpenedSession:
    async with sql.transaction():
        return await members.open_session(account_id, device_name)


async def test_which_sessions_stand_is_one_statement_for_all(keys: Address) -> None:
    one = await signed_up()
    others = [await opened_on(one.account_id, f"tablet {number}") for number in range(3)]
    async with sql.transaction():
        await members.sign_out(session_id=others[0].session_id)
    asked = [opened.session_id for opened in (one, *others)]
    with sql.counted_statements() as statements:
        assert await members.session_stands([*asked, 17]) == {asked[0], asked[2], asked[3]}
        assert await members.session_stands([]) == set()
    assert len(statements) == 1


async def test_all_sessions_of_an_account_end_but_the_one_that_is_kept(keys: Address) -> None:
    one, eve = await signed_up(), await signed_up("eve@example.com")
    kept = await opened_on(one.account_id, "tablet")
    async with sql.transaction():
        assert await members.sign_out_everywhere(one.account_id, kept_session_id=kept.session_id)
        assert not await members.sign_out_everywhere(
            one.account_id, kept_session_id=kept.session_id
        )
    await assert_rejected(await refresh_token(one))
    assert await is_standing(kept)
    async with sql.transaction():
        assert await members.sign_out_everywhere(one.account_id) == 1
    assert not await is_standing(kept)
    assert await is_standing(eve)


async def test_the_sessions_of_a_member_are_those_of_merged_duplicates_too(keys: Address) -> None:
    survivor, duplicate, eve = [await signed_up(f"{name}@example.com") for name in "abc"]
    async with sql.transaction():
        await sql.execute(
            "UPDATE members SET merged_into = $1 WHERE id = $2",
            survivor.member_id,
            duplicate.member_id,
        )
    async with sql.transaction():
        assert await members.end_sessions_of_member(survivor.member_id or 0) == 2
    assert not await is_standing(duplicate)
    assert await is_standing(eve)


async def test_every_end_of_a_session_is_announced_after_the_commit(
    keys: Address, clock: time_machine.Traveller
) -> None:
    told: list[changes.Change] = []
    one = await signed_up()
    stolen = await refresh_token(one)
    await refresh(await refresh_token(await refresh(stolen)))
    two, three, four = [await opened_on(one.account_id, name) for name in ("a", "b", "c")]

    def ended(*sessions: OpenedSession) -> list[changes.Change]:
        return sorted((changes.SESSION, opened.session_id) for opened in sessions)

    with changes.announced_to(lambda noted: told.extend(sorted(noted))):
        await assert_rejected(stolen)
        assert told == ended(one)
        async with sql.transaction():
            await members.sign_out(session_id=two.session_id)
            assert told == ended(one)
        assert told == ended(one, two)
        async with sql.transaction():
            await members.revoke_session(three.session_id, account_id=one.account_id)
        async with sql.transaction():
            await members.sign_out_everywhere(one.account_id)
        assert sorted(told) == ended(one, two, three, four)
        async with sql.transaction():  # nothing ends twice
            await members.sign_out_everywhere(one.account_id)
            await members.revoke_session(three.session_id, account_id=one.account_id)
        assert len(told) == 4


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
