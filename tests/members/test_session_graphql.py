"""Refreshing and ending sessions over the schema: once, whoever repeats it and how often."""

import asyncio
from typing import Any

import pytest
import time_machine

from server.members import service as members
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage import sql
from server.storage.database import Address
from tests.members.people import count
from tests.members.schema import ADA, SESSION_REJECTED, call, caller_of, code, execute, signed_up


async def test_a_refresh_works_once_and_with_other_keys_for_30_seconds(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await signed_up())["refreshToken"]
    refreshed = await call("refreshSession", key="k1", refreshToken=token)
    assert refreshed["__typename"] == "Session"
    clock.shift(30)
    assert await call("refreshSession", key="k2", refreshToken=token) == refreshed
    clock.shift(1)
    assert await call("refreshSession", key="k3", refreshToken=token) == SESSION_REJECTED
    latest = refreshed["refreshToken"]
    assert await call("refreshSession", key="k4", refreshToken=latest) == SESSION_REJECTED


async def test_a_repeated_refresh_answers_the_same_bytes_for_ever(
    keys: Address, clock: time_machine.Traveller
) -> None:
    session = await signed_up()
    caller = await caller_of(session)
    token = session["refreshToken"]

    async def refreshed(principal: Principal = ANONYMOUS) -> dict[str, Any]:
        return await call("refreshSession", principal, key="k1", refreshToken=token)

    first = await refreshed(caller)  # the access token may be sent as well, or not
    clock.shift(31)
    assert await refreshed() == first
    latest = await call("refreshSession", key="k2", refreshToken=first["refreshToken"])
    assert latest["__typename"] == "Session"
    clock.shift(31)
    assert await refreshed() == first  # and nobody was caught:
    assert (await caller_of(latest)).session_id == caller.session_id
    ended = await call("signOut", refreshToken=latest["refreshToken"])
    assert ended == {"__typename": "SignedOut", "wasActive": True}
    assert await refreshed() == first
    clock.shift(40 * 86_400)
    assert await refreshed() == first


@pytest.mark.parametrize("key_count", [1, 4])
async def test_the_same_refresh_at_once_is_one_refresh(keys: Address, key_count: int) -> None:
    token = (await signed_up())["refreshToken"]
    answers = await asyncio.gather(
        *(
            call("refreshSession", key=f"k{number % key_count}", refreshToken=token)
            for number in range(4)
        )
    )
    assert answers[0]["__typename"] == "Session"
    assert all(answer == answers[0] for answer in answers)
    assert await sql.fetch("SELECT generation FROM sessions") == [(2,)]
    assert await count("idempotency_records") == 1 + key_count


async def test_a_session_that_ended_after_a_reuse_stays_ended(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await signed_up())["refreshToken"]
    refreshed = await call("refreshSession", key="owner", refreshToken=token)
    clock.shift(31)
    for _ in range(2):
        assert await call("refreshSession", key="thief", refreshToken=token) == SESSION_REJECTED
    assert await count("sessions") == 1
    assert await sql.fetch("SELECT id FROM sessions WHERE revoked_at IS NULL") == []
    with pytest.raises(members.AuthenticationFailed, match="revoked"):
        await caller_of(refreshed)
    answer = await execute("refreshSession", {"idempotencyKey": "thief", "refreshToken": token})
    assert answer.data["refreshSession"] == SESSION_REJECTED
    assert await call("refreshSession", key="owner", refreshToken=token) == refreshed


async def test_a_refusal_that_ends_nothing_leaves_the_key_unused(keys: Address) -> None:
    token = (await signed_up())["refreshToken"]
    await call("signOut", refreshToken=token)
    before = await count("idempotency_records")
    assert await call("refreshSession", refreshToken=token) == SESSION_REJECTED
    assert await call("refreshSession", refreshToken="A" * 59) == SESSION_REJECTED
    assert await count("idempotency_records") == before


async def test_another_refresh_token_of_the_session_under_the_same_key_conflicts(
    keys: Address,
) -> None:
    first = (await signed_up())["refreshToken"]
    second = (await call("refreshSession", refreshToken=first))["refreshToken"]
    for name in ("refreshSession", "signOut"):
        await call(name, refreshToken=first)
        conflict = await call(name, refreshToken=second)
        assert conflict["__typename"] == "IdempotencyConflict"
    assert await sql.fetch("SELECT generation FROM sessions") == [(2,)]


async def test_the_same_key_for_two_sessions_is_two_requests(keys: Address) -> None:
    one = (await signed_up())["refreshToken"]
    other = (await call("signIn", **ADA))["refreshToken"]
    refreshed = [
        await call("refreshSession", key="1", refreshToken=token) for token in (one, other)
    ]
    assert {session["__typename"] for session in refreshed} == {"Session"}
    assert refreshed[0] != refreshed[1]
    for token in (one, other):
        answer = await call("signOut", key="1", refreshToken=token)
        assert answer == {"__typename": "SignedOut", "wasActive": True}


@pytest.mark.parametrize("name", ["refreshSession", "signOut"])
@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_key_that_is_none_is_named(keys: Address, name: str, key: str) -> None:
    token = (await signed_up())["refreshToken"]
    answer = await call(name, key=key, refreshToken=token)
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", ["input", "idempotencyKey"])
    assert await sql.fetch("SELECT generation, revoked_at FROM sessions") == [(1, None)]


async def test_signing_out_ends_the_callers_session(keys: Address) -> None:
    session = await signed_up()
    caller = await caller_of(session)
    for key, was_active in (("k1", True), ("k1", True), ("k2", False)):
        assert await call("signOut", caller, key=key) == {
            "__typename": "SignedOut",
            "wasActive": was_active,
        }
    with pytest.raises(members.AuthenticationFailed, match="revoked"):
        await caller_of(session)


async def test_a_key_that_was_used_on_one_device_does_not_seem_to_sign_out_another(
    keys: Address,
) -> None:
    phone = await caller_of(await signed_up())
    tablet = await caller_of(await call("signIn", **ADA))
    assert (await call("signOut", phone, key="1"))["wasActive"]
    assert (await call("signOut", tablet, key="1"))["__typename"] == "IdempotencyConflict"
    assert (await call("signOut", tablet, key="2"))["wasActive"]


async def test_a_refresh_token_signs_out_without_an_access_token(keys: Address) -> None:
    session = await signed_up()
    token = session["refreshToken"]
    for caller in (await caller_of(session), ANONYMOUS):  # sent again when it was refused as ended
        answer = await call("signOut", caller, refreshToken=token)
        assert answer == {"__typename": "SignedOut", "wasActive": True}
    answer = await call("signOut", key="k2", refreshToken=token)
    assert answer == {"__typename": "SignedOut", "wasActive": False}
    assert await call("signOut", refreshToken="x") == SESSION_REJECTED


async def test_nobody_known_has_no_session_to_end(keys: Address) -> None:
    given = {"idempotencyKey": "k"}
    assert await code("signOut", given) == "UNAUTHENTICATED"
    key = Principal(PrincipalKind.KEY, id=1)
    assert await code("signOut", given, key) == "FORBIDDEN"
