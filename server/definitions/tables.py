"""Plain data as cells of a table, and back: exact both ways, and harmless in a spreadsheet.

A leaf's path is its column: `discount.rate_bps`, `audience.tiers[0]`, `texts["en-GB"]`; `.` is the
root itself. An empty cell says that there is no such leaf. Text stands as it is if it begins with a
letter or digit and can't be read as JSON; all else is JSON, so that no cell begins with what a
spreadsheet takes for a formula: such texts are in quotes, and a negative number follows a space.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from server.errors import Path
from server.programme.errors import shown_path

ROOT = "."
MAXIMUM_DEPTH = 16
_STEP = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,6})\]|\[("(?:[^"\\]|\\.)*")\]')


class Misread(Exception):
    """A column or a cell can't be read; `column` is which, and the message says what is taken."""

    def __init__(self, column: str, value: str | None, accepted: str) -> None:
        super().__init__(accepted)
        self.column, self.value, self.accepted = column, value, accepted


def cells(plain: object) -> dict[str, str]:
    """The leaves of the data by their columns."""
    return {column(path): cell(value) for path, value in _leaves(plain, ())}


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, value


def column(path: Path) -> str:
    """The name of a leaf's column."""
    if not path:
        return ROOT
    # A long key stays whole here, unlike where paths are told to people.
    return "".join(_step(step, is_first=not place) for place, step in enumerate(path))


def _step(step: str | int, *, is_first: bool) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", step):
        return step if is_first else f".{step}"
    return f"[{json.dumps(step)}]"


def path_of(name: str) -> Path:
    """The path of a column. Raises Misread."""
    if name == ROOT:
        return ()
    path: list[str | int] = []
    place = 0
    while place < len(name):
        found = _STEP.match(name, place)
        if found is None or len(path) == MAXIMUM_DEPTH:
            raise Misread(name, name, "a path such as discount.rate_bps or audience.tiers[0]")
        key, index, quoted = found.groups()
        path.append(key if key is not None else int(index) if index else _quoted(name, quoted))
        place = found.end()
    if column(tuple(path)) != name:
        raise Misread(name, name, f"the path as {shown_path(tuple(path))}")
    return tuple(path)


def _quoted(name: str, text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise Misread(name, text, "a key in the quotes of JSON") from None


def cell(value: object) -> str:
    """A leaf as the text of a cell."""
    if isinstance(value, str) and _is_plain(value):
        return value
    text = json.dumps(value, ensure_ascii=isinstance(value, str) and not value.isprintable())
    return f" {text}" if text[0] not in _HARMLESS and not text[0].isalnum() else text


_HARMLESS = '"[{'


def _is_plain(text: str) -> bool:
    if not text or not text[0].isalnum() or not text[-1].isprintable() or text != text.strip():
        return False
    return text.isprintable() and not _is_json(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def value_of(name: str, text: str) -> object:
    """The leaf that a cell holds. Raises Misread."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip()[:1] in ('"', "[", "{"):
            raise Misread(name, text, "JSON that is complete, or text in its quotes") from None
        return text
    if isinstance(value, dict | list) and value:
        raise Misread(name, text, "one value; a list or mapping has a column for each leaf")
    return value


def plain_of(row: Mapping[str, str], paths: Mapping[str, Path]) -> Any:
    """The data whose leaves are the cells of the row that are not empty. Raises Misread.

    `paths` has the path of each column.
    """
    root = _Node()
    for name, text in row.items():
        if text:
            root.put(name, paths[name], value_of(name, text))
    return root.value(ROOT)


class _Node:
    """A value that is being put together: a leaf, or what is below it."""

    def __init__(self) -> None:
        self.leaf: Any = self
        self.inner: dict[str | int, _Node] = {}

    def put(self, name: str, path: Path, value: object) -> None:
        if self.leaf is not self or (not path and self.inner):
            raise Misread(name, None, "either a value or what is below it, not both")
        if not path:
            self.leaf = value
            return
        if any(isinstance(step, int) is not isinstance(path[0], int) for step in self.inner):
            raise Misread(name, None, "either keys or positions, not both")
        self.inner.setdefault(path[0], _Node()).put(name, path[1:], value)

    def value(self, name: str) -> Any:
        if not self.inner:
            if self.leaf is self:
                raise Misread(name, None, "a document: its cells, or null to withdraw it")
            return self.leaf
        if not all(isinstance(step, int) for step in self.inner):
            return {str(step): node.value(name) for step, node in self.inner.items()}
        items = sorted((int(step), node) for step, node in self.inner.items())
        if items[-1][0] != len(items) - 1:
            raise Misread(name, None, "lists without gaps: positions from 0 on")
        return [node.value(name) for _place, node in items]
