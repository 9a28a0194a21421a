"""Refusals as data: a `DomainError` that is kept as part of an answer and told again later."""

from collections.abc import Iterator
from typing import Any

import msgspec

from server.errors import DomainError, Phrase

_IN_WORDS = ("value", "accepted")
"""What is told in words: a phrase, or a text that is the same in all languages."""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """An expected failure that can be stored as JSON."""

    kind: str
    state: dict[str, Any]

    @classmethod
    def of(cls, error: DomainError) -> "Refusal":
        """The refusal that the error is."""
        return cls(type(error).__name__, {**vars(error), "path": list(error.path)})

    def error(self) -> DomainError:
        """The error again, equal in everything that is told of it."""
        kind = next(kind for kind in _kinds(DomainError) if kind.__name__ == self.kind)
        error = kind.__new__(kind)
        vars(error).update(self.state, path=tuple(self.state["path"]))
        for name in _IN_WORDS:
            if isinstance(stored := self.state.get(name), dict):
                setattr(error, name, msgspec.convert(stored, Phrase))
        return error


def _kinds(base: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)
