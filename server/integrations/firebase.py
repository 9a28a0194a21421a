"""Firebase Authentication: who the bearer of an ID token is.

The library checks the tokens; it is loaded with the first of them, since a server that is only
started needs none of it. What it leaves open is checked here, and the certificates of Google's keys
are read here, on the event loop: the library would read them in the thread of each token, without a
limit on how many wait there when Google does not answer.

Whether a user has been disabled, or their tokens revoked, only Google could say, for each sign-in
and with credentials of the operator's: it is not asked. An ID token ends by itself within an hour,
and a session that it has opened is this server's to end.
"""

import asyncio
import hashlib
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from server.clock import MICROSECONDS_PER_SECOND, system_now
from server.integrations.firebase_keys import CERTIFICATES_URL, Certificates, FirebaseUnavailable

__all__ = [
    "CERTIFICATES_URL",
    "Firebase",
    "FirebaseUnavailable",
    "IdTokenRejected",
    "IdTokens",
    "NoFirebase",
    "NotConfigured",
    "VerifiedIdentity",
    "id_tokens",
    "use",
]

CLOCK_SKEW_SECONDS = 10
"""By how much Google's clock may differ from this machine's."""
MAXIMUM_ID_TOKEN_LENGTH = 8192
MAXIMUM_SUBJECT_LENGTH = 128
MAXIMUM_PROVIDER_LENGTH = 32  # of the column that it is stored in
THREADS = 2
WAITING_LIMIT = 64
BUSY_RETRY_SECONDS = 1
ANONYMOUS_PROVIDER = "anonymous"


class IdTokenRejected(Exception):
    """It is no ID token of the project's that counts now; `is_expired` if it was one.

    The message never holds the token.
    """

    def __init__(self, *, is_expired: bool = False) -> None:
        super().__init__("expired" if is_expired else "malformed")
        self.is_expired = is_expired


class NotConfigured(Exception):
    """No Firebase project is named in the settings."""


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """Whom an ID token stands for. What is None is not known to Firebase."""

    provider: str  # whose identity it is: "firebase/<project>", at most 32 characters
    subject: str  # the user's unchanging id there: 1 to 128 printable characters
    signed_in_by: str  # Firebase's name of the way: "password", "phone", "google.com", "anonymous"
    email: str | None = None
    email_is_verified: bool = False  # whether the bearer has shown that the address is theirs
    name: str | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody has signed in: an app's placeholder for a user to come."""
        return self.signed_in_by == ANONYMOUS_PROVIDER


class IdTokens(Protocol):
    """What tells whom ID tokens stand for."""

    async def identity(self, id_token: str) -> VerifiedIdentity:
        """Whom the token stands for.

        Raises IdTokenRejected, FirebaseUnavailable if it can't be told at the moment, and
        NotConfigured.
        """
        ...


class NoFirebase:
    """Where no project is named: no token stands for anybody."""

    async def identity(self, id_token: str) -> VerifiedIdentity:
        """Raises NotConfigured."""
        raise NotConfigured


class Firebase:
    """The ID tokens of one Firebase project."""

    def __init__(
        self, project: str, *, certificates_url: str | None = None, is_emulated: bool = False
    ) -> None:
        """Nothing is loaded or asked for yet.

        With `is_emulated` the tokens are the Auth emulator's, which nobody signs: anybody can make
        one. The library is in that mode if FIREBASE_AUTH_EMULATOR_HOST is set for the process, and
        each check fails unless both are of one mind.
        """
        self.project = project
        self.is_emulated = is_emulated
        self._certificates = Certificates(certificates_url or CERTIFICATES_URL)
        self._client: Any = None

    async def identity(self, id_token: str) -> VerifiedIdentity:
        """Whom the token stands for; see `IdTokens`."""
        if not 1 <= len(id_token) <= MAXIMUM_ID_TOKEN_LENGTH or not id_token.isascii():
            raise IdTokenRejected
        if self._client is None:
            self._client = await _in_pool(self._loaded_client)
        if not self.is_emulated and not await self._certificates.hold(_key_id(id_token)):
            raise IdTokenRejected
        claims = await _in_pool(lambda: self._claims(id_token))
        return _identity(claims, provider_name(self.project, is_emulated=self.is_emulated))

    def _loaded_client(self) -> Any:
        from firebase_admin import App, auth, credentials  # noqa: PLC0415 - slow to load

        class Nobody(credentials.Base):  # type: ignore[misc] # it has no types
            """Credentials for nothing: checking a token takes none."""

            def get_credential(self) -> None:
                return None

        client = auth.Client(App("laurel", Nobody(), {"projectId": self.project}))
        # The library has no other way to say where the certificates come from.
        client._token_verifier.request = self._certificates
        return client

    def _claims(self, id_token: str) -> dict[str, Any]:
        """What the token says, checked by the library. In a thread."""
        from firebase_admin import _auth_utils, auth  # noqa: PLC0415 - slow to load

        if _auth_utils.is_emulated() != self.is_emulated:
            raise RuntimeError("firebase-admin and the settings differ about the Auth emulator")
        try:
            claims: dict[str, Any] = self._client.verify_id_token(
                id_token, clock_skew_seconds=CLOCK_SKEW_SECONDS
            )
        except auth.ExpiredIdTokenError:
            raise IdTokenRejected(is_expired=True) from None
        except (auth.InvalidIdTokenError, ValueError, TypeError, RecursionError, OverflowError):
            # What it says of the token may hold the token.
            raise IdTokenRejected from None
        return claims


