"""The certificates of the keys that Google signs Firebase's ID tokens with.

They are kept for as long as their server says, and one request at a time asks for them, whoever
waits. A key that is not among them makes them be read again at most once a minute, so that made-up
names ask nobody; after a failure nobody asks for a few seconds.
"""

import asyncio
import json
import re
from ssl import SSLContext
from typing import Any, Final

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now

CERTIFICATES_URL: Final = (
    "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
)
FETCH_SECONDS = 4
"""How long certificates are waited for, all in all."""
FAILURE_RETRY_SECONDS = 5
UNKNOWN_KEY_RETRY_SECONDS = 60
MINIMUM_KEPT_SECONDS = 60
MAXIMUM_KEPT_SECONDS = 86_400
MAXIMUM_BYTES = 100_000
_OK = 200
_MAXIMUM_AGE = re.compile(r"\bmax-age=(\d{1,9})\b", re.IGNORECASE)


class FirebaseUnavailable(Exception):
    """It can't be told now whom a token stands for; after `retry_after_seconds` it may be."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Google's certificates can't be read")
        self.retry_after_seconds = retry_after_seconds


class _Unreadable(Exception):
    """The answer holds no certificates."""


class Certificates:
    """What the server at the URL says, as the library's transport: it answers without asking."""

    def __init__(self, url: str) -> None:
        self.status = _OK
        self.data = b"{}"
        self.url = url
        self._names: frozenset[str] = frozenset()
        self._good_until = Instant(0)
        self._asked_at: Instant | None = None
        self._has_failed = False
        self._asking: asyncio.Task[None] | None = None
        self._tls: SSLContext | None = None

    def __call__(self, _url: str, **_request: Any) -> "Certificates":
        """The certificates, for the library: itself, which has `status` and `data`."""
        return self

    async def hold(self, key_id: str) -> bool:
        """Whether there is a certificate of the key, asking for it if that may be.

        Raises FirebaseUnavailable.
        """
        if not self._are_good() or (key_id not in self._names and self._may_look_again()):
            await self._ask()
        if not self._are_good() or (key_id not in self._names and self._has_failed):
            raise FirebaseUnavailable(FAILURE_RETRY_SECONDS)
        return key_id in self._names

    def _are_good(self) -> bool:
        return system_now() < self._good_until

    def _may_look_again(self) -> bool:
        seconds = FAILURE_RETRY_SECONDS if self._has_failed else UNKNOWN_KEY_RETRY_SECONDS
        return not self._has_asked_within(seconds)

    def _has_asked_within(self, seconds: int) -> bool:
        if self._asked_at is None:
            return False
        # A clock that was set back must not stop the asking.
        return 0 <= system_now() - self._asked_at < seconds * MICROSECONDS_PER_SECOND

    async def _ask(self) -> None:
        """Ask the server, or wait for who is asking; not soon after a failure."""
        if self._asking is None:
            if self._has_failed and self._has_asked_within(FAILURE_RETRY_SECONDS):
                return
            self._asking = asyncio.create_task(self._read())
        # Whoever stops waiting must not take the answer away from the others.
        await asyncio.shield(self._asking)

    async def _read(self) -> None:
        self._has_failed = True
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                data, kept_seconds = await self._fetched()
            self._names = _names(data)
        except (TimeoutError, OSError, _Unreadable):
            return
        else:
            self.data = data
            self._has_failed = False
            self._good_until = Instant(system_now() + kept_seconds * MICROSECONDS_PER_SECOND)
        finally:
            self._asked_at = system_now()
            self._asking = None

    async def _fetched(self) -> tuple[bytes, int]:
        """What the server answers, and for how many seconds it is good."""
        import httpx2  # noqa: PLC0415 - slow to load

        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        try:
            async with (
                httpx2.AsyncClient(verify=self._tls, follow_redirects=False) as client,
                client.stream("GET", self.url) as response,
            ):
                if response.status_code != _OK:
                    raise _Unreadable
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MAXIMUM_BYTES:
                        raise _Unreadable
                return bytes(data), _kept_seconds(response.headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _Unreadable from error


def _kept_seconds(headers: Any) -> int:
    """For how long an answer is good: what is left of its age, within bounds."""
    found = _MAXIMUM_AGE.search(headers.get("cache-control", ""))
    age = headers.get("age", "0")
    left = (int(found[1]) if found else 0) - (int(age) if age.isdecimal() else 0)
    return min(max(left, MINIMUM_KEPT_SECONDS), MAXIMUM_KEPT_SECONDS)


def _names(data: bytes) -> frozenset[str]:
    """The names of the keys. Raises _Unreadable for what are no certificates by name."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - only when read

    try:
        certificates = json.loads(data)
        for name, pem in certificates.items():
            if not isinstance(name, str) or not isinstance(pem, str):
                raise _Unreadable
            load_pem_x509_certificate(pem.encode())
    except (ValueError, AttributeError, RecursionError) as error:
        raise _Unreadable from error
    if not certificates:
        raise _Unreadable
    return frozenset(certificates)
