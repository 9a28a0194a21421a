"""Push messages to phones and browsers: what is sent, what came of it, and who sends it.

What sends them for real is `fcm.FirebasePusher`. Each call tries each message once: what to try
again, and when, is the caller's to say, by what the outcome tells (`Outcome.is_retryable`,
`pause_seconds`).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from server.clock import Instant

__all__ = [
    "MAXIMUM_BATCH",
    "MAXIMUM_PAYLOAD_BYTES",
    "InvalidMessage",
    "NoPush",
    "Outcome",
    "OutcomeKind",
    "PushMessage",
    "Pusher",
    "pause_seconds",
    "payload_bytes",
    "pusher",
    "use",
    "wire",
]

MAXIMUM_BATCH: Final = 500
"""Messages in a call."""
MAXIMUM_PAYLOAD_BYTES: Final = 4096
"""Of a message, all but the token: FCM takes no more."""

FIRST_PAUSE_SECONDS: Final = 10
QUOTA_PAUSE_SECONDS: Final = 60
LONGEST_PAUSE_SECONDS: Final = 3600


class InvalidMessage(ValueError):
    """Firebase takes no such message. It says where it is wrong, not what is there."""


class PushMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one device.

    `android`, `apns` and `webpush` are further options by the names of FCM's v1 reference
    (`{"notification": {"channel_id": "offers"}}`); where they say what the fields above them say
    too, the options win. The link is in the data as well, as `link`, unless the data has its own.
    """

    token: str
    title: str
    body: str
    data: dict[str, str] = {}
    image: str | None = None
    link: str | None = None
    collapse_key: str | None = None
    ttl_seconds: int | None = None
    is_high_priority: bool = False
    android: Mapping[str, Any] | None = None
    apns: Mapping[str, Any] | None = None
    webpush: Mapping[str, Any] | None = None


class OutcomeKind(StrEnum):
    """What became of one attempt to send one message."""

    SENT = "sent"  # FCM has taken it
    IN_DOUBT = "in_doubt"  # FCM may have taken it: it was asked, and its answer did not arrive

    # Not sent, and won't be.
    UNREGISTERED = "unregistered"  # the app is gone from the device: the token is dead
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - it never was a token
    SENDER_ID_MISMATCH = "sender_id_mismatch"  # the token is another project's
    INVALID_ARGUMENT = "invalid_argument"  # the message is wrong; the token may be fine
    THIRD_PARTY_AUTH = "third_party_auth"  # the project's APNs key or web push key is refused
    REFUSED = "refused"  # for a reason that is none of these
    NOT_SET = "not_set"  # no project is set

    # Not sent; trying again later may help.
    QUOTA_EXCEEDED = "quota_exceeded"
    UNAVAILABLE = "unavailable"  # FCM or the way there is out of order
    INTERNAL = "internal"  # FCM has failed
    AUTHENTICATION = "authentication"  # the operator's credentials are refused


_RETRYABLE: Final = frozenset(
    {
        OutcomeKind.QUOTA_EXCEEDED,
        OutcomeKind.UNAVAILABLE,
        OutcomeKind.INTERNAL,
        OutcomeKind.AUTHENTICATION,
    }
)
_DEAD: Final = frozenset(
    {OutcomeKind.UNREGISTERED, OutcomeKind.INVALID_TOKEN, OutcomeKind.SENDER_ID_MISMATCH}
)
_ARRIVED: Final = frozenset({OutcomeKind.SENT, OutcomeKind.IN_DOUBT})


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt. The reason is a code: it holds no token and no text."""

    kind: OutcomeKind
    provider_id: str | None = None  # FCM's name of the message, where it was sent
    retry_after_seconds: int | None = None  # as FCM asks
    reason: str | None = None

    @property
    def may_have_arrived(self) -> bool:
        """Whether the device may show it: to send it again may show it twice."""
        return self.kind in _ARRIVED

    @property
    def is_retryable(self) -> bool:
        """Whether it was certainly not sent, and trying again later may help."""
        return self.kind in _RETRYABLE

    @property
    def is_token_dead(self) -> bool:
        """Whether this token will never take a message of this project: it is to be forgotten."""
        return self.kind in _DEAD


class Pusher(Protocol):
    """Who sends push messages."""

    @property
    def is_set(self) -> bool:
        """Whether messages are sent at all."""
        ...

    async def send(self, messages: Sequence[PushMessage]) -> list[Outcome]:
        """What became of each, in their order: at most 500, one attempt each. Of none, it gets
        what the first message would wait for.

        Nothing is raised for a message, nor for a provider that is away. Awaited in one event
        loop; a caller who is cancelled does not know what was sent.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class NoPush:
    """Where no project is set: nothing is sent."""

    is_set = False

    async def send(self, messages: Sequence[PushMessage]) -> list[Outcome]:
        """NOT_SET for each."""
        return [Outcome(kind=OutcomeKind.NOT_SET, reason="not_set") for _ in messages]

    async def close(self) -> None:
        """There is nothing to let go of."""


# ---------------------------------------------------------------- what is sent


def wire(message: PushMessage, *, now: Instant | None = None) -> dict[str, Any]:
    """The message as FCM's HTTP v1 takes it, encoded by firebase-admin, as if it were sent `now`.
    Raises InvalidMessage."""
    from server.integrations import fcm_messages  # noqa: PLC0415 - the library is slow to load

    return fcm_messages.encoded(message, now=now)


def payload_bytes(message: PushMessage) -> int:
    """How much of MAXIMUM_PAYLOAD_BYTES it takes: all of `wire` but the token, as UTF-8 JSON.

    FCM counts less, by device: what fits here fits on all of them. Raises InvalidMessage.
    """
    from server.integrations import fcm_messages  # noqa: PLC0415 - the library is slow to load

    content = fcm_messages.encoded(message)
    content.pop("token", None)
    return len(fcm_messages.as_json(content))


# ---------------------------------------------------------------- when to try again


def pause_seconds(
    attempt: int,
    retry_after_seconds: int | None,
    jitter: float,
    *,
    kind: OutcomeKind = OutcomeKind.UNAVAILABLE,
) -> float:
    """How long to wait after the attempt, which are counted from 1; `jitter` is from 0 to 1.

    As Firebase asks: at least what Retry-After says; without it a minute where the quota was
    exceeded, else ten seconds, and twice as long after each attempt, up to an hour. The jitter
    only adds, up to a half.
    """
    first = QUOTA_PAUSE_SECONDS if kind is OutcomeKind.QUOTA_EXCEEDED else FIRST_PAUSE_SECONDS
    doublings = min(max(attempt, 1) - 1, 16)
    pause = min(first << doublings, LONGEST_PAUSE_SECONDS)
    if retry_after_seconds is not None:
        pause = max(retry_after_seconds, pause if attempt > 1 else 0)
    return pause * (1 + min(max(jitter, 0.0), 1.0) / 2)


# ---------------------------------------------------------------- which one is in use

_in_use: Pusher = NoPush()


def use(pusher: Pusher) -> None:
    """From now on this process sends by this one; the composition root decides which."""
    global _in_use  # noqa: PLW0603 - the one place that holds it
    _in_use = pusher


def pusher() -> Pusher:
    """Who sends this process's messages."""
    return _in_use
