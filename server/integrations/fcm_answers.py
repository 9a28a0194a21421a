"""What FCM's answers mean, read by firebase-admin: what became of a message. Import it late.

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode says what each error means, and
https://firebase.google.com/docs/cloud-messaging/scale-fcm when to try again.
"""

import email.utils
import json
import re
from datetime import UTC
from typing import Any, Final

from firebase_admin import exceptions, messaging

from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.integrations.fcm_transport import InDoubt, NotSent
from server.integrations.push import Outcome, OutcomeKind

__all__ = ["outcome"]

LONGEST_RETRY_AFTER_SECONDS: Final = 24 * 60 * 60
_FIELD: Final = re.compile(r"[a-zA-Z0-9_.\[\]-]{1,80}")
_NO_TOKEN: Final = "registration token"  # noqa: S105 - FCM's words for one that it can't read

# The library's errors, the narrower ones first.
_BY_ERROR: Final = (
    (messaging.UnregisteredError, OutcomeKind.UNREGISTERED),
    (messaging.SenderIdMismatchError, OutcomeKind.SENDER_ID_MISMATCH),
    (messaging.ThirdPartyAuthError, OutcomeKind.THIRD_PARTY_AUTH),
    (exceptions.ResourceExhaustedError, OutcomeKind.QUOTA_EXCEEDED),
    (exceptions.UnavailableError, OutcomeKind.UNAVAILABLE),
    (exceptions.InternalError, OutcomeKind.INTERNAL),
    (exceptions.UnauthenticatedError, OutcomeKind.AUTHENTICATION),
    (exceptions.PermissionDeniedError, OutcomeKind.AUTHENTICATION),
    (exceptions.DeadlineExceededError, OutcomeKind.IN_DOUBT),
)
# What the library has no error for.
_BY_CODE: Final = {
    "UNREGISTERED": OutcomeKind.UNREGISTERED,
    "SENDER_ID_MISMATCH": OutcomeKind.SENDER_ID_MISMATCH,
    "QUOTA_EXCEEDED": OutcomeKind.QUOTA_EXCEEDED,
}
# Where no error of Google's came with the status, something on the way may have answered.
_BY_STATUS: Final = {
    401: OutcomeKind.AUTHENTICATION,
    408: OutcomeKind.IN_DOUBT,
    429: OutcomeKind.QUOTA_EXCEEDED,
    500: OutcomeKind.INTERNAL,
    503: OutcomeKind.UNAVAILABLE,
}


def outcome(response: messaging.SendResponse) -> Outcome:
    """What became of the message that the library's response is about."""
    error = response.exception
    if error is None:
        return Outcome(kind=OutcomeKind.SENT, provider_id=response.message_id)
    cause = error.cause
    if isinstance(cause, NotSent):
        kind = OutcomeKind.AUTHENTICATION if cause.is_refused else OutcomeKind.UNAVAILABLE
        return Outcome(kind=kind, reason=cause.reason)
    if isinstance(cause, InDoubt) or error.http_response is None:
        return Outcome(kind=OutcomeKind.IN_DOUBT, reason=getattr(cause, "reason", "unknown"))
    return _answered(error)


def _answered(error: exceptions.FirebaseError) -> Outcome:
    response = error.http_response
    status = response.status_code
    after = _seconds(response.headers.get("Retry-After"))
    if not response.content:
        return Outcome(
            kind=_kind_of_status(status), retry_after_seconds=after, reason=f"HTTP {status}"
        )
    told = json.loads(response.content)["error"]
    if isinstance(error, exceptions.InvalidArgumentError):
        return _invalid(told)
    code = _code(told)
    found = next((kind for one, kind in _BY_ERROR if isinstance(error, one)), _BY_CODE.get(code))
    other = OutcomeKind.REFUSED if status < 500 else _kind_of_status(status)
    return Outcome(kind=found or other, retry_after_seconds=after, reason=code)


def _kind_of_status(status: int) -> OutcomeKind:
    """Of a server error that is not FCM's, nobody knows whether FCM was asked."""
    usual = OutcomeKind.IN_DOUBT if status >= 500 else OutcomeKind.UNAVAILABLE
    return _BY_STATUS.get(status, usual)


def _invalid(told: dict[str, Any]) -> Outcome:
    """Whether the token is no token, or the message no message.

    FCM names the field, or says in words that the token is none. What says neither is put down to
    the message: a campaign with a mistake in it must not cost all members their devices.
    """
    fields = [
        violation.get("field")
        for detail in told.get("details", [])
        if isinstance(violations := detail.get("fieldViolations"), list)
        for violation in violations
        if isinstance(violation, dict)
    ]
    is_token = set(fields) == {"message.token"} or (
        not fields and _NO_TOKEN in str(told.get("message")).lower()
    )
    kind = OutcomeKind.INVALID_TOKEN if is_token else OutcomeKind.INVALID_ARGUMENT
    known = [one for one in fields if isinstance(one, str) and _FIELD.fullmatch(one)]
    return Outcome(kind=kind, reason=" ".join([_code(told), *known[:3]]))


def _code(told: dict[str, Any]) -> str:
    """FCM's own code, or else Google's."""
    codes = [detail.get("errorCode") for detail in told.get("details", [])]
    for code in (*codes, told.get("status")):
        if isinstance(code, str) and _FIELD.fullmatch(code):
            return code
    return "UNKNOWN"


def _seconds(retry_after: str | None) -> int | None:
    """Of a Retry-After in seconds or with a date; None for none, and for what is neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isdecimal():
        return min(int(text[:9]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000" is UTC, whatever this machine's zone is
            moment = moment.replace(tzinfo=UTC)
        left = moment.timestamp() - system_now() / MICROSECONDS_PER_SECOND
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(int(left) + 1, 0), LONGEST_RETRY_AFTER_SECONDS)
