"""The routes of the page and of its static files."""

import re
import secrets
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from server.edge.graphiql.assets import Assets, load_assets
from server.edge.graphiql.page import Example, SignInOptions, page_html, page_settings

_HARDENING = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
# A worker lives under the policy of its own script's answer, not under the page's.
_STATIC_POLICY = "default-src 'none'; script-src 'self'"


def graphiql_routes(
    *,
    graphql_path: str,
    examples: Sequence[Example],
    sign_in: SignInOptions,
    title: str = "GraphiQL",
    subscriptions_path: str | None = None,
    enabled: bool = True,
) -> list[BaseRoute]:
    """The page at `GET graphql_path` for those who accept HTML, and its static files below it.

    Put these routes before the one that answers GraphQL at the same path: a request that does
    not accept HTML passes by. With `subscriptions_path`, subscriptions run over a WebSocket
    there (graphql-transport-ws), with the tab's headers as connection parameters.
    """
    if not enabled:
        return []
    assets = load_assets()
    static_path = f"{graphql_path.rstrip('/')}/static/{assets.version}"
    settings = page_settings(
        graphql_path=graphql_path,
        examples=examples,
        sign_in=sign_in,
        subscriptions_path=subscriptions_path,
    )

    async def page(_request: Request) -> Response:
        nonce = secrets.token_urlsafe(18)
        html = page_html(title=title, settings=settings, static_path=static_path, nonce=nonce)
        headers = {
            **_HARDENING,
            "Content-Security-Policy": content_security_policy(nonce),
            "Cache-Control": "no-store",  # a nonce is for one answer
            "Vary": "Accept",
        }
        return HTMLResponse(html, headers=headers)

    def static(request: Request) -> Response:
        # Not async: the first request of a large file compresses it, which belongs in a thread.
        return _static_answer(request, assets)

    return [
        _HtmlRoute(graphql_path, page, methods=["GET"], include_in_schema=False),
        Route(f"{static_path}/{{name:path}}", static, methods=["GET"], include_in_schema=False),
    ]


def content_security_policy(nonce: str) -> str:
    """What the page may load: its own origin's files and nothing else.

    Script has no exception. Style has two, both for the Monaco editor: it adds style elements
    while it runs (each is given the nonce, see nonce.js), and it positions its lines with style
    attributes in the HTML that it builds, which no nonce can cover.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "worker-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            f"style-src-elem 'self' 'nonce-{nonce}'",
            "style-src-attr 'unsafe-inline'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class _HtmlRoute(Route):
    """A route that only those who ask for HTML by name reach; others go on to the next one."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Matches as a route does, then looks at the Accept header."""
        match, child_scope = super().matches(scope)
        # A partial match (another method) must not answer "method not allowed" for GraphQL.
        if match is not Match.FULL or not _accepts_html(scope):
            return Match.NONE, {}
        return match, child_scope


def _accepts_html(scope: Scope) -> bool:
    """Whether text/html itself is accepted; a wildcard is what programs send."""
    accept = ",".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"
    )
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type == "text/html":
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def _static_answer(request: Request, assets: Assets) -> Response:
    """One static file; its address holds the version, so it may be kept for ever."""
    asset = assets.files.get(request.path_params["name"])
    if asset is None:
        return Response(status_code=404, headers=_HARDENING)
    headers = {
        **_HARDENING,
        "Content-Security-Policy": _STATIC_POLICY,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    body, encoding = asset.body, None
    if "gzip" in request.headers.get("accept-encoding", "").lower() and asset.is_compressible:
        body, encoding = asset.gzipped, "gzip"
    if encoding:
        headers["Content-Encoding"] = encoding
    # Two encodings are two representations, so their tags differ.
    headers["ETag"] = f'"{asset.digest}{"-" + encoding if encoding else ""}"'
    if _etag_matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=asset.media_type, headers=headers)


def _etag_matches(if_none_match: str, etag: str) -> bool:
    """Compares weakly, as If-None-Match asks."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags
