"""Databases for tests: on both engines, each test with one of its own.

The migrations run once an engine and worker; each test gets a copy of the result.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from server.storage import ids, migrate
from server.storage.database import Address, opened
from tests.postgres import create_database, drop_database
from tests.postgres_copies import Copies
from tests.prepared_models import prepare_once
from tests.properties import tried

pytest_plugins = ["tests.postgres_plugin"]

# A busy machine is no defect: no property depends on how long an example takes.
settings.register_profile(
    "laurel",
    settings.default,
    deadline=None,
    max_examples=tried(100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("laurel")

ENGINES = ["sqlite", "postgres"]

# Operations of tests come once: all are compiled, or none (scripts/test --interpreted).
os.environ.setdefault("LAUREL_COMPILED_OPERATIONS", "always")
# Whoever tests background work says so: its engine takes a while to load.
os.environ.setdefault("LAUREL_BACKGROUND", "elsewhere")

prepare_once()


@pytest.fixture(autouse=True)
def ids_of_this_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers of now, though a test before this one may have moved the clock far ahead."""
    monkeypatch.setattr(ids, "_ticks", ids._Ticks())


async def _migrate(address: Address) -> None:
    async with opened(address):
        await migrate.apply_pending()


_copies: dict[str, Copies] = {}
"""By their template's URL."""


@contextmanager
def _postgres_database(server: str, *, template: str | None = None) -> Iterator[str]:
    if template is not None:
        with _copies.setdefault(template, Copies(server, template)).one() as copy:
            yield copy
        return
    url = create_database(server)
    try:
        yield url
    finally:
        drop_database(url)


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of its own, in a thread, away from the loop of any test."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy, closed and without a write-ahead log."""
    file = tmp_path_factory.mktemp("template") / "laurel.sqlite3"
    run_apart(_migrate(Address("sqlite", str(file))))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database to copy; nobody may stay connected to it."""
    with _postgres_database(postgres_server) as url:
        run_apart(_migrate(Address("postgres", url)))
        yield url


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine under test; a test that uses it, or a database, runs once on each."""
    name: str = request.param
    return name


@pytest.fixture
def empty_address(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """The address of a database without any table."""
    if engine == "sqlite":
        yield Address("sqlite", str(tmp_path / "laurel.sqlite3"))
        return
    with _postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield Address("postgres", url)


@pytest.fixture
def database_address(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Address]:
    """The address of a migrated, empty database that nobody has opened."""
    if engine == "sqlite":
        file = tmp_path / "laurel.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield Address("sqlite", str(file))
        return
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    with _postgres_database(server, template=template) as url:
        yield Address("postgres", url)


@pytest.fixture
async def database(database_address: Address) -> AsyncIterator[Address]:
    """A migrated, empty database, open for `server.storage.sql` in this test and its tasks."""
    async with opened(database_address, pool_size=4):
        yield database_address


@pytest.fixture
def replay_database(engine: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of an empty PostgreSQL database, or None on SQLite, which needs no server."""
    if engine == "sqlite":
        yield None
        return
    with _postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url
