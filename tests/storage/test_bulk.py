"""A write for many rows means what it means for each in its turn, in one statement if it can be."""

import sqlite3
from typing import Any

import asyncpg
import pytest

from server.storage import bulk, postgres, sql
from server.storage.postgres import Session

INSERT = "INSERT INTO things (id, name, count) VALUES ($1, $2, $3)"
ADD = f"{INSERT} ON CONFLICT (id) DO UPDATE SET count = things.count + excluded.count"
ADD_NEW = f"{INSERT} ON CONFLICT DO NOTHING"
COUNT_UP = "UPDATE things SET count = count + $1, name = $2 WHERE id = $3 AND count < 100"
RENAME = "UPDATE things SET name = $1 WHERE id = $2 AND name = $3"
REMOVE = "DELETE FROM things WHERE id = $1 AND count <= $2"
LATEST = "UPDATE things SET count = $1 WHERE id = $2 AND (name IS NULL OR count < $1)"


@pytest.fixture(autouse=True)
def even_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two rows are enough for one statement."""
    monkeypatch.setattr(postgres, "FEWEST_ROWS", 2)


@pytest.fixture
async def things(database: object) -> None:
    async with sql.transaction():
        await sql.execute(
            "CREATE TABLE things (id BIGINT PRIMARY KEY, name VARCHAR(20), count INT NOT NULL,"
            " CHECK (count < 1000))"
        )
        for number in range(4):
            await sql.execute(INSERT, number, "abcd"[number], number)


class Spy:
    """A connection that tells what was called."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.called.append(name)
        return getattr(self._connection, name)


