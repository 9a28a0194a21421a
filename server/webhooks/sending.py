"""One attempt to deliver a webhook: an HTTP request to an address that has just been checked."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from server.clock import Instant
from server.webhooks import guarding, rules
from server.webhooks.guarding import LookUp, PrivateAddress

TIMEOUT_SECONDS: Final = 15
"""For all of an attempt, the lookup of the host included."""
MAXIMUM_ANSWER_BYTES: Final = 16 * 1024
_ANSWER_SECONDS: Final = 2
"""What an answer says is read so that the endpoint's own client sees no broken connection."""
_AGENT = "Laurel-Webhooks/1"


class Answer(msgspec.Struct, frozen=True):
    """What an endpoint answered, or why it did not."""

    status: int | None = None  # HTTP
    error: str | None = None  # a word for the operator's lists; None if it was taken
    retry_after_seconds: int | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint has taken the event."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants no more of them, ever."""
        return self.status == 410


class Sender(Protocol):
    """Attempts deliveries."""

    async def send(self, url: str, headers: Mapping[str, str], body: str, now: Instant) -> Answer:
        """Attempt it once, whatever may happen."""


class _CheckedResolver(AbstractResolver):
    """Tells only addresses that are allowed: connections go to those, and to no others."""

    def __init__(self, look_up: LookUp | None) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await guarding.addresses_of(host, port, look_up=self._look_up)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing is held."""


class HttpSender:
    """Attempts deliveries by HTTP; redirects are not followed."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, url: str, headers: Mapping[str, str], body: str, now: Instant) -> Answer:
        """Attempt it once."""
        if (refused := _refused(url)) is not None:
            return refused
        try:
            async with self._session.post(
                URL(url, encoded=True),
                data=body.encode(),
                headers=headers,
                allow_redirects=False,
            ) as response:
                await _drain(response)
                return _answer_of(response, now)
        except aiohttp.ClientConnectorError as error:
            return Answer(error=_unreachable(error))
        except TimeoutError:
            return Answer(error="timeout")
        except (aiohttp.ServerConnectionError, OSError):
            return Answer(error="disconnected")
        except Exception:  # whatever it says: one endpoint's answer stops no other's deliveries
            return Answer(error="malformed answer")


def _refused(url: str) -> Answer | None:
    """Why nothing goes to the URL: addresses that stand in it are asked of no resolver."""
    try:
        guarding.host_of(url)
    except PrivateAddress:
        return Answer(error="private address")
    except ValueError:  # it was taken under other settings
        return Answer(error="refused URL")
    return None


def _answer_of(response: aiohttp.ClientResponse, now: Instant) -> Answer:
    if 200 <= response.status < 300:
        return Answer(response.status)
    asked = rules.retry_after_seconds(response.headers.get("Retry-After"), now)
    return Answer(response.status, f"HTTP {response.status}", asked)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a little of what the endpoint says besides its status, which alone counts."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            left = MAXIMUM_ANSWER_BYTES
            while left > 0 and (read := await response.content.read(left)):
                left -= len(read)
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    response.close()


def _unreachable(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "private address" if isinstance(error.os_error, PrivateAddress) else "unknown host"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS"
    return "unreachable"


@asynccontextmanager
async def http_sender(
    *, look_up: LookUp | None = None, timeout_seconds: float = TIMEOUT_SECONDS
) -> AsyncIterator[HttpSender]:
    """Within the block, what attempts deliveries. `look_up` stands in for the system's resolver."""
    connector = aiohttp.TCPConnector(
        resolver=_CheckedResolver(look_up),
        use_dns_cache=False,
        force_close=True,  # the next delivery looks the host up anew
        limit=0,  # whoever claims deliveries bounds how many there are at once
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        headers={"User-Agent": _AGENT, "Content-Type": "application/json", "Accept": "*/*"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # little is read, so that little can't become much
    ) as session:
        yield HttpSender(session)
