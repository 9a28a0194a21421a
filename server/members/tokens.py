"""Access and refresh tokens: how they're written and read. No input or output.

Both are functions of stored facts: the same session in the same generation always has the same
tokens, to the byte, so that a repeated request is answered the same and no token is ever stored.

Access tokens are JWTs (RFC 7519) by the best practices of RFC 8725. Who reads one believes nothing
of it before its signature was checked with a key of ours, which its header may only name. All that
is refused is refused alike; no refusal says or logs anything of the token.
"""

import base64
import binascii
import hmac
import json
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, TypeGuard

import jwt
import msgspec
from cryptography.exceptions import InvalidSignature

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import SessionRejected
from server.members.errors import AuthenticationFailed
from server.members.keys import KeyPair, KeyRing, is_key_id
from server.members.lifetimes import (
    ACCESS_TOKEN_SECONDS,
    MAXIMUM_CLOCK_SKEW_SECONDS,
    access_token_expiry,
    refresh_token_expiry,
)

ALGORITHM = "EdDSA"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's media type
MAXIMUM_ACCESS_TOKEN_LENGTH = 2048
# Three parts, the last of 64 bytes: neither a JWE, which has five, nor one without a signature.
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
_HEADER = {"alg", "kid", "typ"}
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")

_REFRESH_TOKEN_FACTS = struct.Struct(">QI")  # session id, generation
_REFRESH_TOKEN_CONTEXT = b"laurel refresh token 1:"
_REFRESH_TOKEN_LENGTH = 59  # base64 of 12 bytes of facts and 32 of signature


class OpenedSession(msgspec.Struct, frozen=True, tag="session"):
    """The facts that a session's tokens are made of; none of them is a secret."""

    account_id: int
    session_id: int
    generation: int  # how many refresh tokens it has had
    issued_at: Instant
    member_id: int | None
    staff_role: str | None
    opened_at: Instant | None = None  # the sign-in; missing in answers kept by older versions


class ShownRefreshToken(msgspec.Struct, frozen=True):
    """What a refresh token of ours says; whether it's still good, only the database knows."""

    session_id: int
    generation: int


class SessionTokens(msgspec.Struct, frozen=True):
    """A session's tokens: secrets for the device alone, never stored by the server."""

    access_token: str
    access_token_expires_at: Instant
    refresh_token: str
    refresh_token_expires_at: Instant


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a good access token says; whether the session still stands, only the database knows."""

    account_id: int
    session_id: int
    key_id: str
    expires_at: Instant


class UnknownKey(AuthenticationFailed):
    """The access token names a signing key that is not on the ring."""

    def __init__(self) -> None:
        super().__init__("unknown")


# ---------------------------------------------------------------- access tokens


def access_token(ring: KeyRing, session: OpenedSession) -> str:
    """The session's access token: a JWT that `read_access_token` takes for 10 minutes."""
    expires_at = access_token_expiry(session.issued_at, opened_at=_opened_at(session))
    claims: dict[str, str | int] = {
        "iss": ring.issuer,
        "aud": ring.audience,
        "sub": str(session.account_id),
        "sid": str(session.session_id),
        "kind": "member" if session.staff_role is None else "staff",
        "iat": session.issued_at // MICROSECONDS_PER_SECOND,
        "exp": expires_at // MICROSECONDS_PER_SECOND,
        "jti": f"{session.session_id}.{session.generation}",
    }
    if session.member_id is not None:
        claims["member"] = str(session.member_id)
    if session.staff_role is not None:
        claims["role"] = session.staff_role
    pair = ring.signing_pair(session.issued_at)
    headers = {"kid": pair.key_id, "typ": ACCESS_TOKEN_TYPE}
    return jwt.encode(claims, pair.private_key, algorithm=ALGORITHM, headers=headers)


def _opened_at(session: OpenedSession) -> Instant:
    return session.issued_at if session.opened_at is None else session.opened_at


def read_access_token(ring: KeyRing, token: str) -> AccessClaims:
    """What the token says, if this deployment made it as an access token and it has not expired.

    Raises UnknownKey for a key that is not on the ring, and AuthenticationFailed otherwise.
    """
    parts = _FORM.fullmatch(token) if len(token) <= MAXIMUM_ACCESS_TOKEN_LENGTH else None
    if parts is None:
        _refuse()
    header, payload, signature = parts.groups()
    pair = _named_pair(ring, _key_id_of(header))
    try:
        pair.public_key.verify(_decoded(signature), token.rpartition(".")[0].encode())
    except InvalidSignature:
        _refuse()
    return _claims(ring, _object(_decoded(payload)), pair)


