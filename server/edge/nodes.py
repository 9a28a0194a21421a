"""Relay's global ids: opaque; what is another's is answered like what does not exist."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from server.edge.context import Info
from server.edge.permissions import EVERYONE, shown_to

_Fetch = Callable[[Info, int], Awaitable[Any | None]]
_fetches: dict[str, _Fetch] = {}
_MAXIMUM_NUMBER = 2**63  # of the databases' integers, exclusive
_MAXIMUM_LENGTH = 120  # of an opaque id: longer than any of ours


@shown_to(EVERYONE)
@strawberry.interface(description="A thing with an id of its own, which `node` finds again.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="An opaque id, unique in the whole schema.")


def global_id(type_name: str, number: int) -> strawberry.ID:
    """The opaque id of the thing of that type."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type_name}:{number}".encode()).decode())


def parse(opaque: str) -> tuple[str, int] | None:
    """The type and number of an opaque id, or None if `global_id` makes no such id, or none that
    the database could hold."""
    if len(opaque) > _MAXIMUM_LENGTH:
        return None
    try:
        name, _, shown = base64.urlsafe_b64decode(opaque.encode()).decode().partition(":")
        number = int(shown)
    except (binascii.Error, ValueError):
        return None
    # Decoding passes over what is no base64, and int() takes "+1" and "1_0": a thing has one id.
    is_one = 0 < number < _MAXIMUM_NUMBER and global_id(name, number) == opaque
    return (name, number) if is_one else None


def number_of(opaque: str, type_name: str) -> int:
    """The number of an opaque id of the type; 0, which nothing has, for anything else.

    So an id that is malformed, of another type or too large is answered like one that is unknown.
    """
    parsed = parse(opaque)
    return parsed[1] if parsed is not None and parsed[0] == type_name else 0


def fetches(type_name: str) -> Callable[[_Fetch], _Fetch]:
    """Register how `node` finds things of the type: None for what the caller may not see."""

    def register(fetch: _Fetch) -> _Fetch:
        _fetches[type_name] = fetch
        return fetch

    return register


async def find(info: Info, opaque: str) -> Any | None:
    """The thing with that id, if there is one that the caller may see."""
    parsed = parse(opaque)
    if parsed is None or parsed[0] not in _fetches:
        return None
    return await _fetches[parsed[0]](info, parsed[1])
