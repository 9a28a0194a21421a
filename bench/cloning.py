"""Copies of members: their rows with ids, numbers and hash chains of their own, as PostgreSQL's
COPY takes them.

A `Stencil` is cut once from an archetype's rows: for each table a text in which only what differs
from copy to copy is left open. Ids are found by their values, in whatever column or JSON they
stand, so that a table which is added later is copied as well.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from server.cards.rules import RANDOM_COUNT, number_of
from server.ledger.rules import GENESIS_HASH
from server.storage.ids import new_id

_ID = re.compile(r"(?<!\d)\d{17,19}(?!\d)")
_NULL = "\\N"
_HOLE = "%s"
_POSTED = (  # what a posting's hash is of, in this order
    "member_id",
    "account_id",
    "sequence",
    "debit",
    "credit",
    "amount",
    "balance_after",
    "lot_id",
    "reason",
    "rule",
    "programme_version",
    "reference",
    "occurred_at",
    "recorded_at",
)
_CARD_STEP = 6_700_417
"""Prime, so that the numbers of the copies' cards are scattered and differ."""
_COUNTER_BITS, _NODE_BITS = 12, 10
_UNIQUE = {  # with the copy's number, and the beginning of what the archetype has
    ("members", "external_id"): "m-%s",
    ("accounts", "email"): "m%s@bench.example",
    ("accounts", "email_key"): "m%s@bench.example",
    ("vouchers", "code"): "{}%s",
}

Rows = Sequence[Mapping[str, str | None]]
"""Rows whose values are what PostgreSQL writes as text."""


class Ids:
    """Runs of identifiers as the server makes them, greater than those that it made before."""

    def __init__(self) -> None:
        first = new_id() + (1 << (_COUNTER_BITS + _NODE_BITS))
        # A node of its own, so that none of them is an id that this process makes meanwhile.
        self._millisecond = first >> (_COUNTER_BITS + _NODE_BITS)
        self._node = ((first >> _COUNTER_BITS) + 1) & ((1 << _NODE_BITS) - 1)
        self._counter = 0

    def take(self, count: int) -> range:
        """So many in a row, in ascending order; at most 4096."""
        if self._counter + count > 1 << _COUNTER_BITS:
            self._millisecond += 1
            self._counter = 0
        start = (self._millisecond << _NODE_BITS | self._node) << _COUNTER_BITS | self._counter
        self._counter += count
        return range(start, start + count)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with holes, and which of a copy's values fill them."""

    template: str
    places: tuple[int, ...]

    def filled(self, values: Sequence[object]) -> str:
        if len(self.places) > 1:
            several: tuple[object, ...] = itemgetter(*self.places)(values)
            return self.template % several
        return self.template % tuple(values[place] for place in self.places)


@dataclass(frozen=True, slots=True)
class _Link:
    """A posting of a hash chain: its fields, and where the hash before it stands, if any."""

    fields: _Text
    previous: int | None


@dataclass(slots=True)
class Stencil:
    """One archetype, ready to be copied."""

    id_count: int
    columns: dict[str, tuple[str, ...]]
    links: list[_Link] = field(default_factory=list)
    tables: dict[str, _Text] = field(default_factory=dict)

    def copy(self, number: int, ids: range) -> dict[str, str]:
        """The lines of COPY of the copy with this number, by table."""
        values: list[object] = [*ids, f"{number:09d}", card_number(number)]
        for link in self.links:
            previous = GENESIS_HASH if link.previous is None else values[link.previous]
            text = f"{previous}\n{link.fields.filled(values)}"
            values.append(hashlib.sha256(text.encode()).hexdigest())
        return {table: text.filled(values) for table, text in self.tables.items()}


def card_number(number: int) -> str:
    """The card number of the copy with this number."""
    return number_of((number + 1) * _CARD_STEP % RANDOM_COUNT)


def external_id(number: int) -> str:
    """The external id of the copy with this number."""
    return f"m-{number:09d}"


def cut(tables: Mapping[str, Rows]) -> Stencil:
    """The stencil of one archetype's rows, by table."""
    return _Cutter(tables).stencil()


class _Cutter:
    """Makes one stencil."""

    def __init__(self, tables: Mapping[str, Rows]) -> None:
        self._tables = {table: rows for table, rows in tables.items() if rows}
        found = sorted(int(row["id"] or 0) for rows in self._tables.values() for row in rows)
        self._places = {str(one): place for place, one in enumerate(found)}
        self._number, self._card = len(found), len(found) + 1
        self._hashes: dict[tuple[str, str], int] = {}  # by (account, sequence)

    def stencil(self) -> Stencil:
        made = Stencil(
            len(self._places), {name: tuple(rows[0]) for name, rows in self._tables.items()}
        )
        made.links = self._links(self._tables.get("postings", ()))
        for table, rows in self._tables.items():
            made.tables[table] = self._joined(self._line(table, row) for row in rows)
        return made

    def _links(self, postings: Rows) -> list[_Link]:
        links: list[_Link] = []
        ordered = sorted(postings, key=lambda row: (row["account_id"] or "", _number(row)))
        previous: dict[str, int] = {}
        for row in ordered:
            account, sequence = row["account_id"] or "", row["sequence"] or ""
            parts = [self._opened("None" if (v := row[c]) is None else v) for c in _POSTED]
            links.append(_Link(_together(parts, "\n"), previous.get(account)))
            place = self._card + len(links)
            previous[account] = self._hashes[account, sequence] = place
        return links

    def _line(self, table: str, row: Mapping[str, str | None]) -> _Text:
        return _together([self._value(table, row, column) for column in row], "\t", end="\n")

    def _value(self, table: str, row: Mapping[str, str | None], column: str) -> _Text:
        value = row[column]
        if value is None:
            return _Text(_NULL, ())
        chained = {
            "postings": ("account_id", "sequence"),
            "ledger_accounts": ("id", "last_sequence"),
        }
        if column in ("hash", "last_hash") and table in chained:
            account, sequence = (row[name] or "" for name in chained[table])
            place = self._hashes.get((account, sequence))
            return _Text(GENESIS_HASH, ()) if place is None else _Text(_HOLE, (place,))
        if (table, column) == ("cards", "number"):
            return _Text(_HOLE, (self._card,))
        if (table, column) == ("purchases", "external_id"):
            return _Text(f"%s-{_escaped(value)}", (self._number,))
        if unique := _UNIQUE.get((table, column)):
            return _Text(unique.format(value[:5]), (self._number,))
        return self._opened(_escaped(value))

    def _opened(self, value: str) -> _Text:
        """The text with a hole for each id of the archetype's in it."""
        places: list[int] = []

        def hole(match: re.Match[str]) -> str:
            place = self._places.get(match[0])
            if place is None:
                return match[0]
            places.append(place)
            return _HOLE

        return _Text(_ID.sub(hole, value.replace("%", "%%")), tuple(places))

    def _joined(self, lines: Iterable[_Text]) -> _Text:
        return _together(list(lines), "")


def _number(row: Mapping[str, str | None]) -> int:
    return int(row["sequence"] or 0)


def _escaped(value: str) -> str:
    for character, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, written)
    return value


def _together(texts: Sequence[_Text], between: str, *, end: str = "") -> _Text:
    return _Text(
        between.join(text.template for text in texts) + end,
        tuple(place for text in texts for place in text.places),
    )
