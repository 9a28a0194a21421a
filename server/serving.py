"""Running the server process: its socket, what it prints when it is ready, and how it stops."""

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

GRACE_SECONDS = 10
BACKLOG = 2048
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class CannotListen(Exception):
    """The address can't be listened on; the message says why in one line."""


def listening_socket(
    host: str, port: int, *, host_option: str = "--host", port_option: str = "--port"
) -> socket.socket:
    """A socket that listens on the address; port 0 takes a free one. Raises CannotListen, which
    names the option that chooses another.

    Whoever connects before the server is ready waits until it is.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # At once: two that start at the same time may both bind a port, but only one can listen.
        listening.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        is_port = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        option = port_option if is_port else host_option
        raise CannotListen(
            f"can't listen on {host} port {port}: {reason}; choose another with {option}"
        ) from error
    return listening


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine on the loop that the server is fastest on; return when it ends or is
    stopped."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        try:
            runner.run(work)
        except (asyncio.CancelledError, KeyboardInterrupt):
            return


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """Within the block SIGINT and SIGTERM cancel the task that it is in."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in _STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


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

        former = {number: signal.signal(number, stop) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def stop_with_stdin(server: uvicorn.Server) -> None:
    """Stop the server when standard input ends: when the process at its other end is gone."""
    standard_input = sys.stdin.fileno()

    def watch() -> None:
        while os.read(standard_input, 1024):
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True, name="watch-stdin").start()


class _ServerBeside(uvicorn.Server):
    """A server that leaves signals to another one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serving_beside(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Within the block another app is served on a port of its own, by the same loop."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
        lifespan="off",
        ws="none",
    )
    server = _ServerBeside(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def serve(
    app: ASGIApp, listening: socket.socket, *, announce: Callable[[], None], stops_with_stdin: bool
) -> None:
    """Serve until asked to stop; requests under way are answered before it returns."""
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
    await server.serve(sockets=[listening])
