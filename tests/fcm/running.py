"""The server in a thread of this process, or in a process of its own."""

import asyncio
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from tests.fcm.credentials import PROJECT, service_account
from tests.fcm.fcm import Fcm
from tests.fcm.protocol import Protocol

_Answer = TypeVar("_Answer")
START_SECONDS = 30


class ServedFcm(Fcm):
    """FCM at a port of this machine, in an event loop of its own."""

    url: str = ""
    port: int = 0
    _loop: asyncio.AbstractEventLoop
    _server: asyncio.Server | None = None
    _connections: set[Protocol]

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    def down(self) -> None:
        """Connections are refused, and those that there are are reset."""
        self._do(self._go_down)

    def up(self) -> None:
        """It listens again, at the same port."""
        self._do(self.listen)

    def drop(self) -> None:
        """All connections are reset."""
        self._do(self._drop)

    async def listen(self) -> None:
        """In its own loop."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Protocol(self, self._connections), "127.0.0.1", self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def _go_down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._drop()

    async def _drop(self) -> None:
        for connection in list(self._connections):
            connection.reset()
        await asyncio.sleep(0)

    def _do(self, verb: Callable[[], Awaitable[_Answer]]) -> _Answer:
        async def done() -> _Answer:
            return await verb()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(START_SECONDS)


async def _started(fcm: ServedFcm) -> None:
    fcm._connections = set()
    fcm._loop = asyncio.get_running_loop()
    await fcm.listen()


def made(*, project: str = PROJECT, port: int = 0) -> ServedFcm:
    """One that does not listen yet."""
    fcm = ServedFcm(service_account("", project=project))
    fcm.port = port
    return fcm


async def listening(fcm: ServedFcm) -> None:
    """It listens in the running loop, and its account's tokens come from it."""
    await _started(fcm)
    fcm.account = service_account(fcm.token_url, project=fcm.account.project)


@contextmanager
def serving(*, project: str = PROJECT, port: int = 0) -> Iterator[ServedFcm]:
    """FCM in a thread."""
    fcm = made(project=project, port=port)
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fcm", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(listening(fcm), loop).result(START_SECONDS)
        yield fcm
    finally:
        if fcm.url:
            fcm.down()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what the server is to see."""
    async with asyncio.timeout(START_SECONDS):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)


# ---------------------------------------------------------------- a process of its own


@dataclass
class FcmProcess:
    """FCM in another process."""

    process: "subprocess.Popen[str]"
    url: str
    credentials: Path
    log: Path | None

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    def tell(self, **told: Any) -> dict[str, int]:
        """Change how it behaves: usual, by_token, script, chances, token_way, accepts,
        expire_tokens. Answers with what it has counted."""
        request = urllib.request.Request(  # noqa: S310 - it is this machine's
            f"{self.url}/_control", data=json.dumps(told).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:  # noqa: S310
            counted: dict[str, int] = json.load(answer)
        return counted

    def lines(self) -> list[dict[str, Any]]:
        """What the log holds: token, at, way, is_delivered, notification, data of each message."""
        assert self.log is not None
        text = self.log.read_bytes()
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]


@contextmanager
def running(folder: Path, *, port: int = 0, is_logged: bool = False) -> Iterator[FcmProcess]:
    """FCM in a process; its credentials, and its log if there is one, are in the folder."""
    log = folder / "fcm.jsonl" if is_logged else None
    command = [sys.executable, "-m", "tests.fcm", "--port", str(port)]
    command += ["--credentials", str(folder)]
    command += ["--log", str(log)] if log is not None else []
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = process.stdout.readline().split()
        assert len(told) == 2, "the server did not start"
        yield FcmProcess(process, told[0], Path(told[1]), log)
    finally:
        process.kill()
        process.wait(START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
