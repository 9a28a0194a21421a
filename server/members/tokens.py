"""Access and refresh tokens: how they're written and read. No input or output.

Both are functions of stored facts: the same session in the same generation always has the same
tokens, to the byte, so that a repeated request is answered the same and no token is ever stored.
"""

import base64
import hmac
import struct
from dataclasses import dataclass

import jwt
import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.errors import SessionRejected
from server.members.errors import AuthenticationFailed
from server.members.keys import KeyRing

ALGORITHM = "EdDSA"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's media type
ACCESS_TOKEN_SECONDS = 10 * 60
REFRESH_TOKEN_DAYS = 30
SECONDS_PER_DAY = 86_400
_REQUIRED_CLAIMS = ["iss", "aud", "sub", "sid", "kind", "iat", "exp", "jti"]

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


class UnknownKey(AuthenticationFailed):
    """The access token names a signing key that is not on the ring."""

    def __init__(self) -> None:
        super().__init__("unknown")


def access_token_expiry(issued_at: Instant) -> Instant:
    """When an access token issued then expires: on a whole second, as tokens count."""
    seconds = issued_at // MICROSECONDS_PER_SECOND + ACCESS_TOKEN_SECONDS
    return Instant(seconds * MICROSECONDS_PER_SECOND)


def access_token(ring: KeyRing, session: OpenedSession) -> str:
    """The session's access token: a JWT that `read_access_token` takes for 10 minutes."""
    claims: dict[str, str | int] = {
        "iss": ring.issuer,
        "aud": ring.audience,
        "sub": str(session.account_id),
        "sid": str(session.session_id),
        "kind": "member" if session.staff_role is None else "staff",
        "iat": session.issued_at // MICROSECONDS_PER_SECOND,
        "exp": access_token_expiry(session.issued_at) // MICROSECONDS_PER_SECOND,
        "jti": f"{session.session_id}.{session.generation}",
    }
    if session.member_id is not None:
        claims["member"] = str(session.member_id)
    if session.staff_role is not None:
        claims["role"] = session.staff_role
    pair = ring.signing_pair(session.issued_at)
    headers = {"kid": pair.key_id, "typ": ACCESS_TOKEN_TYPE}
    return jwt.encode(claims, pair.private_key, algorithm=ALGORITHM, headers=headers)


def read_access_token(ring: KeyRing, token: str) -> AccessClaims:
    """What the token says, if this deployment made it as an access token and it has not expired.

    Raises UnknownKey for a key that is not on the ring, and AuthenticationFailed otherwise.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise AuthenticationFailed("malformed") from error
    # The library checks the algorithm, but leaves the type to its callers.
    if header.get("typ") != ACCESS_TOKEN_TYPE or header.get("alg") != ALGORITHM:
        raise AuthenticationFailed("malformed")
    pair = ring.pair(header.get("kid"))
    if pair is None:
        raise UnknownKey
    try:
        claims = jwt.decode(
            token,
            pair.public_key,
            algorithms=[ALGORITHM],
            issuer=ring.issuer,
            audience=ring.audience,
            # iat is ours: a clock that runs a little behind must not refuse a fresh token.
            options={"require": _REQUIRED_CLAIMS, "strict_aud": True, "verify_iat": False},
        )
        return AccessClaims(int(claims["sub"]), int(claims["sid"]), pair.key_id)
    except jwt.ExpiredSignatureError as error:
        raise AuthenticationFailed("expired") from error
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise AuthenticationFailed("malformed") from error


def refresh_token_expiry(issued_at: Instant) -> Instant:
    """When a refresh token issued then expires, unless it's used."""
    return Instant(issued_at + REFRESH_TOKEN_DAYS * SECONDS_PER_DAY * MICROSECONDS_PER_SECOND)


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
    return SessionTokens(
        access_token=access_token(ring, session),
        access_token_expires_at=access_token_expiry(session.issued_at),
        refresh_token=refresh_token(
            ring, session_id=session.session_id, generation=session.generation
        ),
        refresh_token_expires_at=refresh_token_expiry(session.issued_at),
    )
