"""The kinds of things that a shop writes down, each with the type of its documents.

A domain registers its kinds when it is imported; this one knows none of them by itself.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from server.clock import Instant
from server.definitions.errors import unknown_kind
from server.definitions.rules import Version
from server.errors import Path
from server.programme.document import Programme

if TYPE_CHECKING:
    from server.definitions.shelves import Shelves


class Surroundings(Struct, frozen=True):
    """What a document is held against beside its own type."""

    programme: Programme  # in effect at `now`
    shelves: "Shelves"  # what is published, other kinds included
    now: Instant  # when the document takes effect
    key: str


Misfits = Iterable[tuple[Path, str]]
"""The places of a document that do not fit, and for each in words what would be accepted."""


def _no_misfits(_document: Any, _surroundings: Surroundings) -> Misfits:
    return ()


def _no_budget(_document: Any, _programme: Programme) -> int | None:
    return 0


async def _none_stored(_document: Any) -> Misfits:
    return ()


async def _nothing_follows(_version: Version, _document: Any) -> None:
    return None


class Kind(Struct, frozen=True):
    """A kind of thing: its name, as in `offer`, and what its documents are.

    `misfits` compares a document's values with each other and with what is published. `budget`
    says what publishing it may cost at most, in minor units of the programme's currency: None is
    without limit, 0 nothing. Above the programme's limit a second person approves it.
    `stored_misfits` compares the document with what the database holds. `on_published` does what
    publishing a version entails, in the transaction that publishes it; not for one that withdraws.
    `after` names the kinds that its documents refer to: files have those first. A thing that
    others refer to is not withdrawn before them, unless it `ends_freely`. `example` is a document
    to begin with; without it one is made of the type.
    """

    name: str
    document: type[Struct]
    misfits: Callable[[Any, Surroundings], Misfits] = _no_misfits
    budget: Callable[[Any, Programme], int | None] = _no_budget
    stored_misfits: Callable[[Any], Awaitable[Misfits]] = _none_stored
    on_published: Callable[[Version, Any], Awaitable[None]] = _nothing_follows
    after: tuple[str, ...] = ()
    ends_freely: bool = False
    example: Mapping[str, Any] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make the kind known."""
    assert kind.name not in _kinds or _kinds[kind.name].document is kind.document
    _kinds[kind.name] = kind
    return kind


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises InvalidInput, which names those that there are."""
    if name not in _kinds:
        raise unknown_kind(name, _kinds)
    return _kinds[name]


def kinds() -> list[Kind]:
    """All kinds that are known, in the order in which they were registered."""
    return list(_kinds.values())


def in_order(some: Iterable[Kind]) -> list[Kind]:
    """The kinds with each after those that it refers to, and else by their names."""
    waiting = {kind.name: kind for kind in some}
    ordered: list[Kind] = []
    while waiting:
        free = [
            name
            for name, kind in sorted(waiting.items())
            if not any(other in waiting for other in kind.after if other != name)
        ]
        name = free[0] if free else min(waiting)  # a circle is opened at its first name
        ordered.append(waiting.pop(name))
    return ordered
