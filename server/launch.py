"""Starting the server: the database looked at and brought up to date, then serving."""

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server import demo_credentials
from server.serving import (
    CannotListen,
    Serving,
    cancelled_by_signals,
    listening_socket,
    metrics_shown,
    run,
    serve,
)
from server.settings import InvalidSettings, Mode, OperationLog, Settings
from server.storage import database, migrate
from server.storage.database import Address, CannotOpen
from server.storage.looking import look

if TYPE_CHECKING:
    from server.edge.metrics import Metrics

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
Say = Callable[[str], None]


class CannotServe(Exception):
    """The server can't start; the message says why in one line."""


def launch(
    settings: Settings, *, applies_migrations: bool, stops_with_stdin: bool, say: Say
) -> None:
    """Serve until asked to stop. Raises CannotServe, having changed nothing.

    `say` is given each line for the person at the terminal. What may be in the way, the port and
    then the database, is looked at before the database or any file is touched.
    """
    gc.disable()  # until all is loaded that stays, which it would look through again and again
    try:
        with ExitStack() as stack:
            run(
                _prepare_and_serve(
                    settings,
                    _listening(settings, stack),
                    applies_migrations=applies_migrations,
                    stops_with_stdin=stops_with_stdin,
                    say=say,
                )
            )
    except (CannotListen, CannotOpen, InvalidSettings) as error:
        raise CannotServe(str(error)) from error
    finally:
        gc.enable()
    say("Stopped.")


@dataclass(frozen=True, slots=True)
class _Listening:
    """The sockets that are listened on."""

    api: socket.socket
    metrics: socket.socket | None  # None without a port for metrics


def _listening(settings: Settings, stack: ExitStack) -> _Listening:
    api = stack.enter_context(listening_socket(settings.host, settings.port))
    if settings.metrics_port is None:
        return _Listening(api, None)
    metrics = listening_socket(
        settings.metrics_host,
        settings.metrics_port,
        host_option="LAUREL_METRICS_HOST",
        port_option="--metrics-port",
    )
    return _Listening(api, stack.enter_context(metrics))


async def _prepare_and_serve(
    settings: Settings,
    listening: _Listening,
    *,
    applies_migrations: bool,
    stops_with_stdin: bool,
    say: Say,
) -> None:
    address = settings.address
    with cancelled_by_signals():
        lacks = await _lacks_migrations(address, may_lack=applies_migrations)
    if lacks:
        gc.enable()
        await _migrate(address, say)
    patience = database.Patience()
    async with database.opened(address, pool_size=settings.pool_size, patience=patience):
        _load_structlog()
        from server import logs  # noqa: PLC0415 - slow to load; what is wrong has been said before
        from server.app import create_app, mailing  # noqa: PLC0415 - same
        from server.edge import trusted_commands  # noqa: PLC0415 - same
        from server.edge.metrics import Metrics  # noqa: PLC0415 - same
        from server.members.commands import ERRANDS  # noqa: PLC0415 - same
        from server.replay import publishing  # noqa: PLC0415 - same
        from server.storage import errands  # noqa: PLC0415 - same

        logs.configure(with_operations=settings.operation_log is OperationLog.ALL)
        with cancelled_by_signals(), database.failures_told(address):
            await _prepare(settings, say)
        metrics = Metrics()
        app = create_app(settings, opens_database=False, metrics=metrics)
        async with (
            _tracing(settings),
            _showing(metrics, listening.metrics),
            mailing(settings, listens_at=_url_of(listening.api)),
            errands.taking(address, {**ERRANDS, **trusted_commands.ERRANDS, **publishing.ERRANDS}),
            _working(settings, metrics, say) as begin_work,
        ):

            def announce() -> None:
                say(_announcement(settings, listening))
                begin_work()

            await serve(
                app,
                listening.api,
                _serving(settings, stops_with_stdin=stops_with_stdin),
                announce=announce,
                on_stopping=app.state.readiness.stop,
                end_streams=app.state.streams.stop,
            )


def _serving(settings: Settings, *, stops_with_stdin: bool) -> Serving:
    from server.edge.connections import Bounds  # noqa: PLC0415 - as slow as the app

    return Serving(
        bounds=Bounds(
            connections=settings.connections,
            connections_per_address=settings.connections_per_address,
        ),
        trusted_proxies=settings.trusted_proxies,
        drain_seconds=settings.drain_seconds,
        stops_with_stdin=stops_with_stdin,
    )


