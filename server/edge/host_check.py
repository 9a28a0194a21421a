"""Requests to other hosts are refused before anything runs."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.hosts import Host, Hosts
from server.edge.http_errors import refuse
from server.edge.refusing import RequestRefused


class HostCheck:
    """Refuses requests to other hosts (421), and those that name none or several (400).

    The paths in `exempt` answer to all: probes come by address.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, exempt: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is meant for this server."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in self._exempt:
            headers = [value for name, value in scope["headers"] if name == b"host"]
            host = Host.of(headers[0].decode("latin-1")) if len(headers) == 1 else None
            if host is None:
                refused = RequestRefused("BAD_REQUEST", "http.host_malformed", status=400)
                await refuse(refused, scope, receive, send)
                return
            if not self._hosts.allow(host):
                refused = RequestRefused("HOST_NOT_ALLOWED", "http.host", status=421)
                await refuse(refused, scope, receive, send)
                return
        await self._app(scope, receive, send)
