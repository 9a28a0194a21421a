"""One socket of graphql-transport-ws, from its handshake to its end.

One task reads. Each operation is a task of its own, which waits for its turn to send, so that no
more than one message of each waits for a client that is slow to read. Whoever finds a reason to
close the socket says so once; then everything of it is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.edge import requests, socket_messages
from server.edge.authority import Authority
from server.edge.refusing import RequestRefused
from server.edge.reporting import report
from server.edge.requests import GraphQLRequest
from server.edge.socket_messages import (
    CloseCode,
    Closed,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
)
from server.edge.streams import StreamLimits, too_many_operations

AUTHORIZATION = "authorization"
"""The name of the credentials in a payload, in lower case; clients write it in any."""


class ClientGone(Exception):
    """The client, or the server's own end, has closed the connection."""


class Operation:
    """One operation of a socket, until it is complete."""

    def __init__(self, operation_id: str, request: GraphQLRequest) -> None:
        self.id = operation_id
        self.request = request
        self.is_live = True  # False: nothing of it may be sent any more
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End it: nothing more of it is sent, and its source is closed."""
        self.is_live = False
        if self.task is not None:
            self.task.cancel()


class Serving(Protocol):
    """What a socket asks of the server."""

    async def authority(self, payload: Mapping[str, Any]) -> Authority:
        """Who has connected. Raises Closed if the credentials are not accepted."""

    async def answer(self, operation: Operation, socket: "Socket", authority: Authority) -> None:
        """Run an operation and send its results. Raises RequestRefused, or Closed."""


class Socket:
    """One connection, whose handshake has been accepted."""

    def __init__(self, websocket: WebSocket, serving: Serving, limits: StreamLimits) -> None:
        self._websocket = websocket
        self._serving = serving
        self._limits = limits
        self._authority: Authority | None = None
        self._is_initialised = False
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._end: asyncio.Future[Closed | None] = loop.create_future()
        self._sending = asyncio.Lock()
        self._waiting_bytes = 0
        self._heard_at = self._measured_at = loop.time()
        self._messages_left = float(limits.messages)

    async def run(self) -> CloseCode | None:
        """Serve until one side closes; the code that the server closed with, None if it did not."""
        for work in (self._read, self._await_init, self._ping):
            self._start(work)
        closed: Closed | None = None
        try:
            closed = await self._end
        finally:
            for operation in self._operations.values():
                operation.is_live = False
            for task in self._tasks:
                task.cancel()
            if closed is not None:
                await self._close(closed)
            if self._tasks:
                await asyncio.wait(self._tasks)
        return None if closed is None else closed.code

    def _start(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do a part of the socket's work; its failure is the socket's end."""
        try:
            await work()
        except Closed as closed:
            self._ends_with(closed)
        except ClientGone:
            self._ends_with(None)
        except Exception as error:
            fault = report(error, where="socket")
            if fault.code == "UNAVAILABLE":
                self._ends_with(Closed(CloseCode.TRY_AGAIN_LATER, "Try again later"))
            else:
                self._ends_with(Closed(CloseCode.INTERNAL, "Internal server error"))

    def _ends_with(self, closed: Closed | None) -> None:
        if not self._end.done():
            self._end.set_result(closed)

    async def _close(self, closed: Closed) -> None:
        # A client that does not read is not waited for: its connection is dropped.
        with suppress(TimeoutError, WebSocketDisconnect, OSError, RuntimeError):
            async with asyncio.timeout(self._limits.close_seconds):
                await self._websocket.close(closed.code, closed.reason)

    # ------------------------------------------------------------ sending

    async def send(
        self, message: bytes, operation: Operation | None = None, *, is_last: bool = False
    ) -> None:
        """Send a message; one of an operation only if that has not ended, and it ends with its
        last. Waits until the client takes it. Raises Closed if it takes nothing for too long.
        """
        is_too_much = self._waiting_bytes + len(message) > self._limits.waiting_bytes
        if self._waiting_bytes and is_too_much:
            raise _too_slow()
        self._waiting_bytes += len(message)
        try:
            async with self._sending:
                if operation is not None and not operation.is_live:
                    return
                if is_last and operation is not None:
                    # At once: the client may use the id again as soon as it has the message.
                    self._forget(operation)
                await self._send(message.decode())
        finally:
            self._waiting_bytes -= len(message)

    async def _send(self, text: str) -> None:
        if self._end.done():
            raise ClientGone
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await self._websocket.send_text(text)
        except TimeoutError:
            raise _too_slow() from None
        except (WebSocketDisconnect, OSError, RuntimeError):
            raise ClientGone from None

    # ------------------------------------------------------------ time

    async def _await_init(self) -> None:
        await asyncio.sleep(self._limits.init_seconds)
        if not self._is_initialised:
            raise Closed(CloseCode.TIMEOUT, "Connection initialisation timeout")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_seconds)
            if self._time() - self._heard_at >= self._limits.silent_seconds:
                raise Closed(CloseCode.TIMEOUT, "No answer to pings")
            await self.send(socket_messages.ping())

    async def _await_authority_end(self, authority: Authority) -> None:
        ending = await authority.ended()
        for operation in list(self._operations.values()):
            operation.stop()
            self._forget(operation)
            errors = ending.refused.errors(authority.language)
            await self.send(socket_messages.error(operation.id, errors))
        raise Closed(CloseCode.FORBIDDEN, ending.value)

    # ------------------------------------------------------------ reading

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise ClientGone
            self._heard_at = self._time()
            self._count_message()
            await self._take(socket_messages.read(message.get("text")))

    def _count_message(self) -> None:
        limits = self._limits
        earned = (self._heard_at - self._measured_at) * limits.messages_per_second
        self._messages_left = min(limits.messages, self._messages_left + earned) - 1
        self._measured_at = self._heard_at
        if self._messages_left < 0:
            raise Closed(CloseCode.TOO_MANY, "Too many messages")

    async def _take(self, message: socket_messages.ClientMessage) -> None:
        match message:
            case ConnectionInit(payload):
                await self._initialise(payload)
            case Ping(payload):
                await self._answer_ping(payload)
            case Pong():
                pass
            case Subscribe():
                await self._subscribe(message)
            case Complete(operation_id):
                if (operation := self._operations.get(operation_id)) is not None:
                    operation.stop()
                    self._forget(operation)

    async def _initialise(self, payload: Mapping[str, Any]) -> None:
        if self._is_initialised:
            raise Closed(CloseCode.TOO_MANY, "Too many initialisation requests")
        self._is_initialised = True
        authority = await self._serving.authority(payload)
        await self.send(socket_messages.acknowledgement(_expiry(authority)))
        self._authority = authority
        self._start(partial(self._await_authority_end, authority))

    async def _answer_ping(self, payload: Mapping[str, Any] | None) -> None:
        if payload is not None and self._authority is not None:
            # In any case, as in connection_init: what was taken for something else came back.
            names = [name for name in payload if name.lower() == AUTHORIZATION]
            for name in names:
                if not await self._authority.extend(payload[name]):
                    raise Closed(CloseCode.FORBIDDEN, "Forbidden")
            if names:
                accepted = dict.fromkeys(names, "accepted")
                payload = {**payload, **accepted, **(_expiry(self._authority) or {})}
        await self.send(socket_messages.pong(payload))

    # ------------------------------------------------------------ operations

    async def _subscribe(self, message: Subscribe) -> None:
        request = _request(message)
        if self._authority is None:
            raise Closed(CloseCode.UNAUTHORIZED, "Unauthorized")
        if message.id in self._operations:
            raise socket_messages.already_exists(message.id)
        allowed = self._limits.operations_per_socket
        if len(self._operations) >= allowed:
            refused = too_many_operations(len(self._operations) + 1, allowed=allowed)
            errors = refused.errors(self._authority.language)
            await self.send(socket_messages.error(message.id, errors))
            return
        operation = Operation(message.id, request)
        self._operations[message.id] = operation
        operation.task = self._start(partial(self._run, operation, self._authority))

    async def _run(self, operation: Operation, authority: Authority) -> None:
        try:
            await self._serving.answer(operation, self, authority)
            last = socket_messages.complete(operation.id)
        except RequestRefused as refused:
            last = socket_messages.error(operation.id, refused.errors(authority.language))
        except (Closed, ClientGone):
            raise
        except Exception as error:
            fault = report(error, where="operation", language=authority.language)
            last = socket_messages.error(operation.id, [fault.shown])
        await self.send(last, operation, is_last=True)

    def _forget(self, operation: Operation) -> None:
        if self._operations.get(operation.id) is operation:
            del self._operations[operation.id]


def _too_slow() -> Closed:
    return Closed(CloseCode.TRY_AGAIN_LATER, "Too slow: messages are not read")


def _expiry(authority: Authority) -> dict[str, Any] | None:
    """What an acknowledgement tells of when the credentials expire."""
    return None if authority.expiry is None else {"expiresAt": authority.expiry}


def _request(message: Subscribe) -> GraphQLRequest:
    try:
        return requests.read(message.payload)
    except RequestRefused as refused:
        [error] = refused.errors("en")
        raise socket_messages.malformed(str(error["message"])) from None
