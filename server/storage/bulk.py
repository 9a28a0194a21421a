"""One statement for many rows on PostgreSQL, which does row after row otherwise.

`INSERT ... VALUES ($1, $2)` becomes `INSERT ... SELECT bulk.v1, bulk.v2 FROM unnest($1, $2)`, with
an array of all rows' values for each placeholder, and updates and deletions are joined with it.
That means the same as each row in its turn only while no row of the table is touched twice, so that
what identifies the rows has to differ between them: the columns that an update compares for
equality and leaves as they are, or those of ON CONFLICT. Whatever is not of such a plain form is
left to the driver.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PLACEHOLDER = re.compile(r"\$(\d+)")
_INSERT = re.compile(
    r"\s*INSERT INTO (?P<table>\w+) \((?P<columns>[\w, ]+)\) VALUES \((?P<values>.+?)\)"
    r"(?:\s+ON CONFLICT(?: \((?P<target>[\w, ]+)\))? DO (?P<action>NOTHING|UPDATE SET .+))?\s*",
    re.DOTALL,
)
_UPDATE = re.compile(r"\s*UPDATE (?P<table>\w+) SET (?P<set>.+?) WHERE (?P<where>.+)", re.DOTALL)
_DELETE = re.compile(r"\s*DELETE FROM (?P<table>\w+) WHERE (?P<where>.+)", re.DOTALL)
_VALUE = re.compile(r"\$\d+|\d+|'\w*'|NULL")
_NOT_PLAIN = re.compile(
    r"\b(SELECT|FROM|USING|RETURNING|WITH|OR|OVERRIDING)\b|[;'\"]", re.IGNORECASE
)
_EQUALITY = re.compile(r"(?:\w+\.)?(\w+)\s*=\s*\$(\d+)")
_ASSIGNED = re.compile(r"(?:^|,)\s*(\w+)\s*=(?!=)")
_AND = re.compile(r"\s+AND\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """A statement for many rows: what stands before and after the arrays."""

    before: str
    after: str
    key: tuple[int, ...] | None
    """The placeholders, from 0, of which the values have to differ between rows; None: none."""

    def is_for(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Whether it means the same for these rows as each in its turn."""
        key = self.key
        if key is None:
            return True
        if len(key) == 1:
            return len({row[key[0]] for row in rows}) == len(rows)
        return len({tuple(row[place] for place in key) for row in rows}) == len(rows)

    def statement(self, types: Sequence[str]) -> str:
        """The statement, for placeholders of these types."""
        arrays = ", ".join(f"${number}::{name}[]" for number, name in enumerate(types, start=1))
        names = ", ".join(f"v{number}" for number in range(1, len(types) + 1))
        return f"{self.before} unnest({arrays}) AS bulk({names}){self.after}"


def form(statement: str) -> Form | None:
    """How the statement is written for many rows; None if it is not of a plain form."""
    if match := _INSERT.fullmatch(statement):
        return _insert(match)
    if _NOT_PLAIN.search(statement.replace("DELETE FROM", "", 1)):
        return None
    if match := _UPDATE.fullmatch(statement):
        return _update(match)
    if match := _DELETE.fullmatch(statement):
        where = _joined(match["where"])
        return Form(f"DELETE FROM {match['table']} USING", f" WHERE {where}", None)
    return None


def _joined(text: str) -> str:
    return _PLACEHOLDER.sub(r"bulk.v\1", text)


def _insert(match: re.Match[str]) -> Form | None:
    columns = [name.strip() for name in match["columns"].split(",")]
    values = [value.strip() for value in match["values"].split(",")]
    action = match["action"]
    are_plain = all(_VALUE.fullmatch(value) for value in values)
    if not are_plain or len(values) != len(columns) or (action and "$" in action):
        return None
    key = None
    if action and action != "NOTHING":
        given = dict(zip(columns, values, strict=True))
        target = [name.strip() for name in (match["target"] or "").split(",")]
        compared = [_PLACEHOLDER.fullmatch(given.get(name, "")) for name in target]
        if None in compared or not set(target).isdisjoint(_ASSIGNED.findall(action[10:])):
            return None
        key = tuple(int(one[1]) - 1 for one in compared if one)
    conflict = match.string[match.end("values") + 1 :]
    before = f"INSERT INTO {match['table']} ({match['columns']}) SELECT {_joined(match['values'])}"
    return Form(f"{before} FROM", conflict, key)


def _update(match: re.Match[str]) -> Form | None:
    if "(" in match["set"] and "," in match["set"].split("(", 1)[1].split(")", 1)[0]:
        return None  # a comma that does not part assignments
    assigned = set(_ASSIGNED.findall(match["set"]))
    equal = (_EQUALITY.fullmatch(term.strip()) for term in _AND.split(match["where"]))
    key = tuple(int(one[2]) - 1 for one in equal if one and one[1] not in assigned)
    if not key:
        return None
    before = f"UPDATE {match['table']} SET {_joined(match['set'])} FROM"
    return Form(before, f" WHERE {_joined(match['where'])}", key)
