"""Refreshing and ending sessions over the schema: once, whoever repeats it and how often."""

import asyncio
from typing import Any

import pytest
import time_machine

from server.edge.context import Context
from server.edge.nodes import global_id
from server.members import service as members
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage import sql
from server.storage.database import Address
from tests.members.people import count
from tests.members.schema import (
    ADA,
    SCHEMA,
    SESSION_REJECTED,
    call,
    caller_of,
    code,
    execute,
    signed_up,
)


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


# ---------------------------------------------------------------- one's own sessions

LIST = """
    query ($first: Int, $after: String) {
        sessions(first: $first, after: $after) {
            nodes { id deviceName createdAt lastUsedAt expiresAt isCurrent }
            pageInfo { hasNextPage endCursor }
        }
    }
"""


async def listed(caller: Principal, **variables: Any) -> dict[str, Any]:
    given = {"first": 20, "after": None, **variables}
    answer = await SCHEMA.execute(LIST, given, Context(principal=caller))
    assert answer.errors is None, answer.errors
    assert answer.data is not None
    shown: dict[str, Any] = answer.data["sessions"]
    return shown


async def devices(caller: Principal) -> list[str]:
    return [session["deviceName"] for session in (await listed(caller))["nodes"]]


async def test_ones_own_sessions_are_listed_with_their_devices(
    keys: Address, clock: time_machine.Traveller
) -> None:
    phone = await signed_up()
    clock.shift(60)
    tablet = await call("signIn", **ADA, deviceName="  Tablet of Ada  ")
    clock.shift(60)
    await call("refreshSession", refreshToken=phone["refreshToken"])
    await call("signUp", key="eve", **{**ADA, "email": "eve@example.com"}, name="Eve")
    caller = await caller_of(tablet)
    shown = await listed(caller)
    assert [{**session, "id": ""} for session in shown["nodes"]] == [
        {
            "id": "",
            "deviceName": "Tablet of Ada",
            "createdAt": "2026-03-04T05:07:07.890123Z",
            "lastUsedAt": "2026-03-04T05:07:07.890123Z",
            "expiresAt": "2026-04-03T05:07:07.890123Z",
            "isCurrent": True,
        },
        {
            "id": "",
            "deviceName": None,
            "createdAt": "2026-03-04T05:06:07.890123Z",
            "lastUsedAt": "2026-03-04T05:08:07.890123Z",
            "expiresAt": "2026-04-03T05:08:07.890123Z",
            "isCurrent": False,
        },
    ]
    first = await listed(caller, first=1)
    assert first["pageInfo"]["hasNextPage"] is True
    second = await listed(caller, first=1, after=first["pageInfo"]["endCursor"])
    assert first["nodes"] + second["nodes"] == shown["nodes"]
    assert second["pageInfo"]["hasNextPage"] is False


async def test_ones_own_session_is_revoked_once(keys: Address) -> None:
    phone = await signed_up()
    tablet = await call("signIn", **ADA, deviceName="tablet")
    caller = await caller_of(phone)
    (opaque,) = [one["id"] for one in (await listed(caller))["nodes"] if not one["isCurrent"]]
    for key, was_active in (("k1", True), ("k1", True), ("k2", False)):
        assert await call("revokeSession", caller, key=key, sessionId=opaque) == {
            "__typename": "SessionRevoked",
            "sessionId": opaque,
            "wasActive": was_active,
        }
    with pytest.raises(members.AuthenticationFailed, match="revoked"):
        await caller_of(tablet)
    refused = await call("refreshSession", refreshToken=tablet["refreshToken"])
    assert refused == SESSION_REJECTED
    assert len((await listed(caller))["nodes"]) == 1


async def test_anothers_session_is_answered_like_one_that_does_not_exist(keys: Address) -> None:
    ada = await caller_of(await signed_up())
    eve = await caller_of(
        await call("signUp", key="eve", **{**ADA, "email": "eve@example.com"}, name="Eve")
    )
    ((own,), before) = [one["id"] for one in (await listed(ada))["nodes"]], await count("sessions")
    answers = [
        await call("revokeSession", eve, sessionId=opaque)
        for opaque in (own, global_id("DeviceSession", 17), global_id("Card", 17), "x", "")
    ]
    assert answers[0] == {
        "__typename": "NotFound",
        "code": "NOT_FOUND",
        "message": "There is no such session.",
    }
    assert all(answer == answers[0] for answer in answers)
    assert await count("sessions") == before
    assert len((await listed(ada))["nodes"]) == 1


