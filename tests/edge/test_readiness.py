"""Whether the server is ready, told cheaply and soon."""

import asyncio
from typing import Any

import pytest

from server.edge import readiness
from server.edge.readiness import Readiness, State
from server.storage import migrate, sql
from server.storage.database import Address, opened


async def test_it_is_ready_with_every_migration(database: object) -> None:
    assert await Readiness().state() is State.READY


async def test_it_is_not_ready_while_migrations_are_lacking(empty_address: Address) -> None:
    async with opened(empty_address):
        await migrate.apply_pending(last="0001_initial")
        assert await Readiness().state() is State.WITHOUT_MIGRATIONS


async def test_it_is_ready_for_the_database_of_a_newer_server(database: object) -> None:
    async with sql.transaction():
        await sql.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at) SELECT app, '9999_later',"
            " applied_at FROM tortoise_migrations WHERE name = '0001_initial'"
        )
    assert await Readiness().state() is State.READY


async def test_a_server_that_stops_is_not_ready(database: object) -> None:
    found = Readiness()
    assert await found.state() is State.READY
    found.stop()
    assert await found.state() is State.STOPPING


async def test_many_who_ask_cost_one_question(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Readiness()
    with sql.counted_statements() as statements:
        states = await asyncio.gather(*(found.state() for _ in range(100)))
        states += [await found.state() for _ in range(100)]
    assert set(states) == {State.READY}
    assert len(statements) == 1


async def test_a_database_that_hangs_is_told_soon_and_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hangs = asyncio.Event()
    questions = 0

    async def fetch(*_: Any) -> list[tuple[str]]:
        nonlocal questions
        questions += 1
        await hangs.wait()
        return [(step.name,) for step in migrate.steps()]

    monkeypatch.setattr(sql, "fetch", fetch)
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(readiness, "REMEMBERED_SECONDS", 0.0)
    found = Readiness()
    for _ in range(3):
        assert await found.state() is State.WITHOUT_DATABASE
    assert questions == 1
    hangs.set()
    assert await found.state() is State.READY


async def test_a_database_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(sql, "fetch", fetch)
    assert await Readiness().state() is State.WITHOUT_DATABASE
