"""Files of many definitions: one list in YAML, or a table in CSV with a row for each."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.definitions import tables
from server.definitions.checking import shape_of
from server.definitions.errors import InvalidDefinition
from server.definitions.formats import FileFormat
from server.definitions.kinds import kinds
from server.definitions.tables import Misread
from server.definitions.writing import in_reading_order, yaml_of
from server.errors import Path
from server.programme.checking import MAXIMUM_PROBLEMS
from server.programme.errors import DocumentProblem, InvalidDocument, shown_value
from server.programme.reading import plain_data

FORMAT_KEY = "laurel_definitions"
FORMAT_VERSION = 1
MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
COLUMNS = ("kind", "key", "effective_at")
_ITEM_KEYS = ("kind", "key", "effective_at", "document")
_INSTANT_ACCEPTED = "an instant with its zone, such as 2017-05-08T00:00:00Z, or nothing for now"


class Item(Struct, frozen=True):
    """A definition in a file: what is to count, and from when on."""

    kind: str
    key: str
    effective_at: Instant | None  # None: from now on
    document: Any  # plain data; None ends the thing
    place: Path = ()  # of the item in its file
    document_place: Path = ()


def shown_instant(instant: Instant) -> str:
    """An instant as files have it."""
    return clock.datetime_of(instant).isoformat().replace("+00:00", "Z")


def written(items: Iterable[Item], file_format: FileFormat) -> str:
    """The file of these."""
    return (_as_yaml if file_format is FileFormat.YAML else _as_csv)(_in_reading_order(items))


def read(text: str, file_format: FileFormat) -> list[Item]:
    """What stands in a file. Raises InvalidDefinition with everything that can't be read."""
    return (_from_yaml if file_format is FileFormat.YAML else _from_csv)(text)


def _in_reading_order(items: Iterable[Item]) -> list[Item]:
    shapes = {kind.name: shape_of(kind.document) for kind in kinds()}
    return [
        Item(
            item.kind,
            item.key,
            item.effective_at,
            in_reading_order(item.document, shapes[item.kind])
            if item.kind in shapes
            else item.document,
        )
        for item in items
    ]


# ---------------------------------------------------------------- YAML


def _as_yaml(items: Sequence[Item]) -> str:
    plain = []
    for item in items:
        starts = (
            {} if item.effective_at is None else {"effective_at": shown_instant(item.effective_at)}
        )
        plain.append({"kind": item.kind, "key": item.key, **starts, "document": item.document})
    return yaml_of({FORMAT_KEY: FORMAT_VERSION, "definitions": plain})


def _from_yaml(text: str) -> list[Item]:
    try:
        plain, problems = plain_data(text, maximum_bytes=MAXIMUM_FILE_BYTES)
    except InvalidDocument as error:
        raise InvalidDefinition(error.problems) from None
    found = _Found(list(problems))
    if not isinstance(plain, dict):
        found.refuse((), plain, f"a mapping with the keys {FORMAT_KEY} and definitions")
        raise found.refusal()
    if plain.get(FORMAT_KEY) != FORMAT_VERSION or isinstance(plain[FORMAT_KEY], bool):
        found.refuse((FORMAT_KEY,), plain.get(FORMAT_KEY), str(FORMAT_VERSION))
    for name in plain.keys() - {FORMAT_KEY, "definitions"}:
        found.refuse((name,), plain[name], f"{FORMAT_KEY} or definitions; no other key")
    listed = plain.get("definitions")
    if not isinstance(listed, list):
        found.refuse(("definitions",), listed, "a list of definitions")
        raise found.refusal()
    for number, one in enumerate(listed):
        _item_of(one, ("definitions", number), found)
    return found.answer()