async def test_signing_out_everywhere_ends_all_sessions_and_can_be_repeated(keys: Address) -> None:
    phone = await signed_up()
    caller, token = await caller_of(phone), phone["refreshToken"]
    sessions = [phone, *[await call("signIn", key=f"s{n}", **ADA) for n in range(2)]]
    ended = {"__typename": "SignedOutEverywhere", "endedCount": 3}
    assert await call("signOutEverywhere", caller) == ended
    for session in sessions:
        with pytest.raises(members.AuthenticationFailed, match="revoked"):
            await caller_of(session)
    # Whoever never got the answer is refused with the access token, and asks with the other one.
    assert await call("signOutEverywhere", refreshToken=token) == ended
    assert await call("signOutEverywhere", key="k2", refreshToken=token) == SESSION_REJECTED
    again = await call("signIn", key="again", **ADA)
    assert await call("signOutEverywhere", refreshToken=token) == ended
    assert (await caller_of(again)).kind is PrincipalKind.MEMBER


async def test_signing_out_everywhere_else_keeps_the_session_that_asks(keys: Address) -> None:
    phone = await signed_up()
    for number in range(2):
        await call("signIn", key=f"s{number}", **ADA, deviceName=f"tablet {number}")
    caller = await caller_of(phone)
    given: dict[str, Any] = {"keepsThisSession": True}
    ended = {"__typename": "SignedOutEverywhere", "endedCount": 2}
    for _ in range(2):
        assert await call("signOutEverywhere", caller, **given) == ended
    assert await devices(caller) == [None]
    conflict = await call("signOutEverywhere", caller)
    assert conflict["__typename"] == "IdempotencyConflict"
    await call("signIn", key="s3", **ADA)
    token = phone["refreshToken"]
    one = {"__typename": "SignedOutEverywhere", "endedCount": 1}
    assert await call("signOutEverywhere", key="k2", refreshToken=token, **given) == one
    assert (await caller_of(phone)).session_id == caller.session_id


async def test_an_old_refresh_token_signs_nobody_out_everywhere(
    keys: Address, clock: time_machine.Traveller
) -> None:
    phone = await signed_up()
    refreshed = await call("refreshSession", refreshToken=phone["refreshToken"])
    clock.shift(31)
    for token in (phone["refreshToken"], "A" * 59, "x"):
        assert await call("signOutEverywhere", refreshToken=token) == SESSION_REJECTED
    assert (await caller_of(refreshed)).kind is PrincipalKind.MEMBER


async def test_only_who_is_signed_in_has_sessions(keys: Address) -> None:
    key = Principal(PrincipalKind.KEY, id=1)
    for caller, refusal in ((ANONYMOUS, "UNAUTHENTICATED"), (key, "FORBIDDEN")):
        answer = await SCHEMA.execute(LIST, {"first": 1}, Context(principal=caller))
        assert answer.errors
        assert answer.errors[0].extensions == {"code": refusal}
        given = {"idempotencyKey": "k"}
        assert await code("signOutEverywhere", given, caller) == refusal
        assert await code("revokeSession", {**given, "sessionId": "x"}, caller) == refusal


@pytest.mark.parametrize("name", ["x" * 121, "a\nb", "a\x00b", "a\u2028b", "\ud800", "\x1b[2J"])
async def test_a_device_name_of_another_form_is_refused(keys: Address, name: str) -> None:
    await signed_up()
    answer = await call("signIn", key="k2", **ADA, deviceName=name)
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", ["input", "deviceName"])
    assert await count("sessions") == 1
    longest = await call("signIn", key="k2", **ADA, deviceName="\U0001f4f1" * 120)
    assert await devices(await caller_of(longest)) == ["\U0001f4f1" * 120, None]
