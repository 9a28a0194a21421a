import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.migrations import operations as ops

from server.storage import commands, migrate, sql
from server.storage.database import MIGRATIONS, Address, opened
from server.storage.sqlite import split_statements
from tests.postgres import create_database, drop_database
from tests.storage import rows

LATER = "tests.storage.later"
INITIAL = "0001_initial"
REFUSED = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)

# What a migration takes away on purpose, by words in the guard's description.
TAKEN_AWAY = {
    "0002_sign_in_and_documents": {
        "not null accounts email",
        "not null accounts email_key",
        "not null accounts password_hash",
        "accounts_email_not_null",
        "accounts_email_key_not_null",
        "accounts_password_hash_not_null",
    },
    "9002_rebuilds": {"sessions_generation", "vouchers_points", "time_zone", "currency"},
}


async def test_each_migration_keeps_rows_and_guards(empty_address: Address) -> None:
    async with opened(empty_address):
        await migrate.apply_pending(last=INITIAL)
        await rows.fill()
        await apply_one_by_one(MIGRATIONS)


async def test_an_upgrade_from_the_first_release_keeps_every_row(empty_address: Address) -> None:
    async with opened(empty_address):
        await migrate.apply_pending(last=INITIAL)
        await rows.fill()
        before = await rows.contents()
        assert set(before) == await rows.tables()
        assert all(before.values())

    async with opened(empty_address):
        assert [INITIAL, *await migrate.apply_pending()] == own_migrations()

    async with opened(empty_address):
        after = await rows.contents()
        assert set(after) == await rows.tables()
        for table, kept in before.items():
            assert [shared(row, kept[0]) for row in after[table]] == kept, table
        with pytest.raises(REFUSED):  # a session can't outlive its account still
            await write("DELETE FROM accounts")
        with pytest.raises(REFUSED):
            await write("UPDATE sessions SET account_id = 99")


async def test_each_later_migration_keeps_rows_and_guards(database: object) -> None:
    await rows.fill()
    await apply_one_by_one(LATER)


def own_migrations() -> list[str]:
    return [step.name for step in migrate.steps()]


async def apply_one_by_one(package: str) -> None:
    contents, guards = await rows.contents(), await rows.guards()
    for step in await migrate.pending(package):
        assert await migrate.apply_pending(package=package, last=step.name) == [step.name]

        found = await rows.contents()
        for table, before in contents.items():
            for row_before, row_after in zip(before, found[table], strict=True):
                assert shared(row_before, row_after) == shared(row_after, row_before), table
        now = await rows.guards()
        may_go = TAKEN_AWAY.get(step.name, set())
        lost = {guard for guard in guards - now if not names_one_of(guard, may_go)}
        assert not lost, step
        contents, guards = found, now
    assert await migrate.pending(package) == []


def shared(row: rows.Row, other: rows.Row) -> rows.Row:
    return {name: value for name, value in row.items() if name in other}


def names_one_of(guard: tuple[object, ...], words: set[str]) -> bool:
    text = " ".join(str(part) for part in guard)
    return any(word in text for word in words)


async def test_a_rebuild_keeps_children_checks_and_triggers_at_work(database: object) -> None:
    await rows.fill()
    await migrate.apply_pending(package=LATER)

    notes = await sql.fetch("SELECT member_id, text FROM notes ORDER BY member_id")
    assert notes == [(1, "a; b"), (37, "a; b")]
    assert "time_zone" not in await rows.columns("members")
    assert "nickname" in await rows.columns("members")
    names = {str(guard) for guard in await rows.guards()}
    for name in (
        "members_named",
        "members_by_name",
        "members_birthday",
        "members_locale",
        "lots_open",
        "cards_one_current",
        "cards_one_active",
        "vouchers_price",
    ):
        assert any(name in guard for guard in names), name
    for refused in (
        "UPDATE postings SET amount = 1",
        "DELETE FROM programme_versions",
        "UPDATE members SET birthday = 'x'",
        "UPDATE members SET locale = 'x'",
        "UPDATE lots SET remaining = -1",
        "UPDATE vouchers SET points = 0",
        "DELETE FROM members",
        "INSERT INTO notes (id, member_id, text, number) VALUES (1, 1, 'twice', 1)",
        "INSERT INTO notes (id, member_id, text, number) VALUES (1, 9, 'orphan', 2)",
    ):
        with pytest.raises(REFUSED):
            await write(refused)
    await write("UPDATE sessions SET generation = -1")  # its check was removed
    await write("UPDATE vouchers SET currency_code = 'USD'")


async def write(statement: str) -> None:
    async with sql.transaction():
        await sql.execute(statement)


