"""Which pages may call: those of this server and of the listed origins, and programs, which say no
origin."""

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    said = _headers(scope, b"origin")
    if len(said) > 1:
        return False
    hosts = _headers(scope, b"host")
    return origins.allow(
        said[0] if said else None, scheme=scope["scheme"], host=hosts[0] if hosts else ""
    )


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for found, value in scope["headers"] if found == name]


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
        origin = next(iter(_headers(scope, b"origin")), None)
        if origin and scope["method"] == "OPTIONS" and _is_preflight(scope):
            await _preflight(origin)(scope, receive, send)
            return

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin:
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED_HEADERS)
            await send(message)

        await self._app(scope, receive, send_shared)


def _is_preflight(scope: Scope) -> bool:
    return bool(_headers(scope, b"access-control-request-method"))


def _preflight(origin: str) -> Response:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ", ".join(METHODS),
        "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    return Response(status_code=204, headers=headers)
