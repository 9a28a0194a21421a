"""A server in this process, on a real socket, and clients that write and read as they like."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from server.edge.connections import Bounds
from server.serving import Serving, listening_socket, serving_beside

SECONDS_TO_ANSWER = 20.0


@dataclass
class Answer:
    """One answer: its status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> Any:
        """The code of its only error."""
        [error] = json.loads(self.body)["errors"]
        return error["extensions"]["code"]


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, text: str | bytes) -> None:
        """Sends it all."""
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def answer(self, *, has_body: bool = True) -> Answer:
        """The next answer."""
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            length = int(headers.get("content-length", "0")) if has_body else 0
            return Answer(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def seconds_until_closed(self) -> float:
        """How long until the server has closed the connection, whatever it writes before."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return loop.time() - start

    def close(self) -> None:
        """Goes away."""
        self.writer.transport.abort()


@dataclass
class Served:
    """A server, by its port."""

    port: int

    @asynccontextmanager
    async def client(self, *, receive_bytes: int | None = None) -> AsyncIterator[Client]:
        """A new connection, whose system keeps about `receive_bytes` that nobody has read."""
        connecting = socket.socket()
        if receive_bytes is not None:
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, ("127.0.0.1", self.port))
        limit = 65_536 if receive_bytes is None else 1_024
        client = Client(*await asyncio.open_connection(sock=connecting, limit=limit))
        try:
            yield client
        finally:
            client.close()

    async def get(self, path: str = "/", *, host: str = "localhost", headers: str = "") -> Answer:
        """The answer to one GET on a connection of its own."""
        async with self.client() as client:
            await client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")
            return await client.answer()


@asynccontextmanager
async def served(
    app: ASGIApp, bounds: Bounds, *, trusted_proxies: tuple[str, ...] = ()
) -> AsyncIterator[Served]:
    """The app within the bounds, on a port of this machine."""
    listening = listening_socket("127.0.0.1", 0)
    how = Serving(bounds=bounds, trusted_proxies=trusted_proxies)
    async with serving_beside(app, listening, how):
        yield Served(listening.getsockname()[1])
    listening.close()
