"""Python source as it is written, and the names that it uses.

No text of a document, and none of a schema, becomes part of the source but names that GraphQL's
grammar allows (`[_A-Za-z][_0-9A-Za-z]*`), as the repr of a string, and Python's own identifiers, as
attributes and keyword arguments. Everything else (argument values, tables, resolvers, fields) is
bound in the namespace of the functions under names made up here.
"""

import re
from collections.abc import Mapping
from keyword import iskeyword
from types import CoroutineType
from typing import Any

from graphql_compiler.constants import ENCODED, PLAIN

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*", re.ASCII)


def is_mapping(source: object) -> bool:
    """Whether graphql-core looks fields up in it as in a dictionary."""
    return isinstance(source, Mapping)


_SHARED: dict[str, Any] = {
    "C": CoroutineType,
    "E": Exception,
    "ENCODED": ENCODED,
    "LISTS": frozenset({list, tuple}),
    "PLAIN": PLAIN,
    "is_mapping": is_mapping,
}


class Source:
    """Lines of Python, and the namespace that they run in."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._namespace = dict(_SHARED)
        self._names: dict[int, str] = {}

    def line(self, level: int, text: str) -> None:
        """Write a line, so far in."""
        self._lines.append(" " * level + text)

    def function(self, lines: list[str]) -> None:
        """Write a function that is complete."""
        self._lines.extend(lines)

    def bind(self, value: object) -> str:
        """A name for the object, which is the same for the same object."""
        name = self._names.get(id(value))
        if name is None:
            name = f"k{len(self._namespace)}"
            self._names[id(value)] = name
            self._namespace[name] = value  # which keeps it alive, and so its id its own
        return name

    def text(self, name: str) -> str:
        """An expression for a string of a document or a schema."""
        return repr(name) if _NAME.fullmatch(name) else self.bind(name)

    def run(self) -> dict[str, Any]:
        """What the source defines, among all that is bound."""
        code = compile("\n".join(self._lines), "<graphql operation>", "exec", dont_inherit=True)
        exec(code, self._namespace)  # noqa: S102 # the source holds no text from outside
        return self._namespace


def is_identifier(name: str) -> bool:
    """Whether the name may stand in the source as it is."""
    return _NAME.fullmatch(name) is not None and not iskeyword(name)