def _item_of(plain: object, place: Path, found: "_Found") -> None:
    if not isinstance(plain, dict) or "document" not in plain:
        found.refuse(place, plain, f"a mapping with the keys {', '.join(_ITEM_KEYS)}")
        return
    for name in plain.keys() - set(_ITEM_KEYS):
        found.refuse((*place, name), plain[name], f"one of the keys {', '.join(_ITEM_KEYS)}")
    kind, key, starts = (plain.get(name) for name in COLUMNS)
    for name, value in (("kind", kind), ("key", key)):
        if not isinstance(value, str):
            found.refuse((*place, name), value, "text")
            return
    document_place = (*place, "document")
    effective_at = found.instant((*place, "effective_at"), starts)
    found.items.append(
        Item(str(kind), str(key), effective_at, plain["document"], place, document_place)
    )


class _Found:
    """What a file was found to hold so far."""

    def __init__(self, problems: list[DocumentProblem]) -> None:
        self.problems = problems
        self.items: list[Item] = []

    def refuse(self, place: Path, value: object, accepted: str) -> None:
        told = None if value is None else shown_value(value)
        self.problems.append(DocumentProblem(place, told, accepted))

    def instant(self, place: Path, value: object) -> Instant | None:
        """The instant that a value says; None for now."""
        if value is None or value == "":
            return None
        try:
            return clock.instant_of(datetime.fromisoformat(str(value)))
        except (ValueError, OverflowError):
            self.refuse(place, value, _INSTANT_ACCEPTED)
            return None

    def refusal(self) -> InvalidDefinition:
        return InvalidDefinition(tuple(self.problems[:MAXIMUM_PROBLEMS]))

    def answer(self) -> list[Item]:
        if self.problems:
            raise self.refusal()
        return self.items


# ---------------------------------------------------------------- CSV


def _as_csv(items: Sequence[Item]) -> str:
    rows = [tables.cells(item.document) for item in items]
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *names])
    for item, row in zip(items, rows, strict=True):
        starts = "" if item.effective_at is None else shown_instant(item.effective_at)
        writer.writerow([item.kind, item.key, starts, *(row.get(name, "") for name in names)])
    return text.getvalue()


def _from_csv(text: str) -> list[Item]:
    found = _Found([])
    text = text.removeprefix("\ufeff")
    if len(text) > MAXIMUM_FILE_BYTES:
        found.refuse((), f"{len(text)} characters", f"at most {MAXIMUM_FILE_BYTES} bytes")
        raise found.refusal()
    separator = ";" if text.startswith("kind;") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        found.refuse((), str(error), "a table as CSV, with text in quotes where it needs them")
        raise found.refusal() from None
    header = rows[0] if rows else []
    paths = _columns(header, found)
    if found.problems:
        raise found.refusal()
    for number, row in enumerate(rows[1:], start=2):
        if any(row):
            _row(header, row, paths, ("rows", number), found)
    return found.answer()


def _columns(header: Sequence[str], found: _Found) -> dict[str, Path]:
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        found.refuse(("rows", 1), list(header[:4]), f"{','.join(COLUMNS)}, then a path a column")
    paths: dict[str, Path] = {}
    for name in header[len(COLUMNS) :]:
        if name in paths:
            found.refuse(("rows", 1, name), name, "each column once")
        try:
            paths[name] = tables.path_of(name)
        except Misread as error:
            found.refuse(("rows", 1, name), error.value, error.accepted)
    return paths


def _row(
    header: Sequence[str], row: Sequence[str], paths: dict[str, Path], place: Path, found: _Found
) -> None:
    if len(row) > len(header):
        found.refuse(place, f"{len(row)} cells", f"at most {len(header)}, as the first row has")
        return
    cells = dict(zip(header, row, strict=False))
    kind, key, starts = (cells.pop(name, "") for name in COLUMNS)
    effective_at = found.instant((*place, "effective_at"), starts)
    try:
        document = tables.plain_of(cells, paths)
    except Misread as error:
        found.refuse((*place, error.column), error.value, error.accepted)
        return
    found.items.append(Item(kind, key, effective_at, document, place, place))
