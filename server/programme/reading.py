"""From the text of a YAML document to plain data, by the safe part of YAML 1.2 and nothing else.

Only mappings, lists and scalars are read. Anchors, aliases and tags are refused, so that a small
text can't stand for a large document or for anything but data; so are keys that stand twice.
A scalar without quotes is a whole number (decimal), a fraction, true, false, null, or else text:
dates stay text, `NO` is not false, and `0150` is not the octal 104.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from server.errors import Path
from server.programme.errors import DocumentProblem, InvalidDocument, shown_value

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_DEPTH = 16

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)")
_FRACTION = re.compile(r"[-+]?(?=.*[.eE])(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEX = "[0-9a-fA-F]{2}"
_PAIR = re.compile(rf"(?<!\\)((?:\\\\)*)\\u([dD][89abAB]{_HEX})\\u([dD][c-fC-F]{_HEX})")
_NAMED: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    "-.inf": float("-inf"),
}
_LONGEST_NUMBER = 40


def plain_data(
    text: str, *, maximum_bytes: int = MAXIMUM_BYTES
) -> tuple[object, list[DocumentProblem]]:
    """The data of the one document in the text, and the keys that stand more than once in it.

    Raises InvalidDocument, with the one problem that stopped the reading, if it is not readable.
    """
    _refuse_size(text, maximum_bytes)
    try:
        return _Reader(yaml.parse(_as_yaml(text), Loader=_LOADER)).document()
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the text"
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise _unreadable((), f"{where}: {what}", "a YAML document") from error


def _refuse_size(text: str, maximum_bytes: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise _unreadable((), "half of a surrogate pair", "text in Unicode") from error
    if size > maximum_bytes:
        raise _unreadable((), f"{size} bytes", f"a document of at most {maximum_bytes} bytes")


def _as_yaml(text: str) -> str:
    """The text itself, or if it is JSON the same without the escapes of JSON that YAML lacks:
    pairs of surrogates, for what lies beyond the first 65,536 characters."""
    return _PAIR.sub(_joined, text) if text.lstrip().startswith("{") else text


def _joined(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _unreadable(path: Path, value: object, accepted: str) -> InvalidDocument:
    return InvalidDocument((DocumentProblem(path, shown_value(value), accepted),))


def scalar(value: str, *, is_quoted: bool) -> object:
    """What a scalar stands for; in quotes, or as a block of text, it is text."""
    if is_quoted:
        return value
    if value in _NAMED:
        return _NAMED[value]
    if len(value) > _LONGEST_NUMBER:
        return value
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _FRACTION.fullmatch(value) else value


class _Reader:
    """Reads the parser's events, one nested value at a time."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.repeated: list[DocumentProblem] = []

    def document(self) -> tuple[object, list[DocumentProblem]]:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None, []
        data = self.value(next(self.events), ())
        next(self.events)  # the document ends
        if not isinstance(next(self.events), yaml.StreamEndEvent):
            raise _unreadable((), "a second document after ---", "one document")
        return data, self.repeated

    def value(self, event: Any, path: Path) -> object:
        self.refuse_cleverness(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value, is_quoted=not event.implicit[0])
        if isinstance(event, yaml.SequenceStartEvent):
            return self.items(path)
        return self.mapping(path)

    def refuse_cleverness(self, event: Any, path: Path) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise _unreadable(path, f"*{event.anchor}", "the value itself; no YAML aliases")
        if event.anchor is not None:
            raise _unreadable(path, f"&{event.anchor}", "the value alone; no YAML anchors")
        if event.tag is not None:
            raise _unreadable(path, event.tag, "the value alone; no YAML tags")
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            raise _unreadable(path, "half of a surrogate pair", "text in Unicode")
        if len(path) > MAXIMUM_DEPTH:
            raise _unreadable(path, "…", f"values nested at most {MAXIMUM_DEPTH} deep")

    def items(self, path: Path) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            self.refuse_cleverness(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise _unreadable(path, "a list or mapping as a key", "text as a key")
            key: str = event.value
            value = self.value(next(self.events), (*path, key))
            if key in mapping:
                accepted = f"each key once; it stands again in line {line}"
                problem = DocumentProblem((*path, key), shown_value(value), accepted)
                self.repeated.append(problem)
            else:
                mapping[key] = value
        return mapping
