"""Running the server process: its socket, what it prints when it is ready, and how it stops."""

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import uvicorn
from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

if TYPE_CHECKING:
    from server.edge.connections import Bounds
    from server.edge.metrics import Metrics

GRACE_SECONDS = 10
FILES_BESIDE_CONNECTIONS = 128
"""Open files that are no connections of clients: the database's, the logs, the program's own."""
BACKLOG = 2048
_METRICS_CONNECTIONS = 50
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


@asynccontextmanager
async def asked_to_stop() -> AsyncIterator[asyncio.Event]:
    """Within the block SIGINT and SIGTERM set the event; the second of them ends the process."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        event.set()
        for number in _STOPPING:
            loop.remove_signal_handler(number)

    for number in _STOPPING:
        loop.add_signal_handler(number, stop)
    try:
        yield event
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


class AnnouncingServer(uvicorn.Server):
    """A server that says when it answers, and ends with exit code 0 when it is asked to stop.

    Between being asked and stopping it calls `on_stopping` and works on for `drain_seconds`, in
    which those who distribute requests notice; asked again, or by Ctrl-C, it stops at once. Then
    `end_streams` ends the answers that would not end by themselves.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        announce: Callable[[], None],
        on_stopping: Callable[[], None] = lambda: None,
        end_streams: Callable[[], None] = lambda: None,
        drain_seconds: int = 0,
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._on_stopping = on_stopping
        self._end_streams = end_streams
        self._drain_seconds = drain_seconds
        self._is_asked = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self._end_streams()
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM without raising them again afterwards."""
        loop = asyncio.get_running_loop()

        def stop(signum: int, frame: FrameType | None) -> None:
            self._on_stopping()
            if self._is_asked or signum != signal.SIGTERM or not self._drain_seconds:
                self.handle_exit(signal.Signals(signum), frame)
                return
            self._is_asked = True
            # Safe from a signal handler, and it wakes the loop.
            loop.call_soon_threadsafe(
                loop.call_later, self._drain_seconds, self.handle_exit, signum, None
            )

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How to serve: `bounds` of connections, the `trusted_proxies` whose word on a client's address
    is believed (addresses and networks), and how to stop (see `AnnouncingServer`)."""

    bounds: "Bounds"
    trusted_proxies: Sequence[str] = ()
    drain_seconds: int = 0
    stops_with_stdin: bool = False


@asynccontextmanager
async def serving_beside(
    app: ASGIApp, listening: socket.socket, how: Serving
) -> AsyncIterator[None]:
    """Within the block another app is served on a port of its own, by the same loop."""
    server = _ServerBeside(_config(app, how, lifespan="off", grace_seconds=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def metrics_shown(metrics: "Metrics", listening: socket.socket) -> AsyncIterator[None]:
    """Within the block the figures are shown on a port of their own."""
    from server.edge.connections import Bounds  # noqa: PLC0415 - as slow as the app
    from server.edge.metrics import metrics_app  # noqa: PLC0415 - same

    bounds = Bounds(connections=_METRICS_CONNECTIONS, connections_per_address=_METRICS_CONNECTIONS)
    async with serving_beside(metrics_app(metrics), listening, Serving(bounds=bounds)):
        yield


def _spare_the_collector() -> None:
    """Leave out of garbage collection what is there for good, the schema above all: looking through
    it again and again stops everything for 70 ms each time. What little of the start is garbage
    stays, too: to find it would take a tenth of the start."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    how: Serving,
    *,
    announce: Callable[[], None],
    on_stopping: Callable[[], None] = lambda: None,
    end_streams: Callable[[], None] = lambda: None,
) -> None:
    """Serve until asked to stop; requests under way are answered before it returns."""
    server = AnnouncingServer(
        _config(app, how),
        announce=announce,
        on_stopping=on_stopping,
        end_streams=end_streams,
        drain_seconds=how.drain_seconds,
    )
    if how.stops_with_stdin:
        stop_with_stdin(server)
    _spare_the_collector()
    await server.serve(sockets=[listening])


def _config(
    app: ASGIApp,
    how: Serving,
    *,
    lifespan: Literal["on", "off"] = "on",
    grace_seconds: int = GRACE_SECONDS,
) -> uvicorn.Config:
    from server.edge.connections import Guard  # noqa: PLC0415 - as slow as the app
    from server.edge.http_connections import BoundedHttp  # noqa: PLC0415 - same
    from server.edge.websocket_connections import websocket_options  # noqa: PLC0415 - same

    bounds = replace(how.bounds, connections=_possible_connections(how.bounds.connections))
    guard = Guard(bounds, is_shared=_is_one_of(how.trusted_proxies))
    return uvicorn.Config(
        app,
        http=BoundedHttp.within(guard),
        **websocket_options(guard),
        log_level="warning",
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=grace_seconds,
        server_header=False,
        lifespan=lifespan,
        proxy_headers=bool(how.trusted_proxies),
        # Said in any case: uvicorn's own default believes whoever is on this machine.
        forwarded_allow_ips=list(how.trusted_proxies),
    )


def _possible_connections(wanted: int) -> int:
    """So many connections as are wanted, or as the system has files for; its limit for this process
    is raised as far as that needs and the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * 5 // 4 + FILES_BESIDE_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    return max(1, (soft - FILES_BESIDE_CONNECTIONS) * 4 // 5)


def _is_one_of(trusted: Sequence[str]) -> Callable[[str], bool]:
    networks = [ip_network(entry) for entry in trusted]

    def is_trusted(address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return is_trusted
