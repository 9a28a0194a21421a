"""The kinds of things that a shop writes down, each with the type of its documents.

A domain registers its kinds when it is imported; this one knows none of them by itself.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from server.clock import Instant
from server.errors import NotFound, Path
from server.programme.document import Programme

if TYPE_CHECKING:
    from server.definitions.shelves import Shelves


class Surroundings(Struct, frozen=True):
    """What a document is held against beside its own type."""

    programme: Programme  # in effect now
    shelves: "Shelves"  # what is published, other kinds included
    now: Instant
    key: str


Misfits = Iterable[tuple[Path, str]]
"""The places of a document that do not fit, and for each in words what would be accepted."""


def _no_misfits(_document: Any, _surroundings: Surroundings) -> Misfits:
    return ()


def _no_budget(_document: Any, _programme: Programme) -> int | None:
    return 0


class Kind(Struct, frozen=True):
    """A kind of thing: its name, as in `offer`, and what its documents are.

    `misfits` compares a document's values with each other and with what is published. `budget`
    says what publishing it may cost at most, in minor units of the programme's currency: None is
    without limit, 0 nothing. Above the programme's limit a second person approves it.
    """

    name: str
    document: type[Struct]
    misfits: Callable[[Any, Surroundings], Misfits] = _no_misfits
    budget: Callable[[Any, Programme], int | None] = _no_budget


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make the kind known."""
    assert kind.name not in _kinds or _kinds[kind.name].document is kind.document
    _kinds[kind.name] = kind
    return kind


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises NotFound."""
    if name not in _kinds:
        raise NotFound("not_found", path=("kind",))
    return _kinds[name]


def kinds() -> list[Kind]:
    """All kinds that are known, in the order in which they were registered."""
    return list(_kinds.values())
