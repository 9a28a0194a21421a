"""The small language in which `rules` says what a document may hold, and its checker.

A shape is a `Leaf` (one value), a `Section` (a mapping with keys that are known here, required or
optional), an `Index` (a mapping whose keys the document chooses) or `Items` (a list). Checking
collects every problem instead of stopping at the first.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any

from server.errors import Path
from server.programme.errors import DocumentProblem, shown_value

MAXIMUM_PROBLEMS = 100
"""So many problems are reported at most: more of them help nobody, and the answer stays small."""

_LONGEST_KEY_TO_COMPARE = 64

Relations = Callable[[Any], Iterable[tuple[Path, str]]]
"""Compares values with each other: yields the path of each misfit, and what would be accepted.

It is given the valid values only: an invalid value of a required key is missing, one of an optional
key is None, so that a missing optional key means its default; an invalid item is None too.
"""


def _unrelated(_value: object) -> Iterable[tuple[Path, str]]:
    return ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: whether it is taken, and what is, in words."""

    accepted: str
    takes: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping in which each of the keys must stand, the optional ones may, and no other."""

    keys: Mapping[str, "Shape"]
    relations: Relations = field(default=_unrelated)
    optional: Mapping[str, "Shape"] = field(default_factory=dict)

    @property
    def all_keys(self) -> Mapping[str, "Shape"]:
        """The keys that must stand, then those that may, in reading order."""
        return {**self.keys, **self.optional}

    @property
    def keys_in_words(self) -> str:
        """The keys by name, with the optional ones named as such."""
        if not self.optional:
            return ", ".join(self.keys)
        if not self.keys:
            return f"{', '.join(self.optional)} (all optional)"
        return f"{', '.join(self.keys)} (optional: {', '.join(self.optional)})"

    @property
    def accepted(self) -> str:
        """What is taken, in words."""
        return f"a mapping with the keys {self.keys_in_words}"


@dataclass(frozen=True, slots=True)
class Index:
    """A mapping from keys of the document's own choice to values of one shape."""

    of: str  # what a key is, in words
    each: "Shape"
    maximum: int = 1000

    @property
    def accepted(self) -> str:
        """What is taken, in words."""
        return f"a mapping of at most {self.maximum} keys, each {self.of}"


@dataclass(frozen=True, slots=True)
class Items:
    """A list of values of one shape."""

    each: "Shape"
    minimum: int = 0
    maximum: int = 1000
    relations: Relations = field(default=_unrelated)

    @property
    def accepted(self) -> str:
        """What is taken, in words."""
        if self.minimum == self.maximum:
            return f"a list of exactly {self.minimum} item{'s' * (self.minimum != 1)}"
        return f"a list of {self.minimum} to {self.maximum} items"


Shape = Leaf | Section | Index | Items


def whole(minimum: int, maximum: int) -> Leaf:
    """A whole number between the bounds, both included."""

    def takes(value: object) -> bool:
        return type(value) is int and minimum <= value <= maximum

    return Leaf(f"a whole number from {minimum} to {maximum}", takes)


def text(maximum: int) -> Leaf:
    """Text without control characters."""

    def takes(value: object) -> bool:
        return (
            isinstance(value, str)
            and 1 <= len(value) <= maximum
            and not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
        )

    return Leaf(f"text of 1 to {maximum} characters, in quotes where it looks like a number", takes)


def one_of(*values: str) -> Leaf:
    """One of the words."""
    *others, last = values
    words = f"{', '.join(others)} or {last}" if others else last
    return Leaf(words, lambda value: isinstance(value, str) and value in values)


def yes_or_no() -> Leaf:
    """A truth value."""
    return Leaf("true or false", lambda value: type(value) is bool)


def whole_or(number: Leaf, word: str) -> Leaf:
    """A number, or one word instead."""
    return Leaf(f"{number.accepted}, or {word}", lambda value: value == word or number.takes(value))


def local_date() -> Leaf:
    """A calendar date as text, YYYY-MM-DD."""

    def takes(value: object) -> bool:
        try:
            return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
        except ValueError:
            return False

    return Leaf("a calendar date, YYYY-MM-DD", takes)


class Checker:
    """One check of one document; `problems` fills up as it goes."""

    def __init__(self, problems: Iterable[DocumentProblem] = ()) -> None:
        self.problems = list(problems)[:MAXIMUM_PROBLEMS]

    def check(self, shape: Shape, value: object, path: Path = ()) -> Any:
        """The value with what is invalid left out of mappings, and None in lists; else None."""
        if isinstance(shape, Section) and isinstance(value, dict):
            return self._section(shape, value, path)
        if isinstance(shape, Index) and isinstance(value, dict):
            if len(value) <= shape.maximum:
                return self._entries(shape, value, path)
        elif isinstance(shape, Items) and isinstance(value, list):
            if shape.minimum <= len(value) <= shape.maximum:
                return self._items(shape, value, path)
        elif isinstance(shape, Leaf) and shape.takes(value):
            return value
        self._add(path, value, shape.accepted)
        return None

    def _add(self, path: Path, value: object, accepted: str) -> None:
        if len(self.problems) < MAXIMUM_PROBLEMS:
            self.problems.append(DocumentProblem(path, shown_value(value), accepted))

    def _section(self, shape: Section, value: dict[str, object], path: Path) -> dict[str, Any]:
        valid: dict[str, Any] = {}
        for key, inner in shape.all_keys.items():
            if key not in value:
                if key in shape.keys:
                    self._add_missing((*path, key), inner)
                continue
            checked = self.check(inner, value[key], (*path, key))
            if checked is not None or key in shape.optional:
                valid[key] = checked
        for key, item in value.items():
            if key not in shape.all_keys:
                self._add_unknown(shape, key, item, path)
        self._relate(shape.relations, valid, value, path)
        return valid

    def _entries(self, shape: Index, value: dict[str, object], path: Path) -> dict[str, Any]:
        return {key: self.check(shape.each, item, (*path, key)) for key, item in value.items()}

    def _items(self, shape: Items, value: list[object], path: Path) -> list[Any]:
        valid = [self.check(shape.each, item, (*path, at)) for at, item in enumerate(value)]
        self._relate(shape.relations, valid, value, path)
        return valid

    def _relate(self, relations: Relations, valid: object, value: Any, path: Path) -> None:
        for below, accepted in relations(valid):
            misfit = value
            for step in below:
                misfit = misfit[step]
            self._add((*path, *below), misfit, accepted)

    def _add_missing(self, path: Path, shape: Shape) -> None:
        if len(self.problems) < MAXIMUM_PROBLEMS:
            accepted = f"{shape.accepted}; this key has no default"
            self.problems.append(DocumentProblem(path, None, accepted))

    def _add_unknown(self, shape: Section, key: str, value: object, path: Path) -> None:
        if len(self.problems) >= MAXIMUM_PROBLEMS:
            return
        accepted = f"there is no such key; the keys here are {shape.keys_in_words}"
        nearest = get_close_matches(key[:_LONGEST_KEY_TO_COMPARE], shape.all_keys, n=1)
        if nearest:
            accepted = f"there is no such key; the nearest is {nearest[0]}"
        self._add((*path, key), value, accepted)
