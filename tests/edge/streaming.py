"""A schema with subscriptions, who may use it, and a server for it on a loopback port."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect

from server.clock import MICROSECONDS_PER_SECOND, NEVER, Instant, system_now
from server.edge.connections import Bounds, Guard
from server.edge.context import Context
from server.edge.executing import Introspection, Operations, Policy
from server.edge.http import GraphQLEndpoint, Unauthenticated
from server.edge.http_connections import BoundedHttp
from server.edge.metrics import Metrics
from server.edge.refusing import RequestRefused
from server.edge.sockets import SocketEndpoint
from server.edge.streams import StreamLimits, Streams
from server.edge.websocket_connections import websocket_options
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage.database import Address, opened

PATIENCE_SECONDS = 20


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@dataclass
class Stage:
    """What the test decides and sees: sources of events, and who is signed in."""

    queues: set[asyncio.Queue[int | Exception | None]] = field(default_factory=set)
    tokens: dict[str, Principal] = field(default_factory=dict)
    hints: set[asyncio.Event] = field(default_factory=set)
    asked: int = 0  # how often somebody was identified
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # `waits` waits for it
    waiting: int = 0  # how many `waits` have begun
    watched: set[int | None] = field(default_factory=set)  # by session
    failure: Exception | None = None  # of identifying

    async def wait_for_listeners(self, count: int) -> None:
        """Until so many subscriptions listen."""
        await until(lambda: len(self.queues) == count)

    def emit(self, event: int | Exception | None) -> None:
        """Give an event to all who listen; None ends them."""
        for queue in self.queues:
            queue.put_nowait(event)

    async def listen(self) -> AsyncGenerator[int, None]:
        """The events; the listener is gone as soon as the generator is closed."""
        queue: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.queues.add(queue)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.queues.discard(queue)

    async def authenticate(self, authorization: str | None) -> Principal:
        """`Bearer <token>` of one of the tokens."""
        self.asked += 1
        await asyncio.sleep(0)  # as a database would
        if self.failure is not None:
            raise self.failure
        if authorization is None:
            return ANONYMOUS
        token = authorization.removeprefix("Bearer ")
        principal = self.tokens.get(token)
        if principal is None or (principal.expires_at or NEVER) <= system_now():
            raise Unauthenticated
        return principal

    async def watch(self, principal: Principal) -> AsyncIterator[object]:
        """A hint whenever `hint` is called."""
        event = asyncio.Event()
        self.hints.add(event)
        self.watched.add(principal.session_id)
        try:
            while True:
                await event.wait()
                event.clear()
                yield None
        finally:
            self.hints.discard(event)
            self.watched.discard(principal.session_id)

    def hint(self) -> None:
        """Tell that sessions may have ended."""
        for event in self.hints:
            event.set()


def member(number: int, *, seconds_left: float | None = None, session: int = 1) -> Principal:
    """A member whose token is valid for so long."""
    expires_at = None
    if seconds_left is not None:
        expires_at = Instant(system_now() + int(seconds_left * MICROSECONDS_PER_SECOND))
    return Principal(
        PrincipalKind.MEMBER,
        id=number,
        member_id=number,
        session_id=session,
        locale="lt",
        expires_at=expires_at,
    )


def extended(principal: Principal, *, seconds_left: float) -> Principal:
    """The same member with a later token."""
    return replace(principal, expires_at=member(0, seconds_left=seconds_left).expires_at)


Info = strawberry.Info[Context, None]


def schema_for(stage: Stage) -> strawberry.Schema:  # noqa: C901 - one short field after another
    """The schema whose subscriptions show what the stage emits."""

    @strawberry.type
    class Query:
        @strawberry.field
        def hello(self, info: Info, name: str = "world") -> str:
            return f"{name} {info.context.principal.id} {info.context.language}"

        @strawberry.field
        async def waits(self) -> str:
            stage.waiting += 1
            await stage.gate.wait()
            return "waited"

        @strawberry.field
        def fails(self) -> str:
            raise ValueError("a secret detail")

    @strawberry.type
    class Mutation:
        @strawberry.field
        def double(self, number: int) -> int:
            return number * 2

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def numbers(self) -> AsyncGenerator[int, None]:
            async for number in stage.listen():
                yield number

        @strawberry.subscription
        async def count(self, to: int) -> AsyncGenerator[int, None]:
            for number in range(to):
                yield number

        @strawberry.subscription
        async def texts(self, to: int, size: int) -> AsyncGenerator[str, None]:
            for number in range(to):
                yield f"{number}".ljust(size)

        @strawberry.subscription
        async def floods(self, size: int) -> AsyncGenerator[str, None]:
            while True:
                yield "x" * size

        @strawberry.subscription
        async def lingers(self) -> AsyncGenerator[int, None]:
            async for number in stage.listen():
                with suppress(asyncio.CancelledError):
                    await stage.gate.wait()
                yield number

        @strawberry.subscription
        async def breaks(self) -> AsyncGenerator[int, None]:
            yield 1
            raise ValueError("a secret detail")

        @strawberry.subscription
        def forbidden(self) -> AsyncGenerator[int, None]:
            raise RequestRefused("FORBIDDEN", "request.forbidden", status=403)

    return strawberry.Schema(Query, Mutation, Subscription)


@dataclass
class Served:
    """A running server."""

    stage: Stage
    port: int
    streams: Streams
    metrics: Metrics
    server: uvicorn.Server

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def socket(
        self,
        subprotocols: Sequence[str] | None = ("graphql-transport-ws",),
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> connect:
        """A connection that a client opens."""
        return connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=subprotocols,  # type: ignore[arg-type] # plain strings
            additional_headers=headers,
            compression=None,
            proxy=None,
            **options,
        )

    @asynccontextmanager
    async def connected(self, **payload: object) -> AsyncIterator["Client"]:
        """A client whose connection is initialised."""
        async with self.socket() as connection:
            client = Client(connection)
            await client.send("connection_init", payload=payload)
            client.acknowledged = await client.receive()
            assert client.acknowledged["type"] == "connection_ack"
            yield client

    def figure(self, name: str, **labels: str) -> float:
        """What the metrics show."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


