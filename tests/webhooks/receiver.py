"""A shop's system on this machine that takes webhooks over real sockets, and may misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from standardwebhooks import Webhook

from server.webhooks import guarding

Json = dict[str, Any]
Behaviour = Callable[["Request"], bytes | None]
"""What is written in answer, raw; None keeps the connection open and says nothing."""


@dataclass(frozen=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Json:
        message: Json = msgspec.json.decode(self.body)
        return message

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Whether the library that receivers use takes it for genuine."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except Exception:
            return False
        return True


def answer(status: int = 200, body: bytes = b"ok", **headers: str) -> bytes:
    """A plain answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Receiver:
    """What was received, in order, and how it is answered."""

    url: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    behave: Behaviour = lambda _request: answer()
    at_once: int = 0
    most_at_once: int = 0
    pause: asyncio.Event = field(default_factory=asyncio.Event)
    """Unset, it keeps who asks waiting."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody has connected."""

    def __post_init__(self) -> None:
        self.pause.set()

    @property
    def kinds(self) -> list[str]:
        return [request.message["type"] for request in self.requests]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.begun.set()
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            request = await _read(reader)
            await self.pause.wait()
            self.requests.append(request)
            said = self.behave(request)
            if said is None:
                await reader.read()  # until the other side gives up
            else:
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {
        name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)
    }
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(first.split(" ")[1], headers, body)


@asynccontextmanager
async def receiving(behave: Behaviour | None = None) -> AsyncIterator[Receiver]:
    """Within the block it listens on loopback, and the server may call it there."""
    receiver = Receiver()
    if behave is not None:
        receiver.behave = behave
    listening = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.port = listening.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{receiver.port}/hooks"
    before = guarding.policy()
    guarding.use(guarding.Policy(allows_private=True))
    try:
        yield receiver
    finally:
        guarding.use(before)
        listening.close()
        await listening.wait_closed()
