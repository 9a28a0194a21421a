"""Whether a message is one that FCM's v1 reference describes; an independent reading of it."""

import json
import re
from typing import Any

MAXIMUM_BYTES = 4096
LONGEST_TTL = 2_419_200
_DURATION = re.compile(r"(\d+)(?:\.\d{1,9})?s")
_TARGETS = ("token", "topic", "condition", "fid")
_TOP = {"name", "data", "notification", "android", "webpush", "apns", "fcm_options", *_TARGETS}
_NOTIFICATION = {"title", "body", "image"}
_ANDROID = {
    "collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification",
    "fcm_options", "direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok",
}  # fmt: skip
_ANDROID_NOTIFICATION = {
    "title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key",
    "body_loc_args", "title_loc_key", "title_loc_args", "channel_id", "ticker", "sticky",
    "event_time", "local_only", "notification_priority", "default_sound",
    "default_vibrate_timings", "default_light_settings", "vibrate_timings", "visibility",
    "notification_count", "light_settings", "image", "proxy",
}  # fmt: skip
_APNS = {"headers", "payload", "fcm_options", "live_activity_token"}
_WEBPUSH = {"headers", "data", "notification", "fcm_options"}


class Violation(Exception):
    """The field that is wrong, and what is."""

    def __init__(self, field: str, told: str) -> None:
        super().__init__(told)
        self.field = field


def check(message: Any) -> None:
    """Raises Violation."""
    _object(message, "message", _TOP)
    targets = [name for name in _TARGETS if message.get(name) is not None]
    if len(targets) != 1:
        raise Violation("message", "Recipient of the message is not set.")
    token = message.get("token")
    if token is not None and (not isinstance(token, str) or not token or " " in token):
        raise Violation("message.token", "The registration token is not a valid token")
    _texts(message.get("data", {}), "message.data")
    for key in message.get("data", {}):
        if key in ("from", "message_type", "notification") or key.startswith(("google", "gcm.")):
            raise Violation("message.data", "Invalid data payload key")
    notification = message.get("notification", {})
    _object(notification, "message.notification", _NOTIFICATION)
    _texts(notification, "message.notification")
    _android(message.get("android", {}))
    _apns(message.get("apns", {}))
    _webpush(message.get("webpush", {}))
    _sizes(message)


def _android(android: Any) -> None:
    at = "message.android"
    _object(android, at, _ANDROID)
    if "ttl" in android:
        match = _DURATION.fullmatch(android["ttl"]) if isinstance(android["ttl"], str) else None
        if match is None or int(match[1]) > LONGEST_TTL:
            raise Violation(f"{at}.ttl", "Invalid TTL")
    if str(android.get("priority", "normal")).upper() not in ("HIGH", "NORMAL"):
        raise Violation(f"{at}.priority", "Invalid value")
    _texts(android.get("data", {}), f"{at}.data")
    _object(android.get("notification", {}), f"{at}.notification", _ANDROID_NOTIFICATION)


def _apns(apns: Any) -> None:
    at = "message.apns"
    _object(apns, at, _APNS)
    headers = apns.get("headers", {})
    _texts(headers, f"{at}.headers")
    if headers.get("apns-priority", "10") not in ("1", "5", "10"):
        raise Violation(f"{at}.headers[apns-priority]", "Invalid priority")
    if not headers.get("apns-expiration", "0").isdecimal():
        raise Violation(f"{at}.headers[apns-expiration]", "Invalid expiration")
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        raise Violation(f"{at}.headers[apns-collapse-id]", "Too long")
    payload = apns.get("payload", {})
    if not isinstance(payload, dict):
        raise Violation(f"{at}.payload", "Not an object")


def _webpush(webpush: Any) -> None:
    at = "message.webpush"
    _object(webpush, at, _WEBPUSH)
    headers = webpush.get("headers", {})
    _texts(headers, f"{at}.headers")
    if not headers.get("TTL", "0").isdecimal():
        raise Violation(f"{at}.headers[TTL]", "Invalid TTL")
    if headers.get("Urgency", "normal") not in ("very-low", "low", "normal", "high"):
        raise Violation(f"{at}.headers[Urgency]", "Invalid urgency")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,32}", headers.get("Topic", "")):
        raise Violation(f"{at}.headers[Topic]", "Invalid topic")
    _texts(webpush.get("data", {}), f"{at}.data")
    link = webpush.get("fcm_options", {}).get("link", "https://")
    if not link.startswith("https://"):
        raise Violation(f"{at}.fcm_options.link", "Not HTTPS")


def _sizes(message: dict[str, Any]) -> None:
    """Of what a device of each kind gets."""
    shared = [message.get("notification"), message.get("data")]
    for parts in (
        [*shared, message.get("android", {}).get("notification")],
        [*shared, message.get("apns", {}).get("payload")],
        [*shared, message.get("webpush", {}).get("notification")],
    ):
        size = sum(
            len(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())
            for part in parts
            if part
        )
        if size > MAXIMUM_BYTES:
            raise Violation("message", "Message too big")


def _object(value: Any, field: str, names: set[str]) -> None:
    if not isinstance(value, dict):
        raise Violation(field, "Not an object")
    if not names.issuperset(value):
        unknown = min(set(value) - names)
        raise Violation(field, f'Invalid JSON payload received. Unknown name "{unknown}"')


def _texts(value: Any, field: str) -> None:
    if not isinstance(value, dict):
        raise Violation(field, "Not an object")
    for place, one in enumerate(value.values()):
        if not isinstance(one, str):
            raise Violation(f"{field}[{place}].value", "Invalid value (TYPE_STRING)")
