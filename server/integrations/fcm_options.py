"""Android, APNs and web push options, by the names of FCM's v1 reference, as firebase-admin's own
objects: what the library makes of them has those names again. Import it late.

Apple and browsers may add options at any time: what neither knows yet goes to them as it is. FCM's
own are a closed list: another name is a mistake, and is refused. Paths are told, values never.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from firebase_admin import messaging

from server.integrations.push import InvalidMessage

__all__ = ["android", "apns", "group", "webpush"]

_DURATION: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?s")
_Reading = Callable[[Any, str], Any]


def android(options: Mapping[str, Any]) -> messaging.AndroidConfig:
    """What is for Android. Raises InvalidMessage."""
    return messaging.AndroidConfig(**_arguments(options, "android", _ANDROID))


def apns(options: Mapping[str, Any]) -> messaging.APNSConfig:
    """What is for Apple's devices. Raises InvalidMessage."""
    return messaging.APNSConfig(**_arguments(options, "apns", _APNS))


def webpush(options: Mapping[str, Any]) -> messaging.WebpushConfig:
    """What is for browsers. Raises InvalidMessage."""
    return messaging.WebpushConfig(**_arguments(options, "webpush", _WEBPUSH))


def group(options: object, path: str) -> dict[str, Any]:
    """A copy of the options at the path; None are none. Raises InvalidMessage."""
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise InvalidMessage(f"{path}: not an object")
    return dict(options)


def _arguments(
    options: object, path: str, names: Mapping[str, tuple[str, _Reading]], *, is_open: bool = False
) -> dict[str, Any]:
    """The options as arguments of the library's; of an open list, the others as `custom_data`."""
    found: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in group(options, path).items():
        if value is None:
            continue
        if name in names:
            argument, read = names[name]
            found[argument] = read(value, f"{path}.{name}")
        elif is_open:
            others[name] = value
        else:
            raise InvalidMessage(f"{path}.{name}: FCM knows no such option")
    return found | ({"custom_data": others} if others else {})


# ---------------------------------------------------------------- values


def _as_is(value: Any, _path: str) -> Any:
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidMessage(f"{path}: not true or false")
    return value


def _apple_flag(value: Any, path: str) -> bool:
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise InvalidMessage(f"{path}: not 1 or 0")


def _word(value: Any, path: str) -> str:
    """One of FCM's words, which it writes large and the library small."""
    if not isinstance(value, str):
        raise InvalidMessage(f"{path}: not a text")
    return value.lower().removeprefix("priority_")


def _texts(value: Any, path: str) -> dict[str, str]:
    found = group(value, path)
    if not all(isinstance(text, str) for text in found.values()):
        raise InvalidMessage(f"{path}: a value is not a text")
    return found


