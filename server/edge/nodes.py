"""Relay's global ids: opaque; what is another's is answered like what does not exist."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from server.edge.context import Info
from server.errors import InvalidInput, Path

_Fetch = Callable[[Info, int], Awaitable[Any | None]]
_fetches: dict[str, _Fetch] = {}
_MAXIMUM_NUMBER = 2**63  # of the databases' integers, exclusive


@strawberry.interface(description="A thing with an id of its own, which `node` finds again.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="An opaque id, unique in the whole schema.")


def global_id(type_name: str, number: int) -> strawberry.ID:
    """The opaque id of the thing of that type."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type_name}:{number}".encode()).decode())


def parse(opaque: str) -> tuple[str, int] | None:
    """The type and number of an opaque id, or None if it is none."""
    try:
        name, _, number = base64.urlsafe_b64decode(opaque.encode()).decode().partition(":")
        return name, int(number)
    except (binascii.Error, ValueError):
        return None


def number_of(opaque: str, type_name: str, *, path: Path) -> int:
    """The number of an opaque id of the type; 0, which nothing has, for one that the database
    could not hold. Raises InvalidInput for anything else."""
    parsed = parse(opaque)
    if parsed is None or parsed[0] != type_name:
        raise InvalidInput("input.id", path=path, value=opaque, accepted=f"the id of a {type_name}")
    return parsed[1] if 0 < parsed[1] < _MAXIMUM_NUMBER else 0


def fetches(type_name: str) -> Callable[[_Fetch], _Fetch]:
    """Register how `node` finds things of the type: None for what the caller may not see."""

    def register(fetch: _Fetch) -> _Fetch:
        _fetches[type_name] = fetch
        return fetch

    return register


async def find(info: Info, opaque: str) -> Any | None:
    """The thing with that id, if there is one that the caller may see."""
    parsed = parse(opaque)
    if parsed is None or parsed[0] not in _fetches or not 0 < parsed[1] < _MAXIMUM_NUMBER:
        return None
    return await _fetches[parsed[0]](info, parsed[1])