async def test_a_migration_that_leaves_orphans_is_undone(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = import_module(f"{LATER}.9002_rebuilds").Migration
    orphan = ops.RunSQL("UPDATE notes SET member_id = 99")
    monkeypatch.setattr(migration, "operations", [*migration.operations[:2], orphan])
    await rows.fill()
    await migrate.apply_pending(package=LATER, last="9001_notes")
    guards = await rows.guards()

    with pytest.raises(IntegrityError):
        await migrate.apply_pending(package=LATER)

    assert await rows.guards() == guards
    assert [step.name for step in await migrate.pending(LATER)] == ["9002_rebuilds"]
    with pytest.raises(REFUSED):  # foreign keys are enforced again
        await write("UPDATE notes SET member_id = 99")


KILLED_IN_THE_MIDDLE = """
import asyncio, os, signal, sys
from importlib import import_module
from tortoise.migrations import operations as ops
from server.storage import migrate
from server.storage.database import Address, opened

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

migration = import_module(f"{sys.argv[3]}.{sys.argv[4]}").Migration
migration.operations.insert(len(migration.operations) // 2, ops.RunPython(die))

async def main():
    async with opened(Address(sys.argv[1], sys.argv[2])):
        await migrate.apply_pending(print, package=sys.argv[3])

asyncio.run(main())
"""


def kill_in_the_middle(address: Address, package: str, migration: str) -> None:
    killed = subprocess.run(
        [
            *(sys.executable, "-c", KILLED_IN_THE_MIDDLE),
            *(address.engine, address.location, package, migration),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


async def test_a_kill_in_the_first_migration_leaves_nothing(empty_address: Address) -> None:
    await asyncio.to_thread(kill_in_the_middle, empty_address, MIGRATIONS, INITIAL)

    async with opened(empty_address):
        assert await rows.guards() == set()
        assert [step.name for step in await migrate.pending()] == own_migrations()
        assert await migrate.apply_pending() == own_migrations()
        await rows.fill()


async def test_a_kill_in_a_later_migration_leaves_the_database_as_before(
    database_address: Address,
) -> None:
    async with opened(database_address):
        await rows.fill()
        contents, guards = await rows.contents(), await rows.guards()

    await asyncio.to_thread(kill_in_the_middle, database_address, LATER, "9002_rebuilds")

    async with opened(database_address):
        assert await rows.contents() == contents
        assert await rows.guards() == guards
        assert await migrate.apply_pending(package=LATER) == ["9001_notes", "9002_rebuilds"]
        assert len(await sql.fetch("SELECT id FROM notes")) == 2


MIGRATE = """
import asyncio, sys
from server.storage import commands
from server.storage.database import Address

sys.exit(asyncio.run(commands.migrate_database(Address(sys.argv[1], sys.argv[2]), apply=True)))
"""


async def test_two_processes_migrate_at_once(postgres_server: str) -> None:
    url = create_database(postgres_server)
    command = [sys.executable, "-c", MIGRATE, "postgres", url]
    folder = Path(__file__).parents[2]
    both = [
        await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    answers = [await process.communicate() for process in both]
    drop_database(url)

    assert [process.returncode for process in both] == [0, 0], answers
    for name in own_migrations():
        assert sum(f"applied {name}".encode() in output for output, _ in answers) == 1


async def test_a_database_of_newer_code_is_told_apart(database: object) -> None:
    await migrate.apply_pending(package=LATER, last="9001_notes")
    assert await migrate.unknown() == ["9001_notes"]
    assert await migrate.unknown(LATER) == []
    assert await migrate.pending() == []
    with pytest.raises(OperationalError, match="newer than this code: it has 9001_notes"):
        await migrate.apply_pending()


async def test_the_migrations_make_what_the_models_declare() -> None:
    assert await migrate.drift() == ""


async def test_a_model_that_has_moved_on_is_noticed() -> None:
    assert "RemoveConstraint" in await migrate.drift(LATER)


async def test_the_command_tells_applies_and_is_idempotent(empty_address: Address) -> None:
    said: list[str] = []
    assert await commands.migrate_database(empty_address, apply=False, report=said.append) == 1
    assert any(line.strip().startswith("0001_initial: Creates") for line in said)
    assert said[-1].endswith("--yes.")
    if empty_address.engine == "sqlite":
        assert not os.path.exists(empty_address.location)  # noqa: PTH110, ASYNC240 (a test)

    said.clear()
    assert await commands.migrate_database(empty_address, apply=True, report=said.append) == 0
    assert [line for line in said if line.startswith("applied ")] == [
        f"applied {name}" for name in own_migrations()
    ]

    for apply in (True, False):
        said.clear()
        assert await commands.migrate_database(empty_address, apply=apply, report=said.append) == 0
        assert said == [f"Nothing to do: {empty_address.shown} is up to date."]


async def test_the_command_leaves_a_newer_database_alone(database_address: Address) -> None:
    async with opened(database_address):
        await migrate.apply_pending(package=LATER, last="9001_notes")
    said: list[str] = []

    assert await commands.migrate_database(database_address, apply=True, report=said.append) == 1

    assert said == [f"{database_address.shown} is newer than this code: it has 9001_notes."]


async def test_the_drift_command_says_that_all_is_well() -> None:
    said: list[str] = []
    assert await commands.show_drift(said.append) == 0
    assert said == ["The migrations agree with the models."]


def test_statements_are_split_outside_of_texts_comments_and_triggers() -> None:
    script = """
    CREATE TABLE a (b TEXT DEFAULT 'x;y'); -- so; it is
    CREATE TRIGGER t BEFORE UPDATE ON a BEGIN SELECT 1; SELECT 2; END;
    SELECT 1"""
    assert [statement.split()[0] for statement in split_statements(script)] == [
        "CREATE",
        "--",
        "SELECT",
    ]
