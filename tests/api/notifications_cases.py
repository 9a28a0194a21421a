"""How the mutations of devices, choices, quiet hours and the inbox are called."""

import itertools
from typing import Any

import msgspec

from server.clock import Instant
from server.edge.nodes import global_id
from server.notifications.shapes import Wire
from server.principal import StaffRole
from server.storage import sql
from server.storage.ids import new_id
from tests.api.calling import DAY, NOW, Api, Caller, Json
from tests.api.cases import Case, case

DEVICE: Json = {
    "fcmToken": "fcm-token:1",
    "platform": "ANDROID",
    "locale": "lt-LT",
    "timeZone": "Europe/Vilnius",
    "appVersion": "1.2.3",
}
CHOICE: Json = {"channel": "PUSH", "category": "OFFERS", "isGiven": True}
CHOICES: Json = {"choices": [CHOICE], "textVersion": "2026-01"}
_INSERT = (
    "INSERT INTO notifications (id, member_id, topic, category, message, version_id, run_id,"
    " variant, is_held_out, is_shown, locale, title, body, wire, created_at, shown_from,"
    " expires_at, read_at, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
    " $13, $14, $15, $16, $17, $18, $19)"
)
_topics = itertools.count(1)
_SOON = Instant(NOW + 30 * DAY)
_PLAIN = Wire()


async def written(
    member_id: int,
    *,
    title: str = "Hello",
    shown_from: Instant = NOW,
    expires_at: Instant = _SOON,
    wire: Wire = _PLAIN,
    **changes: Any,
) -> str:
    """Write a message to the member; its id in the API."""
    row = {
        "id": new_id(),
        "member_id": member_id,
        "topic": f"topic:{next(_topics)}",
        "category": "offers",
        "message": "hello",
        "version_id": 1,
        "run_id": None,
        "variant": None,
        "is_held_out": 0,
        "is_shown": 1,
        "locale": "en",
        "title": title,
        "body": "Come in",
        "wire": msgspec.json.encode(wire).decode(),
        "created_at": NOW,
        "shown_from": shown_from,
        "expires_at": expires_at,
        "read_at": None,
        "opened_at": None,
        **changes,
    }
    async with sql.transaction():
        await sql.execute(_INSERT, *row.values())
    return global_id("Notification", int(row["id"]))


async def _pair(api: Api) -> tuple[Caller, Caller]:
    return await api.member(), await api.member()


@case("registerDevice", "DeviceRegistered")
async def _register(api: Api) -> Case:
    anna, bob = await _pair(api)
    return Case(anna, DEVICE, {**DEVICE, "locale": "en"}, bob, DEVICE)


@case("unregisterDevice", "DeviceUnregistered")
async def _unregister(api: Api) -> Case:
    anna, bob = await _pair(api)
    told = await api.mutate("registerDevice", DEVICE, anna)
    await api.mutate("registerDevice", {**DEVICE, "fcmToken": "fcm-token:2"}, bob)
    other = {"fcmToken": "fcm-token:2"}
    return Case(anna, {"deviceId": told["device"]["id"]}, other, bob, other)


@case("setMessageChoices", "MessageChoicesSet")
async def _choose(api: Api) -> Case:
    anna, bob = await _pair(api)
    staff = [await api.staff(StaffRole.SUPPORT) for _ in range(2)]
    one, other = ({**CHOICES, "member": {"id": who.id}} for who in (anna, bob))
    return Case(staff[0], one, other, staff[1], one)


@case("setQuietHours", "QuietHoursSet")
async def _quiet(api: Api) -> Case:
    anna, bob = await _pair(api)
    hours = {"from": "22:00", "until": "07:30"}
    return Case(anna, hours, {}, bob, hours)


async def _messages(api: Api) -> tuple[Caller, Caller, list[str]]:
    anna, bob = await _pair(api)
    return anna, bob, [await written(one.member_id) for one in (anna, anna, bob)]


@case("markNotificationsRead", "NotificationsRead")
async def _mark(api: Api) -> Case:
    anna, bob, ids = await _messages(api)
    one, other, third = ({"notificationIds": [number]} for number in ids)
    return Case(anna, one, other, bob, third)


@case("notificationOpened", "NotificationNoted")
async def _open(api: Api) -> Case:
    anna, bob, ids = await _messages(api)
    one, other, third = ({"notificationId": number} for number in ids)
    return Case(anna, one, other, bob, third)


@case("dismissNotification", "NotificationDismissed")
async def _dismiss(api: Api) -> Case:
    anna, bob, ids = await _messages(api)
    one, other, third = ({"notificationId": number} for number in ids)
    return Case(anna, one, other, bob, third)
