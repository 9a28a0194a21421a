"""FCM's messages, encoded by firebase-admin. Import it late: the library is slow to load.

The library takes options as objects of its own; staff write them by the names of FCM's v1
reference. Here those names become those objects, and the library says whether the values fit.
"""

import base64
import hashlib
import re
from typing import Any, Final

import msgspec
from firebase_admin import messaging

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.integrations import fcm_options
from server.integrations.push import InvalidMessage, PushMessage

__all__ = ["as_json", "body", "encoded", "message_of"]

LONGEST_TTL_SECONDS: Final = 28 * 24 * 60 * 60
"""FCM keeps no message for longer than four weeks."""
LONGEST_APNS_COLLAPSE_ID: Final = 64
LONGEST_TOPIC: Final = 32
MAXIMUM_OPTIONS: Final = 64
_TOPIC: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_TOPIC}}}")
_RESERVED_KEYS: Final = frozenset({"from", "message_type", "notification"})
_RESERVED_STARTS: Final = ("google", "gcm.")


def encoded(message: PushMessage, *, now: Instant | None = None) -> dict[str, Any]:
    """The message as it goes over the wire. Raises InvalidMessage."""
    try:
        content: dict[str, Any] = messaging._MessagingService.encode_message(
            message_of(message, now=now)
        )
    except InvalidMessage:
        raise
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        # Its ValueErrors name the field; the others come of values that it does not expect there.
        told = (
            str(error) if type(error) is ValueError else "a value of a type that FCM does not take"
        )
        raise InvalidMessage(told) from None
    return content


def body(message: PushMessage) -> bytes:
    """What FCM is asked to send it. Raises InvalidMessage."""
    return as_json({"message": encoded(message)})


def as_json(content: object) -> bytes:
    """As UTF-8 JSON. Raises InvalidMessage for what is none."""
    try:
        return msgspec.json.encode(content)
    except (TypeError, ValueError, RecursionError):
        raise InvalidMessage("a text or an option that is not JSON") from None


def message_of(message: PushMessage, *, now: Instant | None = None) -> messaging.Message:
    """The library's own message. Raises InvalidMessage for what can't be one."""
    if not message.token:
        raise InvalidMessage("token: empty")
    android, apns, webpush = _options(message, system_now() if now is None else now)
    made = messaging.Message(
        notification=messaging.Notification(message.title, message.body, message.image),
        data=_data(message),
        android=android,
        apns=apns,
        webpush=webpush,
    )
    # As an argument the library warns of it, for each message; installation ids are not what the
    # apps register with.
    made.token = message.token
    return made


_Options = tuple[messaging.AndroidConfig, messaging.APNSConfig, messaging.WebpushConfig]
_made: dict[bytes, _Options] = {}
"""By all that they are made of: the messages of a campaign differ in their texts alone."""


def _options(message: PushMessage, now: Instant) -> _Options:
    expires_at = _expires_at(message, now)
    key = as_json(
        (
            message.image,
            message.link,
            message.collapse_key,
            message.ttl_seconds,
            expires_at,
            message.is_high_priority,
            message.android,
            message.apns,
            message.webpush,
        )
    )
    found = _made.get(key)
    if found is None:
        found = (_android(message), _apns(message, expires_at), _webpush(message))
        if len(_made) >= MAXIMUM_OPTIONS:
            _made.clear()
        _made[key] = found
    return found


# ---------------------------------------------------------------- what the fields say to each


def _data(message: PushMessage) -> dict[str, str]:
    data: dict[Any, Any] = dict(message.data)  # whatever the caller's document held
    if message.link is not None:
        data.setdefault("link", message.link)
    for key, value in data.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InvalidMessage("data: keys and values must be text")
        if key in _RESERVED_KEYS or key.startswith(_RESERVED_STARTS):
            raise InvalidMessage("data: a key that FCM keeps for itself")
    return data


def _ttl(message: PushMessage) -> int | None:
    if message.ttl_seconds is None:
        return None
    return min(max(message.ttl_seconds, 0), LONGEST_TTL_SECONDS)


def _android(message: PushMessage) -> messaging.AndroidConfig:
    options = {
        "priority": "high" if message.is_high_priority else "normal",
        "collapse_key": message.collapse_key,
        "ttl": _ttl(message),
        **fcm_options.group(message.android, "android"),
    }
    return fcm_options.android(options)


def _expires_at(message: PushMessage, now: Instant) -> int | None:
    """In seconds, as APNs wants it; at 0 it is delivered at once or not at all."""
    ttl = _ttl(message)
    return ttl and now // MICROSECONDS_PER_SECOND + ttl


def _apns(message: PushMessage, expires_at: int | None) -> messaging.APNSConfig:
    options = fcm_options.group(message.apns, "apns")
    headers = {"apns-priority": "10" if message.is_high_priority else "5"}
    if message.collapse_key:
        headers["apns-collapse-id"] = _collapse_id(message.collapse_key)
    if expires_at is not None:
        headers["apns-expiration"] = str(expires_at)
    options["headers"] = headers | fcm_options.group(options.get("headers"), "apns.headers")
    if message.image:
        # Without it iOS never asks the app's extension to fetch the picture.
        payload = fcm_options.group(options.get("payload"), "apns.payload")
        payload["aps"] = {"mutable-content": 1} | fcm_options.group(
            payload.get("aps"), "apns.payload.aps"
        )
        options["payload"] = payload
        own = fcm_options.group(options.get("fcm_options"), "apns.fcm_options")
        options["fcm_options"] = {"image": message.image} | own
    return fcm_options.apns(options)


def _webpush(message: PushMessage) -> messaging.WebpushConfig:
    options = fcm_options.group(message.webpush, "webpush")
    ttl = _ttl(message)
    headers = {"Urgency": "high" if message.is_high_priority else "normal"}
    if ttl is not None:
        headers["TTL"] = str(ttl)
    if message.collapse_key:
        headers["Topic"] = _topic(message.collapse_key)
    own = fcm_options.group(options.get("headers"), "webpush.headers")
    taken = {name.lower() for name in own}
    options["headers"] = {k: v for k, v in headers.items() if k.lower() not in taken} | own
    if message.link is not None and message.link.startswith("https://"):
        linked = fcm_options.group(options.get("fcm_options"), "webpush.fcm_options")
        options["fcm_options"] = {"link": message.link} | linked
    return fcm_options.webpush(options)


def _collapse_id(key: str) -> str:
    """The key as APNs takes it, or what stands for it: the same for the same key."""
    if len(key.encode()) <= LONGEST_APNS_COLLAPSE_ID and key.isascii() and key.isprintable():
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def _topic(key: str) -> str:
    """The key as push services of browsers take it (RFC 8030, 5.4), or what stands for it."""
    if _TOPIC.fullmatch(key):
        return key
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()[:24]).decode()
