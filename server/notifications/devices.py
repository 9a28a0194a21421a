"""Devices: the apps that a member has signed in with and that push messages reach.

A device is known by its FCM registration token, which belongs to one member at a time: whoever
registered it last. It's live until its session is ended (by signing out, here or everywhere, by a
new password, or because a refresh token was used twice) and while it was seen in the last 270 days,
after which Firebase lets a token lapse. A session that merely ran out ends no device: who opens the
app once in two months is told of what happens in between.
"""

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.errors import InvalidInput, phrase
from server.members.service import valid_locale, valid_time_zone
from server.storage import changes, sql
from server.storage.ids import new_id

MAXIMUM_DEVICES = 20
"""Of one member: of more, those that were seen longest ago go."""
UNUSED_DAYS = 270
MAXIMUM_TOKEN_LENGTH = 4096
MAXIMUM_VERSION_LENGTH = 40
PURGED_AT_ONCE = 1_000

LIVE = (
    "d.seen_at > {unused_since} AND EXISTS (SELECT 1 FROM sessions s"
    " WHERE s.id = d.session_id AND s.revoked_at IS NULL)"
)
"""The condition, in SQL, of a row `d` of `devices` that messages may go to: to be formatted with
the placeholder of what `unused_since` returns."""

_TOKEN = re.compile(r"[A-Za-z0-9:_.%+/=~-]+")
_COLUMNS = (
    "id, member_id, session_id, token, token_hash, platform, app_version, locale, time_zone,"
    " registered_at, seen_at"
)
# Whose row it was keeps it; for another member it's another device, so that nothing which is on its
# way to the first can reach the second.
_REGISTER = sql.insert(
    "devices",
    _COLUMNS,
    otherwise="ON CONFLICT (token_hash) DO UPDATE SET"
    " id = CASE WHEN devices.member_id = excluded.member_id THEN devices.id ELSE excluded.id END,"
    " registered_at = CASE WHEN devices.member_id = excluded.member_id THEN devices.registered_at"
    " ELSE excluded.registered_at END,"
    " member_id = excluded.member_id, session_id = excluded.session_id, token = excluded.token,"
    " platform = excluded.platform, app_version = excluded.app_version,"
    " locale = excluded.locale, time_zone = excluded.time_zone, seen_at = excluded.seen_at"
    " RETURNING id, registered_at",
)
_KNOWN = (
    "SELECT id, member_id, token_hash, platform, app_version, locale, time_zone"
    " FROM devices WHERE token_hash IN ($1, $2)"
)
_REPLACE = "UPDATE devices SET token = $1, token_hash = $2 WHERE id = $3 AND token_hash = $4"
_SURPLUS = (
    "DELETE FROM devices WHERE member_id = $1 AND id NOT IN (SELECT kept.id FROM devices kept"
    f" WHERE kept.member_id = $1 ORDER BY kept.seen_at DESC, kept.id DESC LIMIT {MAXIMUM_DEVICES})"
)
_SHOWN = "d.id, d.platform, d.app_version, d.locale, d.time_zone, d.registered_at, d.seen_at"
_PURGE = """
    DELETE FROM devices WHERE id IN (
        SELECT d.id FROM devices d WHERE d.id > $2 AND NOT ({live}) ORDER BY d.id LIMIT $3
    ) RETURNING id
"""


class Platform(StrEnum):
    """What an app runs on."""

    IOS = "ios"  # reached by APNs
    ANDROID = "android"  # reached by Google Play services
    WEB = "web"  # reached by the browser's push service


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What an app says of itself."""

    token: str
    platform: Platform
    locale: str
    time_zone: str
    app_version: str | None = None
    replaces_token: str | None = None  # the one that it had before


class DeviceView(msgspec.Struct, frozen=True):
    """A device as its member sees it: without the token."""

    id: int
    platform: Platform
    app_version: str | None
    locale: str
    time_zone: str
    registered_at: Instant
    seen_at: Instant


def unused_since(now: Instant) -> Instant:
    """What a device has to have been seen after to be live."""
    return Instant(now - UNUSED_DAYS * 86_400 * MICROSECONDS_PER_SECOND)


def token_hash(token: str) -> str:
    """What a token is found by: SHA-256, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


# ---------------------------------------------------------------- registering


