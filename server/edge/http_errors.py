"""Refusals outside of GraphQL: JSON of the same shape, over HTTP and to WebSocket handshakes."""

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.refusing import RequestRefused
from server.edge.reporting import report
from server.messages import preferred_language

MEDIA_TYPE = "application/json; charset=utf-8"


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of that name (in lower case), or None."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value).decode("latin-1")
    return None


def language_of(scope: Scope) -> str:
    """The caller's language."""
    return preferred_language(header_of(scope, b"accept-language"))


def body_of(refused: RequestRefused, language: str) -> bytes:
    """The refusal as JSON in UTF-8."""
    return msgspec.json.encode({"errors": refused.errors(language)})


def response_to(refused: RequestRefused, scope: Scope) -> Response:
    """The refusal as an answer, which nobody on the way keeps."""
    language = language_of(scope)
    headers = {**_headers(language), **refused.headers}
    return Response(body_of(refused, language), status_code=refused.status, headers=headers)


def _headers(language: str) -> dict[str, str]:
    return {
        "Content-Type": MEDIA_TYPE,
        "Content-Language": language,
        "Cache-Control": "no-store",
    }


async def refuse(refused: RequestRefused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request or a WebSocket handshake with the refusal."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        await send({"type": "websocket.close", "code": 1008})
        return
    await response_to(refused, scope)(scope, receive, send)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """The answer to an unknown path, another method, and the like."""
    assert isinstance(error, HTTPException)
    known = {404: ("NOT_FOUND", "http.not_found"), 405: ("METHOD_NOT_ALLOWED", "http.method")}
    code, key = known.get(error.status_code, ("BAD_REQUEST", "http.malformed"))
    refused = RequestRefused(code, key, status=error.status_code, headers=error.headers)
    return response_to(refused, request.scope)


class Defects:
    """Answers what is unexpected, outside of GraphQL too, with an id that the log holds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve. Raises the error again if an answer has begun."""
        has_started = False

        async def noting(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http" or has_started:
                raise
            language = language_of(scope)
            fault = report(error, where=scope["path"], language=language)
            body = msgspec.json.encode({"errors": [fault.shown]})
            status = 503 if fault.code == "UNAVAILABLE" else 500
            await Response(body, status, _headers(language))(scope, receive, send)
