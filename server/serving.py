"""Running the server process: its socket, what it prints when it is ready, and how it stops."""

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

GRACE_SECONDS = 10
BACKLOG = 2048


class CannotListen(Exception):
    """The address can't be listened on; the message says why in one line."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; port 0 takes a free one. Raises CannotListen."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise CannotListen(
            f"can't listen on {host} port {port}: {error.strerror}; choose another with --port"
        ) from error
    listening.set_inheritable(True)
    return listening


class AnnouncingServer(uvicorn.Server):
    """A server that says when it answers, and ends with exit code 0 when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM without raising them again afterwards."""

        def stop(signum: int, frame: FrameType | None) -> None:
            self.handle_exit(signal.Signals(signum), frame)

        former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def stop_with_stdin(server: uvicorn.Server) -> None:
    """Stop the server when standard input ends: when the process at its other end is gone."""

    def watch() -> None:
        while sys.stdin.buffer.read1(1024):
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True, name="watch-stdin").start()


def run(
    app: ASGIApp, listening: socket.socket, *, announce: Callable[[], None], stops_with_stdin: bool
) -> bool:
    """Serve until asked to stop; whether the start succeeded."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        lifespan="on",
        ws="none",
    )
    server = AnnouncingServer(config, announce)
    if stops_with_stdin:
        stop_with_stdin(server)
    server.run(sockets=[listening])
    return server.started