@asynccontextmanager
async def _tracing(settings: Settings) -> AsyncIterator[None]:
    from server.integrations.tracing import tracing  # noqa: PLC0415 - as slow as the app

    endpoint = settings.traces_endpoint
    with tracing(
        None if endpoint is None else str(endpoint),
        sampled_percent=settings.traces_sampled_percent,
    ):
        yield


@asynccontextmanager
async def _working(
    settings: Settings, metrics: "Metrics", say: Say
) -> AsyncIterator[Callable[[], None]]:
    """Within the block the background work is done, if it is done here, from when the yielded verb
    is called: what is slow to load is loaded when the server is ready."""
    if not settings.works_here:
        yield lambda: None
        return
    from server.app import pushing  # noqa: PLC0415 - as slow as the app
    from server.work.process import working_here  # noqa: PLC0415 - same

    beginning = asyncio.Event()

    async with (
        pushing(settings, say=say) as begin_pushing,
        working_here(settings, metrics, beginning=beginning),
    ):

        def begin() -> None:
            begin_pushing()
            beginning.set()

        yield begin


def _showing(
    metrics: "Metrics", listening: socket.socket | None
) -> AbstractAsyncContextManager[None]:
    return nullcontext() if listening is None else metrics_shown(metrics, listening)


def _load_structlog() -> None:
    """Load it without `rich`, which draws tracebacks that nobody wants in a log, and takes as long
    to load as structlog itself."""
    if "rich" in sys.modules or "structlog" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment] # what can't be imported
    try:
        import structlog  # noqa: F401, PLC0415 - whoever imports it later finds it loaded
    finally:
        del sys.modules["rich"]


async def _lacks_migrations(address: Address, *, may_lack: bool) -> bool:
    seen = await look(address)
    if seen.newer:
        raise CannotOpen(
            f"the database {address.shown} is newer than this code (it has {seen.newer[0]});"
            " update Laurel first"
        )
    if seen.lacking and not may_lack:
        raise CannotOpen(
            f"the database {address.shown} lacks {len(seen.lacking)} migration(s); look with"
            " `python -m server migrate`, then serve with --migrate"
        )
    return bool(seen.lacking)


async def _migrate(address: Address, say: Say) -> None:
    # Without the patience of serving: the statements of migrations take as long as they take.
    async with database.opened(address):
        with cancelled_by_signals(), database.failures_told(address):
            await migrate.apply_pending(say)


async def _prepare(settings: Settings, say: Say) -> None:
    from server import demo  # noqa: PLC0415 - as slow as the app
    from server.members import service as members  # noqa: PLC0415 - same

    holds = await demo.held()
    if settings.mode is Mode.DEMO and holds is demo.Held.ANOTHER_PROGRAMME:
        raise CannotOpen(
            f"the database {settings.address.shown} holds a programme of its own;"
            " serve it without --demo, or name another database"
        )
    if settings.mode is Mode.PRODUCTION and holds is demo.Held.DEMONSTRATION:
        raise CannotOpen(
            f"the database {settings.address.shown} holds the demonstration, whose credentials"
            " everybody knows; production needs another database"
        )
    await members.prepare_keys(issuer=settings.token_issuer, audience=settings.audience)
    if settings.mode is Mode.DEMO and holds is demo.Held.NOTHING:
        gc.enable()
        say("Making the sample members ...")
        await demo.make()


def _url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = _EVERYWHERE.get(host, host)  # what a browser can open
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announcement(settings: Settings, listening: _Listening) -> str:
    url = _url_of(listening.api)
    ready = f"Ready: {url}"
    if listening.metrics is not None:
        ready += f"\nMetrics: {_url_of(listening.metrics)}/metrics"
    if settings.mode is not Mode.DEMO:
        return ready
    return f"""{ready}

  GraphiQL       {url}/graphql?example=home&as=member
  as a member    {demo_credentials.MEMBER_EMAIL}, password {demo_credentials.MEMBER_PASSWORD}
  as staff       {demo_credentials.STAFF_EMAIL}, password {demo_credentials.STAFF_PASSWORD}
  a second one   {demo_credentials.APPROVER_EMAIL}, with the same password, who approves
  as a till      Authorization: Bearer {demo_credentials.TILL_KEY}
  database       {settings.address.shown}

  Everybody knows these credentials: this is a demonstration, not for real members.
  Ctrl-C stops it."""