def _whole(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidMessage(f"{path}: not a whole number")
    return value


def _milliseconds(value: Any, path: str) -> int:
    """Of a duration as FCM writes it: "3.5s". A bare number is seconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value * 1000
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidMessage(f'{path}: not a duration such as "3.5s"')
    return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0")[:3])


def _seconds(value: Any, path: str) -> int:
    return _milliseconds(value, path) // 1000


def _timings(value: Any, path: str) -> list[int]:
    if not isinstance(value, list):
        raise InvalidMessage(f"{path}: not a list")
    return [_milliseconds(one, path) for one in value]


def _moment(value: Any, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidMessage(f"{path}: not an instant with a time zone")
    return moment


def _colour(value: Any, path: str) -> str:
    """The library wants #RRGGBBAA for what FCM holds as four parts of 1."""
    parts = [group(value, path).get(name, 0) for name in ("red", "green", "blue", "alpha")]
    if not all(isinstance(part, int | float) and 0 <= part <= 1 for part in parts):
        raise InvalidMessage(f"{path}: not red, green, blue and alpha from 0 to 1")
    return "#" + "".join(f"{round(part * 255):02X}" for part in parts)


# ---------------------------------------------------------------- groups


def _made(
    kind: Callable[..., Any], names: Mapping[str, tuple[str, _Reading]], *, is_open: bool = False
) -> _Reading:
    """Reads a group as the library's object of the kind."""

    def read(value: Any, path: str) -> Any:
        try:
            return kind(**_arguments(value, path, names, is_open=is_open))
        except TypeError:
            raise InvalidMessage(f"{path}: something that it needs is missing") from None

    return read


def _or_text(read: _Reading) -> _Reading:
    return lambda value, path: value if isinstance(value, str) else read(value, path)


def _payload(value: Any, path: str) -> messaging.APNSPayload:
    options = group(value, path)
    made = messaging.APNSPayload(_APS(options.pop("aps", None), f"{path}.aps"))
    made.custom_data = options
    return made


def _actions(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidMessage(f"{path}: not a list")
    return [_ACTION(one, path) for one in value]


def _named(*names: str, read: _Reading = _as_is) -> dict[str, tuple[str, _Reading]]:
    """Options that the library calls the same, but for hyphens."""
    return {name: (name.replace("-", "_"), read) for name in names}


_LABEL: Final = _named("analytics_label")
_LIGHT: Final = {
    "color": ("color", _colour),
    "light_on_duration": ("light_on_duration_millis", _milliseconds),
    "light_off_duration": ("light_off_duration_millis", _milliseconds),
}
_ANDROID_NOTIFICATION: Final = {
    **_named("title", "body", "icon", "color", "sound", "tag", "click_action"),
    **_named("body_loc_key", "body_loc_args", "title_loc_key", "title_loc_args"),
    **_named("channel_id", "image", "ticker"),
    **_named("sticky", "local_only", "default_vibrate_timings", read=_flag),
    **_named("default_sound", "default_light_settings", read=_flag),
    **_named("visibility", "proxy", read=_word),
    **_named("notification_count", read=_whole),
    "notification_priority": ("priority", _word),
    "event_time": ("event_timestamp", _moment),
    "vibrate_timings": ("vibrate_timings_millis", _timings),
    "light_settings": ("light_settings", _made(messaging.LightSettings, _LIGHT)),
}
_ANDROID: Final = {
    **_named("collapse_key", "restricted_package_name"),
    **_named("direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok", read=_flag),
    "priority": ("priority", _word),
    "ttl": ("ttl", _seconds),
    "data": ("data", _texts),
    "notification": ("notification", _made(messaging.AndroidNotification, _ANDROID_NOTIFICATION)),
    "fcm_options": ("fcm_options", _made(messaging.AndroidFCMOptions, _LABEL)),
}
_ALERT: Final = _made(
    messaging.ApsAlert,
    {
        **_named("title", "subtitle", "body", "title-loc-key", "title-loc-args", "loc-key"),
        **_named("loc-args", "action-loc-key", "launch-image"),
    },
    is_open=True,
)
_SOUND: Final = _made(
    messaging.CriticalSound,
    {**_named("name", "volume"), **_named("critical", read=_apple_flag)},
)
_APS: Final = _made(
    messaging.Aps,
    {
        **_named("category", "thread-id"),
        **_named("badge", read=_whole),
        **_named("content-available", "mutable-content", read=_apple_flag),
        "alert": ("alert", _or_text(_ALERT)),
        "sound": ("sound", _or_text(_SOUND)),
    },
    is_open=True,
)
_APNS: Final = {
    **_named("live_activity_token"),
    **_named("headers", read=_texts),
    "payload": ("payload", _payload),
    "fcm_options": ("fcm_options", _made(messaging.APNSFCMOptions, _LABEL | _named("image"))),
}
_ACTION: Final = _made(messaging.WebpushNotificationAction, _named("action", "title", "icon"))
_WEBPUSH_NOTIFICATION: Final = {
    **_named("title", "body", "icon", "badge", "data", "image", "renotify", "silent", "tag"),
    **_named("vibrate"),
    "actions": ("actions", _actions),
    "dir": ("direction", _as_is),
    "lang": ("language", _as_is),
    "requireInteraction": ("require_interaction", _as_is),
    "timestamp": ("timestamp_millis", _whole),
}
_WEBPUSH: Final = {
    **_named("headers", "data", read=_texts),
    "notification": (
        "notification",
        _made(messaging.WebpushNotification, _WEBPUSH_NOTIFICATION, is_open=True),
    ),
    "fcm_options": ("fcm_options", _made(messaging.WebpushFCMOptions, _named("link"))),
}
