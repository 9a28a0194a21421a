"""Which pages may call: those of this server and of the listed origins, and programs, which say no
origin."""

from functools import lru_cache

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge import headers
from server.edge.http_errors import refuse
from server.edge.origins import Origins
from server.edge.refusing import RequestRefused

METHODS = ("GET", "POST", "OPTIONS")
REQUEST_HEADERS = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "If-None-Match",
    "Last-Event-ID",
    "Laurel-Simulated-Time",
    "traceparent",
    "tracestate",
    "X-Request-Id",
)
EXPOSED_HEADERS = ("ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id")
PREFLIGHT_SECONDS = 7_200


def is_allowed(scope: Scope, origins: Origins) -> bool:
    """Whether the request or the WebSocket handshake may come from where it says."""
    said = headers.texts(scope)
    origin = said.get("origin")
    if origin is None:
        return True
    if headers.count(scope, "origin") > 1:
        return False
    return origins.allow(origin, scheme=scope["scheme"], host=said.get("host", ""))


class CrossOrigin:
    """On `path`, refuses foreign pages with 403 before anything runs, and lets browsers show the
    answers to those that are allowed. Credentials are never: tokens travel in a header."""

    def __init__(self, app: ASGIApp, *, origins: Origins, path: str) -> None:
        self._app = app
        self._origins = origins
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve whoever may call."""
        if scope["type"] not in ("http", "websocket") or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        if not is_allowed(scope, self._origins):
            refused = RequestRefused(
                "ORIGIN_NOT_ALLOWED", "http.origin", status=403, headers={"Vary": "Origin"}
            )
            await refuse(refused, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        origin = headers.texts(scope).get("origin")
        if origin and scope["method"] == "OPTIONS" and _is_preflight(scope):
            await _preflight(origin)(scope, receive, send)
            return

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                _vary_by_origin(message)
                if origin:
                    shared = MutableHeaders(scope=message)
                    shared["Access-Control-Allow-Origin"] = origin
                    shared["Access-Control-Expose-Headers"] = ", ".join(EXPOSED_HEADERS)
            await send(message)

        await self._app(scope, receive, send_shared)


def _vary_by_origin(message: Message) -> None:
    sent = message["headers"]
    places = [place for place, (name, _) in enumerate(sent) if name == b"vary"]
    if len(places) == 1:
        [place] = places
        sent[place] = (b"vary", _and_origin(sent[place][1]))
    else:
        MutableHeaders(scope=message).add_vary_header("Origin")


@lru_cache(maxsize=64)
def _and_origin(vary: bytes) -> bytes:
    return vary + b", Origin"


def _is_preflight(scope: Scope) -> bool:
    return "access-control-request-method" in headers.texts(scope)


def _preflight(origin: str) -> Response:
    allowing = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ", ".join(METHODS),
        "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=allowing)
