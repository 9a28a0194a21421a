"""Devices through the API: registered, moved, refreshed, and ended with their sessions."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from server.clock import Instant
from server.members import service as members
from server.notifications import devices
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, NOW_SHOWN, SECOND, Api, Caller, Json, dump, shown
from tests.api.notifications_cases import DEVICE
from tests.members.people import PASSWORD

LATER = Instant(NOW + DAY)
SHOWN = "id platform appVersion locale timeZone registeredAt seenAt"
MINE = f"{{ me {{ devices {{ {SHOWN} }} }} }}"
ON_ONE_ENGINE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def register(api: Api, caller: Caller, *, at: Instant = NOW, **changes: str | None) -> Json:
    """The device as registerDevice shows it."""
    told = await api.mutate("registerDevice", {**DEVICE, **changes}, caller, at=at)
    assert told["__typename"] == "DeviceRegistered", told
    device: Json = told["device"]
    return device


async def listed(api: Api, caller: Caller, *, at: Instant = NOW) -> list[Json]:
    found: list[Json] = (await api.data(MINE, caller=caller, at=at))["me"]["devices"]
    return found


async def live(member_id: int, *, at: Instant = NOW) -> list[int]:
    """The ids of the devices that messages would go to."""
    rows = await sql.fetch(
        f"SELECT d.id FROM devices d WHERE {devices.LIVE.format(unused_since='$1')}"  # noqa: S608
        " AND d.member_id = $2",
        devices.unused_since(at),
        member_id,
    )
    return [row[0] for row in rows]


async def stored() -> int:
    ((count,),) = await sql.fetch("SELECT COUNT(*) FROM devices")
    return int(count)


async def test_a_device_is_registered_and_seen_again(api: Api) -> None:
    anna = await api.member()
    first = await register(api, anna)
    assert {name: value for name, value in first.items() if name not in ("id", "__typename")} == {
        "platform": "ANDROID",
        "appVersion": "1.2.3",
        "locale": "lt-LT",
        "timeZone": "Europe/Vilnius",
        "registeredAt": NOW_SHOWN,
        "seenAt": NOW_SHOWN,
    }
    again = await register(api, anna, at=LATER, locale="en-gb", timeZone="UTC", appVersion=None)
    assert again == {
        **first,
        "locale": "en-GB",
        "timeZone": "UTC",
        "appVersion": None,
        "seenAt": shown(LATER),
    }
    assert await listed(api, anna) == [
        {name: value for name, value in again.items() if name != "__typename"}
    ]
    assert await stored() == 1
    response = await api.send(MINE, caller=anna)
    assert DEVICE["fcmToken"] not in response.text


async def test_a_token_belongs_to_who_registered_it_last(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    hers = await register(api, anna)
    his = await register(api, bob, at=LATER)
    assert his["id"] != hers["id"], "what is on its way to the first device reaches nobody else"
    assert his["registeredAt"] == shown(LATER)
    assert (await listed(api, anna), len(await listed(api, bob))) == ([], 1)
    assert await stored() == 1
    document = "query ($id: ID!) { node(id: $id) { id } }"
    for caller in (anna, bob):
        seen = await api.data(document, {"id": hers["id"]}, caller)
        assert seen == {"node": None}
    assert (await api.data(document, {"id": his["id"]}, bob))["node"] == {"id": his["id"]}
    assert (await api.data(document, {"id": his["id"]}, anna))["node"] is None


async def test_two_who_register_one_token_at_once_leave_one_device(api: Api) -> None:
    callers = [await api.member() for _ in range(4)]
    told = await asyncio.gather(*(register(api, one) for one in callers))
    (row,) = await sql.fetch("SELECT id, member_id FROM devices")
    (owner,) = [one for one in callers if one.member_id == row[1]]
    assert told[callers.index(owner)]["id"] == (await listed(api, owner))[0]["id"]


async def test_a_new_token_of_a_device_lets_it_go_on(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    first = await register(api, anna)
    renewed = await register(api, anna, fcmToken="new:1", replacesToken=DEVICE["fcmToken"])
    assert (renewed["id"], await stored()) == (first["id"], 1)
    both = await register(api, anna, fcmToken="new:2")
    assert await stored() == 2
    joined = await register(api, anna, fcmToken="new:1", replacesToken="new:2")
    assert (joined["id"], await stored()) == (first["id"], 1), "the one with the token stays"
    assert both["id"] != first["id"]
    await register(api, bob, fcmToken="new:3", replacesToken="new:1")
    assert [one["id"] for one in await listed(api, anna)] == [first["id"]], "hers is not his"


async def _sign_out(api: Api, anna: Caller) -> None:
    await api.mutate("signOut", {"refreshToken": anna.refresh_token}, Caller())


async def _everywhere(api: Api, anna: Caller) -> None:
    await api.mutate("signOutEverywhere", {"refreshToken": anna.refresh_token}, Caller())


async def _password(api: Api, anna: Caller) -> None:
    other = await _another_session(anna)
    wish = {"currentPassword": PASSWORD, "newPassword": "another horse battery"}
    assert "code" not in await api.mutate("changePassword", wish, other)


async def _staff(api: Api, anna: Caller) -> None:
    staff = await api.staff(StaffRole.SUPPORT)
    await api.mutate("endMemberSessions", {"member": {"id": anna.id}}, staff)


async def _reuse(api: Api, anna: Caller) -> None:
    given = {"refreshToken": anna.refresh_token}
    newer = await api.mutate("refreshSession", given, Caller())
    await api.mutate("refreshSession", {"refreshToken": newer["refreshToken"]}, Caller())
    told = await api.mutate("refreshSession", given, Caller())
    assert told["__typename"] == "SessionRejected"


async def _another_session(anna: Caller) -> Caller:
    async with sql.transaction():
        opened = await members.open_session(anna.account_id)
    tokens = await members.session_tokens(opened)
    return Caller(tokens.access_token, anna.account_id, anna.member_id)


@ON_ONE_ENGINE
@pytest.mark.parametrize("end", [_sign_out, _everywhere, _password, _staff, _reuse])
async def test_a_device_ends_with_its_session(
    api: Api, end: Callable[[Api, Caller], Awaitable[None]]
) -> None:
    anna, bob = await api.member(), await api.member()
    await register(api, anna)
    await register(api, bob, fcmToken="bobs")
    assert len(await live(anna.member_id)) == 1
    await end(api, anna)
    assert await live(anna.member_id) == []
    assert await devices.purge(NOW) == 1
    assert (len(await live(bob.member_id)), await stored()) == (1, 1)


async def test_a_session_that_ran_out_ends_no_device_until_it_is_ended(api: Api) -> None:
    anna = await api.member()
    await register(api, anna)
    async with sql.transaction():
        await sql.execute("UPDATE sessions SET expires_at = 1")
    assert len(await live(anna.member_id)) == 1
    assert await devices.purge(NOW) == 0
    async with sql.transaction():
        ended = await members.sign_out_everywhere(anna.account_id)
    assert (ended, await live(anna.member_id)) == (0, []), "it stood no more, but its device did"
    assert await devices.purge(NOW) == 1


async def test_a_device_unused_for_270_days_is_dead(api: Api) -> None:
    anna = await api.member()
    await register(api, anna)
    last = Instant(NOW + 270 * DAY)
    assert len(await live(anna.member_id, at=Instant(last - 1))) == 1
    assert await devices.purge(Instant(last - 1)) == 0
    assert await live(anna.member_id, at=last) == []
    assert await devices.purge(last) == 1
    assert await stored() == 0


@ON_ONE_ENGINE
async def test_of_more_than_20_devices_the_one_seen_longest_ago_goes(api: Api) -> None:
    anna = await api.member()
    for number in range(20):
        await register(api, anna, fcmToken=f"t{number}", at=Instant(NOW + number * SECOND))
    first = await register(api, anna, fcmToken="t0", at=Instant(NOW + 50 * SECOND))
    assert await stored() == 20
    last = await register(api, anna, fcmToken="t20", at=Instant(NOW + 60 * SECOND))
    kept = await listed(api, anna)
    assert [one["id"] for one in kept[:2]] == [last["id"], first["id"]]
    assert len(kept) == await stored() == 20
    gone = await sql.fetch_one(
        "SELECT 1 FROM devices WHERE token_hash = $1", devices.token_hash("t1")
    )
    assert gone is None


@ON_ONE_ENGINE
async def test_what_is_no_device_is_refused(api: Api) -> None:
    anna = await api.member()
    before = await dump()
    for path, value in (
        ("fcmToken", ""),
        ("fcmToken", "two words"),
        ("fcmToken", "é"),
        ("fcmToken", "x" * 4097),
        ("replacesToken", "a b"),
        ("timeZone", "Mars/Olympus"),
        ("locale", "xx-YY-zz"),
        ("appVersion", "1" * 41),
        ("appVersion", "1\n2"),
    ):
        told = await api.mutate("registerDevice", {**DEVICE, path: value}, anna)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", path]), value
        if path.endswith("oken"):
            assert told["value"] is None, "a token is not repeated"
    for wish in ({}, {"deviceId": "x", "fcmToken": "x"}, {"fcmToken": "a b"}):
        told = await api.mutate("unregisterDevice", wish, anna)
        assert told["__typename"] == "InvalidInput", wish
    assert await dump() == before
    longest = await register(api, anna, fcmToken="x" * 4096)
    assert longest["platform"] == "ANDROID"


async def test_a_member_lets_go_of_their_own_devices_alone(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    device = await register(api, anna)
    for wish in ({"deviceId": device["id"]}, {"fcmToken": DEVICE["fcmToken"]}):
        assert not (await api.mutate("unregisterDevice", wish, bob))["wasRegistered"]
    assert len(await live(anna.member_id)) == 1
    told = await api.mutate("unregisterDevice", {"deviceId": device["id"]}, anna)
    assert told["wasRegistered"] is True
    assert await stored() == 0
    told = await api.mutate("unregisterDevice", {"deviceId": device["id"]}, anna)
    assert told["wasRegistered"] is False


async def test_an_ended_session_registers_nothing(api: Api) -> None:
    anna = await api.member()
    await api.mutate("signOut", {}, anna)
    response = await api.send(
        "mutation ($input: RegisterDeviceInput!) { registerDevice(input: $input) { __typename } }",
        {"input": {"idempotencyKey": "k", **DEVICE}},
        anna,
    )
    assert (response.status_code, await stored()) == (401, 0)