# ---------------------------------------------------------------- what a token says


def provider_name(project: str, *, is_emulated: bool = False) -> str:
    """What identities of the project are stored under: "firebase/<project>", at most 32 characters.

    The end of a longer one is replaced by a hash of all. Identities of the emulator, which anybody
    can make, have a name of their own: they sign in to nothing where the real ones count.
    """
    name = f"{'firebase-emulator' if is_emulated else 'firebase'}/{project}"
    if len(name) <= MAXIMUM_PROVIDER_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: MAXIMUM_PROVIDER_LENGTH - 1 - len(digest)]}~{digest}"


def _key_id(id_token: str) -> str:
    """The name of the key that the token says it is signed with. Raises IdTokenRejected."""
    import jwt  # noqa: PLC0415 - it comes with the client

    try:
        header = jwt.get_unverified_header(id_token)
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
        raise IdTokenRejected from None
    key_id = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(key_id, str) or not key_id:
        raise IdTokenRejected
    return key_id


def _identity(claims: dict[str, Any], provider: str) -> VerifiedIdentity:
    """The identity in what the library has checked; it leaves these things open.

    Its tenants have users of their own, who may be called like the project's: theirs are refused.
    """
    _check_times(claims)
    subject, firebase = claims.get("sub"), claims.get("firebase")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAXIMUM_SUBJECT_LENGTH:
        raise IdTokenRejected
    if not subject.isprintable() or not isinstance(firebase, dict):
        raise IdTokenRejected
    signed_in_by = firebase.get("sign_in_provider")
    if not isinstance(signed_in_by, str) or not signed_in_by or "tenant" in firebase:
        raise IdTokenRejected
    return VerifiedIdentity(
        provider,
        subject,
        signed_in_by,
        email=_text(claims, "email"),
        email_is_verified=claims.get("email_verified") is True,
        name=_text(claims, "name"),
    )


def _check_times(claims: dict[str, Any]) -> None:
    """The token has not expired and the user has signed in before now.

    The library does not look at the sign-in, and with the emulator not at the expiry either.
    """
    now = system_now() / MICROSECONDS_PER_SECOND
    signed_in_at, issued_at, expires_at = (
        _seconds(claims, name) for name in ("auth_time", "iat", "exp")
    )
    if max(signed_in_at, issued_at) > now + CLOCK_SKEW_SECONDS:
        raise IdTokenRejected
    if expires_at < now - CLOCK_SKEW_SECONDS:
        raise IdTokenRejected(is_expired=True)


def _seconds(claims: dict[str, Any], name: str) -> int | float:
    """A time as tokens count it. Raises IdTokenRejected for what is none."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise IdTokenRejected
    return value


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None


# ---------------------------------------------------------------- beside the event loop

_Answer = TypeVar("_Answer")

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="firebase")
_places = threading.BoundedSemaphore(THREADS + WAITING_LIMIT)


async def _in_pool(work: Callable[[], _Answer]) -> _Answer:
    """What the work answers in one of a few threads; who would wait too long is refused."""
    if not _places.acquire(blocking=False):
        raise FirebaseUnavailable(BUSY_RETRY_SECONDS)
    try:
        future = _pool.submit(work)
    except BaseException:
        _places.release()
        raise
    # The place is free when the work ends, even if the one who asked for it has gone.
    future.add_done_callback(lambda _future: _places.release())
    return await asyncio.wrap_future(future)


# ---------------------------------------------------------------- which one is in use

_in_use: IdTokens = NoFirebase()


def use(tokens: IdTokens) -> None:
    """From now on this process takes these ID tokens; the composition root decides which."""
    global _in_use  # noqa: PLW0603 - the one place that holds it
    _in_use = tokens


def id_tokens() -> IdTokens:
    """The ID tokens that this process takes."""
    return _in_use
