"""The way that nearly every request takes, ahead of the other routes."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Straight:
    """Sends what is posted to `path` to its `endpoint`, which answers everything itself, and what
    else there is on to the routes."""

    def __init__(self, app: ASGIApp, *, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        is_posted = scope["type"] == "http" and scope["method"] == "POST"
        if is_posted and scope["path"] == self._path and not scope.get("root_path"):
            await self._endpoint(scope, receive, send)
        else:
            await self._app(scope, receive, send)
