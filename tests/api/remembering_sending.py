"""Requests to an app in this process, straight to it, and in another one, through its pipes."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message

from server import clock
from server.clock import Instant
from server.storage.database import Address
from tests.api.calling import NOBODY, Api, Caller, Json
from tests.serving.servers import CHECKOUT, environment

LONGEST_LINE_BYTES = 2**24


def _body(document: str, variables: Json | None) -> bytes:
    return json.dumps({"query": document, "variables": variables or {}}).encode()


class Near(Api):
    """An app in this process, called without a client between, which costs more than the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def send(
        self,
        document: str,
        variables: Json | None = None,
        caller: Caller = NOBODY,
        *,
        at: Instant | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """One request, with the clock moved."""
        status, content = await self.posted(
            _body(document, variables), {**caller.headers, **headers}, at
        )
        return httpx2.Response(status, content=content)

    async def posted(
        self, body: bytes, headers: Mapping[str, str], at: Instant | None
    ) -> tuple[int, bytes]:
        """The status and the content of the answer."""
        sent = {"host": "laurel.test", "content-type": "application/json", **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "root_path": "",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("laurel.test", 80),
        }
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            told.append(message)

        with nullcontext() if at is None else clock.moved_to(at):
            await self._app(scope, receive, send)
        return told[0]["status"], b"".join(message.get("body", b"") for message in told[1:])


class Elsewhere(Api):
    """The app without memory in another process (`tests.api.remembering_elsewhere`)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def send(
        self,
        document: str,
        variables: Json | None = None,
        caller: Caller = NOBODY,
        *,
        at: Instant | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """One request, with that process's clock moved."""
        told = await self.tell(
            body=base64.b64encode(_body(document, variables)).decode(),
            headers={**caller.headers, **headers},
            at=at,
        )
        return httpx2.Response(told["status"], content=base64.b64decode(told["content"]))

    @asynccontextmanager
    async def opened(self, address: Address) -> AsyncIterator[None]:
        """Within the block the process has the database open."""
        await self.tell(engine=address.engine, location=address.location)
        yield
        await self.tell()

    async def tell(self, **what: object) -> Json:
        """The other process's answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        assert line, "the other process has ended"
        told: Any = json.loads(line)
        assert isinstance(told, dict)
        return told


@asynccontextmanager
async def another_process() -> AsyncIterator[Elsewhere]:
    """Another process, which ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tests.api.remembering_elsewhere",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=CHECKOUT,
        env=environment(),
        limit=LONGEST_LINE_BYTES,
    )
    try:
        yield Elsewhere(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
