"""How the server answers a message: as documented for each error, or not at all well."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Way(StrEnum):
    """What the server does with a message."""

    OK = "ok"
    # As documented.
    UNREGISTERED = "unregistered"
    SENDER_ID_MISMATCH = "sender_id_mismatch"
    INVALID_TOKEN = "invalid_token"  # what is no token: FCM says so in words
    INVALID_TOKEN_FIELD = "invalid_token_field"  # or by its field
    INVALID_ARGUMENT = "invalid_argument"  # another field
    QUOTA_EXCEEDED = "quota_exceeded"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    THIRD_PARTY_AUTH_ERROR = "third_party_auth_error"
    UNAUTHENTICATED = "unauthenticated"  # whatever the access token
    PERMISSION_DENIED = "permission_denied"  # the account may not send
    NOT_FOUND = "not_found"  # 404, but not of the token
    DEADLINE_EXCEEDED = "deadline_exceeded"  # sent, perhaps: FCM itself does not know
    # On the way.
    SLOW = "slow"  # sent, and answered after `seconds`
    SILENT = "silent"  # sent, and never answered
    RESET_BEFORE = "reset_before"  # not sent: the connection is reset when the request has come
    RESET_AFTER = "reset_after"  # sent, and reset instead of an answer
    CLOSE_AFTER = "close_after"  # sent, and closed in order instead of an answer
    GARBAGE = "garbage"  # sent; 200 with what is no JSON
    NOT_HTTP = "not_http"  # sent; what is no HTTP either
    NAMELESS = "nameless"  # sent; 200 with JSON that names no message
    NOT_AN_OBJECT = "not_an_object"  # sent; 200 with JSON that is none
    TRUNCATED = "truncated"  # sent; 200 and half of the body
    CUT_JSON = "cut_json"  # sent; 200 and a whole body of half the JSON
    HUGE = "huge"  # sent; 200 and a body of megabytes
    BAD_GATEWAY = "bad_gateway"  # sent; 502 of something on the way
    GATEWAY_TIMEOUT = "gateway_timeout"  # sent; 504
    REDIRECT = "redirect"  # not sent; 302 of something on the way
    NOT_FOUND_PAGE = "not_found_page"  # not sent; 404 of something on the way
    ODD_ERROR = "odd_error"  # not sent; 400 whose details are of another shape
    CUT_ERROR = "cut_error"  # not sent; 503, when to come back, and half of the body

    @property
    def is_delivered(self) -> bool:
        """Whether the phone shows it."""
        return self in _DELIVERED


_DELIVERED = {
    Way.OK,
    Way.SLOW,
    Way.SILENT,
    Way.RESET_AFTER,
    Way.CLOSE_AFTER,
    Way.GARBAGE,
    Way.NOT_HTTP,
    Way.NAMELESS,
    Way.NOT_AN_OBJECT,
    Way.TRUNCATED,
    Way.CUT_JSON,
    Way.HUGE,
    Way.BAD_GATEWAY,
    Way.GATEWAY_TIMEOUT,
    Way.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True)
class Conduct:
    """A way, with how long or what for."""

    way: Way
    retry_after: str | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, told: "Conduct | Way | str") -> "Conduct":
        """Of a way, or its name: "quota_exceeded", with what follows it "quota_exceeded=7"."""
        if isinstance(told, Conduct):
            return told
        name, _, value = str(told).partition("=")
        way = Way(name)
        if way is Way.SLOW:
            return cls(way, seconds=float(value or 1))
        return cls(way, retry_after=value or None)


_PHRASES = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def http(
    status: int, body: bytes, *, fields: dict[str, str] | None = None, missing: int = 0
) -> bytes:
    """An answer; `missing` bytes of the body never come."""
    head = [
        f"HTTP/1.1 {status} {_PHRASES[status]}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (fields or {}).items()),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body[: len(body) - missing]


def error(
    status: int,
    name: str,
    message: str,
    *,
    fcm: str | None = None,
    violated: str | None = None,
    fields: dict[str, str] | None = None,
) -> bytes:
    """An error of Google's, with FCM's own code and the field that is wrong, if any."""
    details: list[dict[str, Any]] = []
    if violated is not None:
        violation = {"field": violated, "description": message}
        details.append({"@type": BAD_REQUEST, "fieldViolations": [violation]})
    if fcm is not None:
        details.append({"@type": FCM_ERROR, "errorCode": fcm})
    content: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        content["details"] = details
    return http(status, json.dumps({"error": content}).encode(), fields=fields)


_NOT_A_TOKEN = "The registration token is not a valid FCM registration token"
_ERRORS: dict[Way, tuple[int, str, str, str | None, str | None]] = {
    Way.UNREGISTERED: (404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED", None),
    Way.SENDER_ID_MISMATCH: (
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        "SENDER_ID_MISMATCH",
        None,
    ),
    Way.INVALID_TOKEN: (400, "INVALID_ARGUMENT", _NOT_A_TOKEN, "INVALID_ARGUMENT", None),
    Way.INVALID_TOKEN_FIELD: (
        400,
        "INVALID_ARGUMENT",
        "Invalid registration token",
        "INVALID_ARGUMENT",
        "message.token",
    ),
    Way.INVALID_ARGUMENT: (
        400,
        "INVALID_ARGUMENT",
        "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
        None,
        "message.data[0].value",
    ),
    Way.QUOTA_EXCEEDED: (429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "QUOTA_EXCEEDED", None),
    Way.UNAVAILABLE: (503, "UNAVAILABLE", "The service is overloaded.", "UNAVAILABLE", None),
    Way.INTERNAL: (500, "INTERNAL", "Internal error encountered.", "INTERNAL", None),
    Way.THIRD_PARTY_AUTH_ERROR: (
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        "THIRD_PARTY_AUTH_ERROR",
        None,
    ),
    Way.UNAUTHENTICATED: (
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials.",
        None,
        None,
    ),
    Way.NOT_FOUND: (404, "NOT_FOUND", "Requested entity was not found.", None, None),
    Way.DEADLINE_EXCEEDED: (504, "DEADLINE_EXCEEDED", "Deadline exceeded.", None, None),
    Way.PERMISSION_DENIED: (
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied",
        None,
        None,
    ),
}
_HTML = b"<!DOCTYPE html><html><title>Error</title></html>"
_OTHERS: dict[Way, bytes] = {
    Way.GARBAGE: http(200, b"\xff\xfe<html>"),
    Way.NOT_HTTP: b"\x16\x03\x01\x00\x05hello",
    Way.NAMELESS: http(200, b'{"error": {"status": "OK"}}'),
    Way.NOT_AN_OBJECT: http(200, b'["name"]'),
    Way.TRUNCATED: http(200, b'{"name": "projects/p/messages/1"}', missing=20),
    Way.CUT_JSON: http(200, b'{"name": "projects/p/mess'),
    Way.HUGE: http(200, b'{"name": "' + b"x" * 4_000_000 + b'"}'),
    Way.BAD_GATEWAY: http(502, _HTML),
    Way.GATEWAY_TIMEOUT: http(504, _HTML),
    Way.REDIRECT: http(302, b"", fields={"Location": "http://127.0.0.1:1/login"}),
    Way.NOT_FOUND_PAGE: http(404, _HTML),
    Way.ODD_ERROR: http(
        400, b'{"error": {"status": "INVALID_ARGUMENT", "details": ["\\ud800", 1]}}'
    ),
    Way.CUT_ERROR: http(
        503, b'{"error": {"status": "UNAVAILABLE"}}', fields={"Retry-After": "7"}, missing=12
    ),
}
CLOSING = {Way.TRUNCATED, Way.CUT_ERROR, Way.NOT_HTTP, Way.CLOSE_AFTER}
RESETTING = {Way.RESET_BEFORE, Way.RESET_AFTER}
MUTE = {Way.SILENT, Way.RESET_BEFORE, Way.RESET_AFTER, Way.CLOSE_AFTER}


def answer(conduct: Conduct) -> bytes:
    """What is answered, where it is neither OK nor nothing."""
    if conduct.way in _OTHERS:
        return _OTHERS[conduct.way]
    status, name, message, fcm, violated = _ERRORS[conduct.way]
    fields = None if conduct.retry_after is None else {"Retry-After": conduct.retry_after}
    return error(status, name, message, fcm=fcm, violated=violated, fields=fields)
