"""What the server has been sent, and how it is told to behave. It knows no sockets."""

import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt
import msgspec

from tests.fcm import schema
from tests.fcm.conduct import MUTE, Conduct, Way, answer, error, http
from tests.fcm.credentials import ServiceAccount

_SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAXIMUM_BODY = 1_000_000


class Received(NamedTuple):
    """A message that has come."""

    token: str
    message: dict[str, Any]
    at: float  # time.monotonic(), which all processes of a machine share
    conduct: Conduct
    is_validate_only: bool

    @property
    def is_delivered(self) -> bool:
        """Whether the phone shows it, whatever the sender learns."""
        return self.conduct.way.is_delivered and not self.is_validate_only


class TokenWay(StrEnum):
    """How the token endpoint behaves."""

    OK = "ok"
    REFUSED = "refused"  # 400 invalid_grant
    UNAVAILABLE = "unavailable"  # 503
    GARBAGE = "garbage"  # 200 with what is no JSON
    NAMELESS = "nameless"  # 200 without a token
    SILENT = "silent"
    RESET = "reset"


@dataclass
class Fcm:
    """One project's FCM. Change the fields at any time, from any thread."""

    account: ServiceAccount
    usual: Conduct | Way = Way.OK
    by_token: dict[str, Conduct | Way] = field(default_factory=dict)
    script: deque[Conduct | Way] = field(default_factory=deque)
    """Of the next messages, whichever token; before all else."""
    chances: Sequence[tuple[float, Conduct | Way]] = ()
    random: Random = field(default_factory=lambda: Random(1))
    names_ways: bool = True
    """Whether a token such as "unregistered:7" says how it is dealt with."""
    keeps: bool = True
    """Whether what has come is kept in `received`; it is counted anyway."""
    log: Any = None  # a file: a line for each message, flushed
    token_way: TokenWay = TokenWay.OK
    token_seconds: int = 3600
    accepts: bool = True
    """Whether connections are held; else each is reset once it is made."""

    received: list[Received] = field(default_factory=list)
    count: int = 0  # messages that have come, well-formed and with a token that counts
    unauthorized: int = 0
    token_requests: int = 0
    connections: int = 0  # ever made
    _issued: dict[bytes, float] = field(default_factory=dict)

    # ------------------------------------------------------------ what tests ask

    def shown(self, token: str) -> list[Received]:
        """What the phone with the token has shown."""
        return [one for one in list(self.received) if one.token == token and one.is_delivered]

    def attempts(self, token: str) -> int:
        """How often a message for the token has come."""
        return sum(one.token == token for one in list(self.received))

    def expire_tokens(self) -> None:
        """No access token given out so far counts any more."""
        self._issued.clear()

    # ------------------------------------------------------------ messages

    def is_known(self, authorization: bytes) -> bool:
        """Whether it is an access token that counts."""
        expires_at = self._issued.get(authorization)
        return expires_at is not None and time.monotonic() < expires_at

    def take(self, project: str, authorization: bytes, body: bytes) -> tuple[Conduct, bytes]:
        """What is done with the message, and what is answered."""
        at = time.monotonic()
        if not self.is_known(authorization):
            self.unauthorized += 1
            return Conduct(Way.UNAUTHENTICATED), answer(Conduct(Way.UNAUTHENTICATED))
        if project != self.account.project:
            return Conduct(Way.PERMISSION_DENIED), answer(Conduct(Way.PERMISSION_DENIED))
        try:
            content = msgspec.json.decode(body)
            if not isinstance(content, dict) or not {"message", "validate_only"} >= set(content):
                raise schema.Violation("", "Invalid JSON payload received.")
            schema.check(content.get("message"))
        except (msgspec.DecodeError, UnicodeDecodeError, schema.Violation) as wrong:
            violated = getattr(wrong, "field", "")
            return Conduct(Way.INVALID_ARGUMENT), error(
                400, "INVALID_ARGUMENT", str(wrong), violated=violated
            )
        message, dry = content["message"], content.get("validate_only") is True
        token = message.get("token", "")
        conduct = self._conduct(token)
        self.count += 1
        received = Received(token, message, at, conduct, dry)
        if self.keeps:
            self.received.append(received)
        if self.log is not None:
            self._log(received)
        if conduct.way in (Way.OK, Way.SLOW):
            name = f"projects/{project}/messages/0:{self.count}%31bd1c9631bd1c96"
            return conduct, http(200, b'{\n  "name": "' + name.encode() + b'"\n}\n')
        return conduct, answer(conduct) if conduct.way not in MUTE else b""

    def _conduct(self, token: str) -> Conduct:
        if self.script:
            return Conduct.of(self.script.popleft())
        if token in self.by_token:
            return Conduct.of(self.by_token[token])
        if self.names_ways and ":" in token:
            name = token.partition(":")[0]
            if name.partition("=")[0] in _NAMES:
                return Conduct.of(name)
        for chance, conduct in self.chances:
            if self.random.random() < chance:
                return Conduct.of(conduct)
        return Conduct.of(self.usual)

    def _log(self, received: Received) -> None:
        line = {
            "token": received.token,
            "at": received.at,
            "way": received.conduct.way.value,
            "is_delivered": received.is_delivered,
            "notification": received.message.get("notification"),
            "data": received.message.get("data"),
        }
        self.log.write(msgspec.json.encode(line) + b"\n")
        self.log.flush()

    # ------------------------------------------------------------ access tokens

    def token_answer(self, body: bytes) -> bytes:
        """What the token endpoint answers; b"" for nothing."""
        self.token_requests += 1
        if self.token_way != TokenWay.OK:
            return _TOKEN_ANSWERS[self.token_way]
        refusal = self._refusal_of(parse_qs(body.decode()))
        if refusal is not None:
            code, told = refusal
            content = {"error": code, "error_description": told}
            return http(400, msgspec.json.encode(content))
        token = f"ya29.c.{secrets.token_urlsafe(24)}"
        self._issued[f"Bearer {token}".encode()] = time.monotonic() + self.token_seconds
        given = {
            "access_token": token,
            "expires_in": self.token_seconds,
            "token_type": "Bearer",
        }
        return http(200, msgspec.json.encode(given))

    def _refusal_of(self, fields: dict[str, list[str]]) -> tuple[str, str] | None:
        """Why the fields of a request bring no token."""
        if fields.get("grant_type") != [GRANT]:
            return "unsupported_grant_type", "Invalid grant_type"
        try:
            claims = jwt.decode(
                fields["assertion"][0],
                self.account.public_key,
                algorithms=["RS256"],
                audience=[GOOGLE_AUDIENCE, self.account.token_url],
                issuer=self.account.email,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except (jwt.InvalidTokenError, KeyError):
            return "invalid_grant", "Invalid JWT Signature."
        if not _SCOPES & set(str(claims.get("scope")).split()):
            return "invalid_scope", "Invalid OAuth scope or ID token audience provided."
        if claims["exp"] - claims["iat"] > 3600:
            return "invalid_grant", "Token must be a short-lived token"
        return None


_NAMES = {way.value for way in Way}


_TOKEN_ANSWERS = {
    TokenWay.UNAVAILABLE: http(503, b'{"error": "internal_failure"}'),
    TokenWay.REFUSED: http(400, b'{"error": "invalid_grant", "error_description": "no account"}'),
    TokenWay.GARBAGE: http(200, b"<html>"),
    TokenWay.NAMELESS: http(200, b'{"token_type": "Bearer"}'),
    TokenWay.SILENT: b"",
    TokenWay.RESET: b"",
}


def busiest(times: Iterable[float], seconds: float = 60.0) -> int:
    """The most of the times that any window of so many seconds holds."""
    most, window = 0, deque[float]()
    for at in sorted(times):
        window.append(at)
        while at - window[0] >= seconds:
            window.popleft()
        most = max(most, len(window))
    return most
