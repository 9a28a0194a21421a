"""The messages of graphql-transport-ws: read strictly, written in one way.

The protocol: github.com/enisdenjo/graphql-ws, PROTOCOL.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from server.edge.refusing import ErrorShown

SUBPROTOCOL = "graphql-transport-ws"
MAXIMUM_ID_LENGTH = 128
_MAXIMUM_REASON_BYTES = 123
"""Of a close frame (RFC 6455, 5.5)."""


class CloseCode(IntEnum):
    """Why the server closes a socket."""

    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY = 4429
    INTERNAL = 4500


class Closed(Exception):
    """The server closes the socket, with this code and reason.

    A longer reason than a close frame holds is cut. Nothing in it is secret.
    """

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason.encode()[:_MAXIMUM_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The client says who it is."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks whether the server is there; None if there was no payload."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The client is there."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client asks for an operation."""

    id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Complete:
    """The client wants no more of an operation."""

    id: str


ClientMessage = ConnectionInit | Ping | Pong | Subscribe | Complete


def read(text: str | None) -> ClientMessage:
    """The message in a text frame; None stands for a binary frame.

    Raises Closed (4400) for everything that the protocol does not know.
    """
    if text is None:
        raise malformed("Messages are text frames, not binary ones")
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed("The message is not JSON") from None
    if not isinstance(message, dict):
        raise malformed("The message is not an object")
    match message.get("type"):
        case "connection_init":
            return ConnectionInit(_optional_payload(message) or {})
        case "ping":
            return Ping(_optional_payload(message))
        case "pong":
            _optional_payload(message)
            return Pong()
        case "subscribe":
            return Subscribe(_id(message), _payload(message))
        case "complete":
            return Complete(_id(message))
        case str() as unknown:
            raise malformed(f"Unexpected message type {unknown!a}")
        case _:
            raise malformed("The message's type is not a string")


def malformed(reason: str) -> Closed:
    """The end of a socket that got something which is no message of the protocol."""
    return Closed(CloseCode.BAD_REQUEST, reason)


def already_exists(operation_id: str) -> Closed:
    """The end of a socket whose client uses an id twice at once; a long id is cut in the reason."""
    before, after = "Subscriber for ", " already exists"
    room = _MAXIMUM_REASON_BYTES - len(before) - len(after)
    shown = operation_id.encode()
    if len(shown) > room:
        shown = shown[: room - 3]
        return Closed(
            CloseCode.SUBSCRIBER_EXISTS, f"{before}{shown.decode(errors='ignore')}...{after}"
        )
    return Closed(CloseCode.SUBSCRIBER_EXISTS, f"{before}{operation_id}{after}")


def _optional_payload(message: Mapping[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise malformed(f"The payload of {message['type']} is not an object")
    return payload


def _payload(message: Mapping[str, Any]) -> dict[str, Any]:
    payload = _optional_payload(message)
    if payload is None:
        raise malformed(f"The message {message['type']} has no payload")
    return payload


def _id(message: Mapping[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str):
        raise malformed(f"The id of {message['type']} is not a string")
    if not 0 < len(found) <= MAXIMUM_ID_LENGTH:
        raise malformed(f"An id has 1 to {MAXIMUM_ID_LENGTH} characters")
    return found


# ---------------------------------------------------------------- the server's own messages


def acknowledgement(payload: Mapping[str, Any] | None) -> bytes:
    """The connection is initialised."""
    return _written("connection_ack", payload)


def ping() -> bytes:
    """The server asks whether the client is there."""
    return _written("ping", None)


def pong(payload: Mapping[str, Any] | None) -> bytes:
    """The server is there. Raises Closed (4400) for a payload that is nested too deeply."""
    try:
        return _written("pong", payload)
    except RecursionError:
        raise malformed("The payload is nested too deeply") from None


def next_result(operation_id: str, result: Mapping[str, Any]) -> bytes:
    """One result of an operation."""
    return msgspec.json.encode({"id": operation_id, "type": "next", "payload": result})


def error(operation_id: str, errors: Sequence[ErrorShown]) -> bytes:
    """The operation ends with errors."""
    return msgspec.json.encode({"id": operation_id, "type": "error", "payload": errors})


def complete(operation_id: str) -> bytes:
    """The operation has ended."""
    return msgspec.json.encode({"id": operation_id, "type": "complete"})


def _written(kind: str, payload: Mapping[str, Any] | None) -> bytes:
    message: dict[str, Any] = {"type": kind}
    if payload is not None:
        message["payload"] = payload
    return msgspec.json.encode(message)