def _refuse() -> NoReturn:
    raise AuthenticationFailed("malformed") from None


def _decoded(part: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        _refuse()
    # Unused bits in the last character would make several tokens of one.
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.encode():
        _refuse()
    return decoded


def _object(text: bytes) -> dict[str, Any]:
    """The JSON object, each name once and without what is no JSON."""
    try:
        value = _STRICTLY.decode(text.decode())
    except (ValueError, RecursionError):
        _refuse()
    if not isinstance(value, dict):
        _refuse()
    return value


def _without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name twice")
    return names


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_STRICTLY = json.JSONDecoder(object_pairs_hook=_without_repetitions, parse_constant=_no_constant)


@lru_cache(maxsize=64)
def _key_id_of(text: str) -> str:
    """The key that a token's header names; all tokens of one key have the same header."""
    header = _object(_decoded(text))
    # Nothing else is taken: no jku, x5u, jwk or x5c that brings a key along, no crit, no zip.
    if header.keys() != _HEADER or header["alg"] != ALGORITHM:
        _refuse()
    key_id = header["kid"]
    if header["typ"] != ACCESS_TOKEN_TYPE or not isinstance(key_id, str) or not is_key_id(key_id):
        _refuse()
    return key_id


def _named_pair(ring: KeyRing, key_id: str) -> KeyPair:
    pair = ring.pair(key_id)
    if pair is None:
        raise UnknownKey
    return pair


def _claims(ring: KeyRing, claims: dict[str, Any], pair: KeyPair) -> AccessClaims:
    account_id, session_id, name = (claims.get(one) for one in ("sub", "sid", "jti"))
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    is_ours = (
        claims.get("iss") == ring.issuer
        and claims.get("aud") == ring.audience  # exactly: no list with it in it
        and claims.get("kind") in ("member", "staff")
        and "nbf" not in claims  # of which we make none
    )
    if not (
        is_ours
        and _is_number(account_id)
        and _is_number(session_id)
        and isinstance(name, str)
        and name.partition(".")[0] == session_id
        and _is_number(name.partition(".")[2])
        and type(issued_at) is int
        and type(expires_at) is int
        and 0 <= expires_at - issued_at <= ACCESS_TOKEN_SECONDS
    ):
        _refuse()
    now = system_now()
    latest = now + MAXIMUM_CLOCK_SKEW_SECONDS * MICROSECONDS_PER_SECOND
    if issued_at * MICROSECONDS_PER_SECOND > latest:
        _refuse()
    expiry = Instant(expires_at * MICROSECONDS_PER_SECOND)
    if expiry <= now:
        raise AuthenticationFailed("expired")
    return AccessClaims(int(account_id), int(session_id), pair.key_id, expiry)


def _is_number(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


# ---------------------------------------------------------------- refresh tokens


def refresh_token(ring: KeyRing, *, session_id: int, generation: int) -> str:
    """The session's refresh token in that generation."""
    facts = _REFRESH_TOKEN_FACTS.pack(session_id, generation)
    signature = hmac.digest(ring.refresh_token_secret, _REFRESH_TOKEN_CONTEXT + facts, "sha256")
    return base64.urlsafe_b64encode(facts + signature).rstrip(b"=").decode()


def read_refresh_token(ring: KeyRing, token: str) -> ShownRefreshToken:
    """What a refresh token says, if it is one of ours. Raises SessionRejected."""
    if len(token) != _REFRESH_TOKEN_LENGTH or not token.isascii():
        raise SessionRejected("session.rejected")
    try:
        decoded = base64.urlsafe_b64decode(token + "=")
        session_id, generation = _REFRESH_TOKEN_FACTS.unpack_from(decoded)
    except (ValueError, struct.error) as error:
        raise SessionRejected("session.rejected") from error
    expected = refresh_token(ring, session_id=session_id, generation=generation)
    if not hmac.compare_digest(expected, token):
        raise SessionRejected("session.rejected")
    return ShownRefreshToken(session_id, generation)


def tokens_of(ring: KeyRing, session: OpenedSession) -> SessionTokens:
    """The session's tokens in its generation: the same every time."""
    opened_at = _opened_at(session)
    return SessionTokens(
        access_token=access_token(ring, session),
        access_token_expires_at=access_token_expiry(session.issued_at, opened_at=opened_at),
        refresh_token=refresh_token(
            ring, session_id=session.session_id, generation=session.generation
        ),
        refresh_token_expires_at=refresh_token_expiry(session.issued_at, opened_at=opened_at),
    )