class Client:
    """A client that says what the test says."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.acknowledged: dict[str, Any] = {}

    async def send(self, kind: str, **entries: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **entries}))

    async def subscribe(self, operation_id: str, query: str, **payload: object) -> None:
        await self.send("subscribe", id=operation_id, payload={"query": query, **payload})

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def results(self, count: int) -> list[dict[str, Any]]:
        return [await self.receive() for _ in range(count)]

    async def is_in_order(self) -> None:
        """Everything sent before has been read, and nothing came of it."""
        await self.send("ping", payload={"after": "all"})
        assert await self.receive() == {"type": "pong", "payload": {"after": "all"}}


async def closing(connection: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closes the connection; whatever it sends before is passed over."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await connection.wait_closed()
    return connection.close_code, connection.close_reason


class _QuietServer(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """None: the tests have their own."""


@asynccontextmanager
async def served(
    limits: StreamLimits | None = None, *, bounds: Bounds | None = None
) -> AsyncIterator[Served]:
    """A server with the test schema."""
    stage = Stage()
    metrics = Metrics()
    streams = Streams(limits=limits or StreamLimits(), metrics=metrics)
    operations = Operations(schema_for(stage), policy=Policy(introspection=Introspection.EVERYONE))
    http = GraphQLEndpoint(
        operations,
        authenticate=stage.authenticate,
        accepts_simulated_time=False,
        metrics=metrics,
        streams=streams,
        watch=stage.watch,
    )
    sockets = SocketEndpoint(
        operations, authenticate=stage.authenticate, streams=streams, watch=stage.watch
    )
    app = Starlette(routes=[Route("/graphql", http), WebSocketRoute("/graphql", sockets)])
    server = _QuietServer(_config(app, bounds or Bounds()))
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listening:
        # Events are read from one snapshot of a database, so there is one.
        async with opened(Address("sqlite", f"{folder}/empty.sqlite3")):
            task = asyncio.create_task(server._serve(sockets=[listening]))
            await until(lambda: server.started)
            try:
                yield Served(stage, listening.getsockname()[1], streams, metrics, server)
            finally:
                streams.stop()
                server.should_exit = True
                await task


def _config(app: Starlette, bounds: Bounds) -> uvicorn.Config:
    guard = Guard(bounds)
    return uvicorn.Config(
        app,
        http=BoundedHttp.within(guard),
        **websocket_options(guard),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