async def written(*steps: tuple[str, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    async with sql.transaction():
        for statement, rows in steps:
            await sql.execute_many(statement, rows)
    return [tuple(row) for row in await sql.fetch("SELECT id, name, count FROM things ORDER BY id")]


@pytest.mark.parametrize(
    ("statement", "rows", "left"),
    [
        (INSERT, [(4, "e", 1), (5, None, 2)], {4: ("e", 1), 5: (None, 2)}),
        (ADD, [(1, "x", 5), (7, "y", 6)], {1: ("b", 6), 7: ("y", 6)}),
        (ADD, [(1, "x", 5), (1, "y", 6), (7, "z", 1), (7, "z", 2)], {1: ("b", 12), 7: ("z", 3)}),
        (ADD_NEW, [(1, "x", 5), (7, "y", 6), (7, "z", 7)], {7: ("y", 6)}),
        (COUNT_UP, [(90, "x", 1), (200, "y", 2), (1, "z", 9)], {1: ("x", 91), 2: ("y", 202)}),
        (COUNT_UP, [(98, "x", 2), (1, "y", 2), (1, "z", 3)], {2: ("x", 100), 3: ("z", 4)}),
        (COUNT_UP, [(1, "x", 2), (1, "y", 2), (1, "z", 2)], {2: ("z", 5)}),
        (RENAME, [("x", 1, "b"), ("y", 1, "x"), ("z", 2, "b")], {1: ("y", 1)}),
        (RENAME, [("x", 1, "b"), ("y", 2, "c")], {1: ("x", 1), 2: ("y", 2)}),
        (REMOVE, [(1, 1), (1, 1), (2, 1), (3, 9)], {1: None, 3: None}),
        (LATEST, [(5, 1), (3, 1), (7, 2), (1, 3)], {1: ("b", 5), 2: ("c", 7)}),
    ],
)
async def test_many_rows_are_written_as_one_after_another(
    things: None,
    statement: str,
    rows: list[tuple[Any, ...]],
    left: dict[int, tuple[Any, ...] | None],
) -> None:
    expected: dict[int, tuple[Any, ...] | None] = {
        number: ("abcd"[number], number) for number in range(4)
    }
    expected |= left
    assert await written((statement, rows)) == [
        (number, *values) for number, values in sorted(expected.items()) if values is not None
    ]


async def test_a_row_that_is_refused_refuses_all(things: None) -> None:
    for statement, rows in (
        (INSERT, [(8, "x", 1), (9, "y", 1), (8, "z", 1)]),
        (INSERT, [(8, "x", 1), (9, "y", 1000)]),
        (COUNT_UP, [(5, "x", 2), (1000, "y", 3)]),
    ):
        with pytest.raises((sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)):
            await written((statement, rows))
    assert await written() == [(number, "abcd"[number], number) for number in range(4)]


async def test_very_many_rows_are_written(things: None) -> None:
    rows = [(number, "x", 1) for number in range(10, 12_010)]
    assert len(await written((INSERT, rows))) == 12_004


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "rows", "is_one"),
    [
        (INSERT, [(4, "e", 1), (5, None, 2)], True),
        (ADD, [(1, "x", 5), (7, "y", 6)], True),
        (ADD, [(1, "x", 5), (1, "y", 6)], False),
        (COUNT_UP, [(1, "x", 1), (1, "x", 2)], True),
        (COUNT_UP, [(1, "x", 1), (1, "y", 1)], False),
        (REMOVE, [(1, 1), (1, 1)], True),
        (LATEST, [(5, 1), (7, 2)], False),
    ],
)
async def test_it_is_one_statement_where_no_row_is_touched_twice(
    things: None,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    rows: list[tuple[Any, ...]],
    *,
    is_one: bool,
) -> None:
    async with sql.transaction():
        session: Session = sql._transaction.get()
        spy = Spy(session._connection)
        monkeypatch.setattr(session, "_connection", spy)
        await session.change_many(statement, rows)
    assert spy.called[-1] == ("execute" if is_one else "executemany")
    assert set(spy.called[:-1]) <= {"prepare"}


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
@pytest.mark.parametrize(("count", "sent"), [(49, "executemany"), (50, "execute")])
async def test_few_rows_are_left_to_the_driver(
    things: None, monkeypatch: pytest.MonkeyPatch, count: int, sent: str
) -> None:
    monkeypatch.undo()
    async with sql.transaction():
        session: Session = sql._transaction.get()
        spy = Spy(session._connection)
        monkeypatch.setattr(session, "_connection", spy)
        await session.change_many(INSERT, [(10 + number, "x", 1) for number in range(count)])
    assert spy.called[-1] == sent


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t (a, b) VALUES ($1, COALESCE($2, 0))",
        "INSERT INTO t (a) VALUES ((SELECT MAX(x) FROM t WHERE x < $1))",
        "INSERT INTO t (a, b) VALUES ($1, $2) RETURNING a",
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET b = $3",
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO UPDATE SET a = excluded.b",
        "INSERT INTO t (a, b) VALUES (1, $1) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        "UPDATE t SET a = $1",
        "UPDATE t SET a = $1 WHERE b < $2",
        "UPDATE t SET a = $1 WHERE a = $2",
        "UPDATE t SET (a, b) = ($1, $2) WHERE c = $3",
        "UPDATE t SET a = $1 WHERE b = $2 OR c = $3",
        "UPDATE t SET a = $1 WHERE b = $2 AND c = (SELECT 1)",
        "UPDATE t SET a = $1 WHERE b = $2 RETURNING a",
        "UPDATE t x SET a = $1 WHERE b = $2",
        "DELETE FROM t WHERE a IN (SELECT a FROM t WHERE b = $1)",
        "SELECT $1",
    ],
)
def test_what_is_not_plain_is_left_as_it_is(statement: str) -> None:
    assert bulk.form(statement) is None


def test_a_plain_statement_is_joined_with_its_rows() -> None:
    form = bulk.form("UPDATE t SET a = b + $1 WHERE t.c = $2 AND d = $3 AND e IS NULL")
    assert form is not None
    assert form.key == (1, 2)
    assert form.statement(["int8", "text", "bool"]) == (
        "UPDATE t SET a = b + bulk.v1 FROM unnest($1::int8[], $2::text[], $3::bool[])"
        " AS bulk(v1, v2, v3) WHERE t.c = bulk.v2 AND d = bulk.v3 AND e IS NULL"
    )
