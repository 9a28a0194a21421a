"""HTTP under firebase-admin: aiohttp, in the place of the library's own client.

The library's asks again by itself, up to four times, and is slow. This one asks once, keeps its
connections, and tells apart what certainly was not sent from what may have been. The library goes
on encoding what is asked and reading what is answered, errors included. Import it late.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

import aiohttp
import httpx
import msgspec
from firebase_admin import _http_client

from server.integrations.fcm_tokens import AccessTokens, TokenUnavailable

__all__ = ["Answer", "Client", "InDoubt", "NotSent"]

ANSWER_SECONDS: Final = 10
"""How long an answer is waited for: Firebase asks for ten at least."""
CONNECT_SECONDS: Final = 3
"""How long a connection is waited for. Longer, and the quota would be of another minute's."""
CONNECTIONS: Final = 200
IDLE_SECONDS: Final = 30
MAXIMUM_ANSWER_BYTES: Final = 65_536
_THIRD_PARTY: Final = frozenset({"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"})


class NotSent(httpx.ConnectError):
    """FCM was not reached, or not asked. The words are a code."""

    def __init__(self, reason: str, *, is_refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refused = is_refused  # the operator's credentials are


class InDoubt(httpx.ReadError):
    """FCM was asked, and what it answered, if anything, can't be known. The words are a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Answer:
    """An answer that says that it was sent, as the library reads it."""

    __slots__ = ("_content",)

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def json(self) -> dict[str, Any]:
        """What it says."""
        return self._content


class Client:
    """What asks FCM, in the shape of the library's HttpxAsyncClient; for one event loop."""

    def __init__(
        self,
        tokens: AccessTokens,
        *,
        connections: int = CONNECTIONS,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Made in the event loop. Nothing is connected yet."""
        connect_seconds = min(timeout_seconds, CONNECT_SECONDS)
        self._tokens = tokens
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=3 * timeout_seconds,
                connect=connect_seconds,
                sock_connect=connect_seconds,
                sock_read=timeout_seconds,
            ),
            headers=_http_client.METRICS_HEADERS | {"Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=False,
        )

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], json: bytes
    ) -> Answer:
        """The answer to what is JSON already. Raises httpx.HTTPError, as the library expects.

        A refused access token is renewed, and the message sent with the new one: whoever is not
        known has sent nothing.
        """
        try:
            token = await self._tokens.token()
            status, fields, body = await self._asked(method, url, headers, json, token)
            if status == 401 and not _THIRD_PARTY & _fcm_codes(body):
                token = await self._tokens.other_than(token)
                status, fields, body = await self._asked(method, url, headers, json, token)
        except TokenUnavailable as error:
            raise NotSent(error.reason, is_refused=error.is_refused) from None
        if 200 <= status < 300:
            return _sent(body)
        request = httpx.Request(method, url)
        response = httpx.Response(status, headers=fields, content=_readable(body), request=request)
        raise httpx.HTTPStatusError(str(status), request=request, response=response)

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body. Raises NotSent or InDoubt."""
        status, fields = 0, dict[str, str]()
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers={**headers, "Authorization": f"Bearer {token}"},
                allow_redirects=False,
            ) as response:
                status, fields = response.status, _fields(response)
                return status, fields, await _content(response)
        except Exception as error:  # of one message: the library would give up all of them
            if status and not 200 <= status < 300:
                return status, fields, b""  # they say enough
            _raise_for(error, is_closed=self._session.closed)


def _raise_for(error: Exception, *, is_closed: bool) -> NoReturn:
    """What the failure means. Their own words may hold addresses."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        raise NotSent("timeout") from None
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        raise NotSent("unreachable") from None
    if isinstance(error, RuntimeError) and is_closed:
        raise NotSent("closed") from None
    if isinstance(error, TimeoutError):
        raise InDoubt("timeout") from None
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        raise InDoubt("malformed") from None
    raise InDoubt("reset") from None


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """The body, of which no more than MAXIMUM_ANSWER_BYTES are read."""
    if (response.content_length or 0) <= MAXIMUM_ANSWER_BYTES and not response.content.at_eof():
        first = await response.content.readany()
        if response.content.at_eof():
            return first
    else:
        first = b""
    read = bytearray(first)
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > MAXIMUM_ANSWER_BYTES:
            response.close()
            raise aiohttp.ClientPayloadError("too large")
    return bytes(read)


def _fields(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Of the headers, what anybody asks for."""
    after = response.headers.get("Retry-After")
    # httpx, whose form the library reads, stumbles over others.
    return {"Retry-After": after} if after is not None and after.isascii() else {}


# ---------------------------------------------------------------- what is answered


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _sent(body: bytes) -> Answer:
    """Raises InDoubt for what does not name the message that was sent."""
    content = _parsed(body)
    if not isinstance(content, dict):
        raise InDoubt("malformed")
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise InDoubt("malformed")
    return Answer(content)


def _error(body: bytes) -> dict[str, Any] | None:
    """Google's error, if it is one: on other things the library stumbles."""
    content = _parsed(body)
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("status", ""), str):
        return None
    details = error.get("details", [])
    if not isinstance(details, list) or not all(isinstance(one, dict) for one in details):
        return None
    return error


def _readable(body: bytes) -> bytes:
    """The body where it is Google's error, else nothing."""
    return b"" if _error(body) is None else body


def _fcm_codes(body: bytes) -> set[object]:
    error = _error(body) or {}
    return {str(detail.get("errorCode")) for detail in error.get("details", [])}
