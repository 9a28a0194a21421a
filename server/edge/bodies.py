"""How large a request's body may be."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge import headers
from server.edge.http_errors import refuse
from server.edge.refusing import RequestRefused

MAXIMUM_BODY_BYTES = 1_000_000


class BodyLimit:
    """Refuses bodies above `MAXIMUM_BODY_BYTES` with 413: at once where the length is declared,
    while reading where it is not.

    Whoever reads the body meets the refusal as `RequestRefused`, and another one where the client
    goes away before it has sent everything: that is no defect, and nobody hears the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = headers.texts(scope).get("content-length")
        if declared and declared.isdecimal() and int(declared) > MAXIMUM_BODY_BYTES:
            await refuse(_too_large(int(declared)), scope, receive, send)
            return
        received_bytes = 0
        has_more = True
        has_started = False

        async def receive_within() -> Message:
            nonlocal received_bytes, has_more
            message = await receive()
            if message["type"] == "http.disconnect" and has_more:
                raise RequestRefused("REQUEST_TIMEOUT", "http.late", status=408)
            has_more = message.get("more_body", False)
            received_bytes += len(message.get("body", b""))
            if received_bytes > MAXIMUM_BODY_BYTES:
                raise _too_large(None)
            return message

        async def noting(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive_within, noting)
        except RequestRefused as refused:
            if has_started:
                raise
            await refuse(refused, scope, receive, send)


def _too_large(declared_bytes: int | None) -> RequestRefused:
    extensions = {"allowed": MAXIMUM_BODY_BYTES}
    if declared_bytes is not None:
        extensions = {"requested": declared_bytes, **extensions}
    return RequestRefused(
        "BODY_TOO_LARGE",
        "http.body",
        status=413,
        extensions=extensions,
        allowed=MAXIMUM_BODY_BYTES,
    )
