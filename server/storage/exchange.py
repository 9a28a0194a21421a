"""Several statements in one exchange with the database: what goes there and back costs more than
what a short statement does there.

On PostgreSQL the statements become one; on SQLite they run one after the other. What they find and
leave is the same as one by one, but that on PostgreSQL all of them see the database as it was
before the first: so a row is locked in an exchange before the one that reads what its lock guards.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from server.storage import sql

Asked = tuple[str, Sequence[Any]]
"""A query and its values."""
Written = tuple[str, Sequence[sql.Row]]
"""A write and the rows that it is run for."""

_PLACEHOLDER = re.compile(r"\$(\d+)")
_TABLE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
_Answer_contra = TypeVar("_Answer_contra", contravariant=True)


class Companion(Protocol, Generic[_Answer_contra]):
    """What is asked and written in the exchanges of some work on many things, for another's sake.

    The work asks what is `asked` with its first questions, does only what `left` then tells, and
    writes what is `written` with its own last rows.
    """

    asked: Sequence[Asked]

    def left(self, found: Sequence[Sequence[sql.Row]]) -> Collection[int]:
        """Which of the things are still to be done, by their positions."""

    def written(self, answers: Sequence[_Answer_contra | None]) -> Iterable[Written]:
        """What is to be written, by what became of the things; None of those that were not left."""


async def fetch_each(asked: Sequence[Asked]) -> list[Sequence[sql.Row]]:
    """The rows of each of the queries, as if they were asked one by one."""
    if len(asked) < 2 or sql.engine() == "sqlite":
        return [await sql.fetch(statement, *values) for statement, values in asked]
    statement = _joined(tuple((text, len(values)) for text, values in asked))
    (found,) = await sql.fetch(statement, *(value for _text, values in asked for value in values))
    return list(found)


@lru_cache(maxsize=1024)
def _joined(asked: tuple[tuple[str, int], ...]) -> str:
    """One query that answers a row with an array of rows for each of the queries."""
    columns: list[str] = []
    first = 0
    for text, value_count in asked:
        columns.append(f"ARRAY(SELECT q FROM ({moved(text, first)}) AS q)")
        first += value_count
    return f"SELECT {', '.join(columns)}"


def moved(statement: str, by: int) -> str:
    """The statement with the numbers of its placeholders so much higher."""
    return _PLACEHOLDER.sub(lambda found: f"${int(found[1]) + by}", statement)


async def execute_each(written: Iterable[Written]) -> None:
    """Run the writes, each once for each of its rows, in their order."""
    wanted = [(statement, rows) for statement, rows in written if rows]
    if len(wanted) < 2 or sql.engine() == "sqlite":
        for statement, rows in wanted:
            await sql.execute_many(statement, rows)
        return
    for group in _of_different_tables(wanted):
        await _execute_together(group)


def _of_different_tables(written: Sequence[Written]) -> list[list[Written]]:
    """The writes in groups that may be one statement each: its parts don't see one another."""
    groups: list[list[Written]] = []
    tables: set[str] = set()
    for one in written:
        table = _table_of(one[0])
        if not groups or table in tables:
            groups.append([])
            tables = set()
        groups[-1].append(one)
        tables.add(table)
    return groups


@lru_cache(maxsize=256)
def _table_of(statement: str) -> str:
    found = _TABLE.match(statement)
    assert found is not None, "a write says what it writes to"
    return found[1]


async def _execute_together(group: Sequence[Written]) -> None:
    parts: list[tuple[str, Sequence[Any]]] = []
    for statement, rows in group:
        if len(rows) == 1:  # the driver looks at each element of an array, and at a value once
            parts.append((statement, rows[0]))
            continue
        form = await sql.writing_connection().written_for_many(statement)
        if form is None or not form.form.is_for(rows):
            break
        parts.append((form.statement, list(zip(*rows, strict=True))))
    if len(parts) < len(group):
        for statement, rows in group:
            await sql.execute_many(statement, rows)
        return
    text = _chained(tuple((text, len(values)) for text, values in parts))
    await sql.execute(text, *(value for _text, values in parts for value in values))


@lru_cache(maxsize=256)
def _chained(parts: tuple[tuple[str, int], ...]) -> str:
    """One statement that does what each of the statements does."""
    texts: list[str] = []
    first = 0
    for text, value_count in parts:
        texts.append(moved(text, first))
        first += value_count
    *others, last = texts
    named = ", ".join(f"w{number} AS ({text})" for number, text in enumerate(others))
    return f"WITH {named} {last}" if others else last