async def register(
    member_id: int, session_id: int, given: Registration, *, now: Instant
) -> DeviceView:
    """The member's device with the token, which is nobody else's from now on; said again, it was
    seen again.

    Writes; call it inside a transaction, which is run again if it lost a race. Raises InvalidInput.
    """
    checked = _checked(given)
    new, old = token_hash(checked.token), token_hash(checked.replaces_token or checked.token)
    known = {row[2]: row for row in await sql.fetch(_KNOWN, new, old)}
    before = known.get(new)
    if new != old and old in known and known[old][1] == member_id:
        before = await _replace(known[old], before, checked.token)
    is_own = before is not None and before[1] == member_id
    said = (checked.platform, checked.app_version, checked.locale, checked.time_zone)
    row = (new_id(), member_id, session_id, checked.token, new, *said, now, now)
    ((device_id, registered_at),) = await sql.fetch(_REGISTER, *row)
    if not is_own:
        await sql.execute(_SURPLUS, member_id)
        if before is not None:
            changes.note(changes.MEMBER, before[1])
    if before is None or not is_own or tuple(before[3:7]) != said:
        changes.note(changes.MEMBER, member_id)  # but not whenever the app is opened
    return DeviceView(device_id, *said, registered_at, now)


async def _replace(own: sql.Row, taken: sql.Row | None, token: str) -> sql.Row | None:
    """Let the member's device go on under a new token; the row that has the new one after that."""
    if taken is not None:
        await sql.execute("DELETE FROM devices WHERE id = $1 AND member_id = $2", own[0], own[1])
        changes.note(changes.MEMBER, own[1])
        return taken
    await sql.execute(_REPLACE, token, token_hash(token), own[0], own[2])
    return own


def _checked(given: Registration) -> Registration:
    version = (given.app_version or "").strip()
    if len(version) > MAXIMUM_VERSION_LENGTH or not version.isprintable():
        raise InvalidInput(
            "device.app_version",
            path=("appVersion",),
            value=given.app_version,
            accepted=phrase("accepted.characters_at_most", maximum=MAXIMUM_VERSION_LENGTH),
        )
    return Registration(
        token=valid_token(given.token, path=("fcmToken",)),
        platform=given.platform,
        locale=valid_locale(given.locale),
        time_zone=valid_time_zone(given.time_zone),
        app_version=version or None,
        replaces_token=None
        if given.replaces_token is None
        else valid_token(given.replaces_token, path=("replacesToken",)),
    )


def valid_token(token: str, *, path: tuple[str, ...]) -> str:
    """An FCM registration token. The refusal doesn't repeat it: it's a secret of the device."""
    if len(token) > MAXIMUM_TOKEN_LENGTH or not _TOKEN.fullmatch(token):
        raise InvalidInput(
            "device.token",
            path=path,
            accepted=phrase("accepted.fcm_token", maximum=MAXIMUM_TOKEN_LENGTH),
        )
    return token


# ---------------------------------------------------------------- ending


async def unregister(
    member_id: int, *, device_id: int | None = None, token: str | None = None
) -> bool:
    """Let go of one of the member's devices; whether there was such a one.

    Writes; call it inside a transaction.
    """
    column, value = ("id", device_id) if token is None else ("token_hash", token_hash(token))
    gone = await sql.execute(
        f"DELETE FROM devices WHERE {column} = $1 AND member_id = $2",
        value,
        member_id,
    )
    if gone:
        changes.note(changes.MEMBER, member_id)
    return gone == 1


async def purge(now: Instant) -> int:
    """Delete devices whose session was ended and those that are not used any more; how many.

    In transactions of its own, each of a bounded number of rows.
    """
    deleted, after_id = 0, 0
    statement = _PURGE.format(live=LIVE.format(unused_since="$1"))
    while True:
        async with sql.transaction():
            gone = await sql.fetch(statement, unused_since(now), after_id, PURGED_AT_ONCE)
        deleted += len(gone)
        if len(gone) < PURGED_AT_ONCE:
            return deleted
        after_id = max(row[0] for row in gone)


# ---------------------------------------------------------------- looking


async def of_members(
    member_ids: Iterable[int], *, now: Instant
) -> dict[int, tuple[DeviceView, ...]]:
    """The live devices of each of the members, the one that was seen last first; one statement."""
    wanted = list(member_ids)
    values = sql.padded(wanted)
    rows = await sql.fetch(
        f"SELECT d.member_id, {_SHOWN} FROM devices d"
        f" WHERE {LIVE.format(unused_since='$1')}"
        f" AND d.member_id IN ({sql.placeholders(len(values), 2)})"
        " ORDER BY d.seen_at DESC, d.id DESC",
        unused_since(now),
        *values,
    )
    found: dict[int, list[DeviceView]] = {one: [] for one in wanted}
    for member_id, *shown in rows:
        found[member_id].append(_view(shown))
    return {one: tuple(views) for one, views in found.items()}


async def device_of(member_id: int, device_id: int, *, now: Instant) -> DeviceView | None:
    """The member's live device of that id."""
    found = await of_members([member_id], now=now)
    return next((one for one in found[member_id] if one.id == device_id), None)


def _view(row: sql.Row) -> DeviceView:
    return DeviceView(row[0], Platform(row[1]), *row[2:])
