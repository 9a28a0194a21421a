"""Reading a file of balances: as a stream, in memory that does not grow with the file."""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from server.errors import InvalidInput, phrase
from server.imports import rules

if TYPE_CHECKING:
    from _csv import Reader

_PIECE_BYTES = 1 << 20
_DELIMITERS = (",", ";")


class FileRefused(Exception):
    """The file as a whole can't be read; the message says where and what would be accepted."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file is: SHA-256 of its bytes (hexadecimal), and its lines after the header."""

    digest: str
    line_count: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file by column; or why it can't be read. `number` counts from 1 after the
    header; empty lines don't count."""

    number: int
    values: Mapping[str, str]
    refusal: InvalidInput | None = None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, for `survey` and then `rows`. Raises FileRefused if it can't be opened."""
    try:
        with path.open("rb") as file:
            if not file.seekable():
                raise FileRefused(f"{path} can't be read twice: accepted is a plain file")
            yield file
    except OSError as error:
        raise FileRefused(f"can't read {path}: {error.strerror or error}") from error


def survey(file: BinaryIO) -> Survey:
    """Read the file through once. Raises FileRefused for what is no such table."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    return Survey(digest.hexdigest(), sum(1 for _ in rows(file)))


def rows(file: BinaryIO) -> Iterator[Row]:
    """The lines after the header, one by one. Raises FileRefused as `survey` does."""
    file.seek(0)
    # A byte that is no UTF-8 refuses its own line: what it becomes is not printable.
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        first = text.readline()
        delimiter = max(_DELIMITERS, key=first.count)
        text.seek(0)
        yield from _rows(csv.reader(text, delimiter=delimiter, strict=True))
    finally:
        text.detach()


def _rows(reader: "Reader") -> Iterator[Row]:
    number = 0
    try:
        columns = _columns(next(reader, []))
        for fields in reader:
            if not fields:
                continue
            number += 1
            if len(fields) == len(columns):
                yield Row(number, dict(zip(columns, fields, strict=True)))
            else:
                values = dict(zip(columns, fields, strict=False))
                yield Row(number, values, _miscounted(len(fields), len(columns)))
    except csv.Error as error:
        raise FileRefused(
            f"line {reader.line_num} of the file can't be read ({error}): accepted are values with"
            " quotation marks around those that have delimiters, quotation marks (doubled) or line"
            " breaks in them"
        ) from error


def _miscounted(given: int, wanted: int) -> InvalidInput:
    return InvalidInput(
        "import.columns",
        path=(),
        value=phrase("given.import_values", number=given),
        accepted=phrase("accepted.import_values", wanted=wanted),
    )


def _columns(header: list[str]) -> list[str]:
    """The columns of the file, checked."""
    columns = [name.strip() for name in header]
    known = ", ".join(rules.COLUMNS)
    unknown = [name for name in columns if name not in rules.COLUMNS]
    if not columns or unknown == columns:
        raise FileRefused(f"the file has no header: accepted is a first line with names of {known}")
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise FileRefused(f"unknown columns: {names}; accepted are {known}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FileRefused(f"columns that stand there twice: {', '.join(twice)}; accepted is one")
    if rules.EXTERNAL_ID not in columns or not {rules.POINTS, rules.CASHBACK} & set(columns):
        raise FileRefused(
            f"the file lacks a column: accepted are {rules.EXTERNAL_ID}, and {rules.POINTS} or"
            f" {rules.CASHBACK} or both"
        )
    return columns
