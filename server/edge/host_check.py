"""Requests to other hosts are refused before anything runs."""

from collections.abc import Collection
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge import headers
from server.edge.hosts import Host, Hosts
from server.edge.http_errors import refuse
from server.edge.refusing import RequestRefused

_MALFORMED = ("BAD_REQUEST", "http.host_malformed", 400)
_OTHER = ("HOST_NOT_ALLOWED", "http.host", 421)
_LONGEST = 320
"""More than any host takes; what is longer is not remembered."""


class HostCheck:
    """Refuses requests to other hosts (421), and those that name none or several (400).

    The paths in `exempt` answer to all: probes come by address.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, exempt: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._exempt = exempt
        self._known = lru_cache(maxsize=256)(self._refusal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is meant for this server."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in self._exempt:
            host = headers.texts(scope)["host"] if headers.count(scope, "host") == 1 else ""
            refusal = self._known(host) if len(host) <= _LONGEST else _MALFORMED
            if refusal is not None:
                code, key, status = refusal
                refused = RequestRefused(code, key, status=status)
                await refuse(refused, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, named: str) -> tuple[str, str, int] | None:
        host = Host.of(named)
        if host is None:
            return _MALFORMED
        return None if self._hosts.allow(host) else _OTHER
