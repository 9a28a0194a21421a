"""The headers that every answer has: what browsers must not do with it."""

from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HSTS = (b"strict-transport-security", b"max-age=31536000")

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # Pages that are shown have policies of their own; everything else is data.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # Listed origins fetch with CORS, which this does not concern.
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class SecurityHeaders:
    """Adds the headers that an answer does not have yet.

    With `is_https` browsers are told to come by HTTPS only, for a year.
    """

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = (*SECURITY_HEADERS, HSTS) if is_https else SECURITY_HEADERS
        # Answers have one of a few sets of headers.
        self._lacking = lru_cache(maxsize=256)(self._lacking_beside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, with the headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = list(message.get("headers", ()))
                headers += self._lacking(tuple([name for name, _ in headers]))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _lacking_beside(self, names: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
        present = {name.lower() for name in names}
        return tuple(pair for pair in self._headers if pair[0] not in present)
