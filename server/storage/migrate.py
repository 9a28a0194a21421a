"""Migrations: which are pending, applying them, and whether the models have moved on.

All pending migrations are applied in one transaction, their records included: a crash in the middle
leaves the database as it was, on either engine. On SQLite foreign keys are not enforced meanwhile,
because a table that is rebuilt has to be dropped; they are checked as a whole before the commit.
"""

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connections
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, PlanStep
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.migration import Migration
from tortoise.migrations.operations import AlterModelOptions
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.transactions import in_transaction

from server.storage import sql
from server.storage.database import APP, MIGRATIONS, MODELS, Address, orm_settings
from server.storage.model_states import LazyState
from server.storage.schema_editors import PostgresEditor, RebuildingSqliteEditor
from server.storage.sqlite import DurableSqliteClient

RECORDS = "tortoise_migrations"
_MIGRATING = 5_209_712_401
"""The key of PostgreSQL's advisory lock: one process at a time migrates."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A migration by its name, and in one line what it does."""

    name: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.name}: {self.purpose}"


def steps(package: str = MIGRATIONS) -> list[Step]:
    """Every migration that this code knows, in their order."""
    loader = MigrationLoader(_apps("", package), MigrationRecorder(None))
    loader.load_disk()
    return [_step(loader.disk_migrations[key]) for key in sorted(loader.disk_migrations)]


def _step(migration: Migration) -> Step:
    description = type(migration).__doc__ or sys.modules[type(migration).__module__].__doc__
    return Step(migration.name, (description or "no description").strip().splitlines()[0])


async def pending(package: str = MIGRATIONS) -> list[Step]:
    """The migrations that the open database lacks, in their order."""
    recorded = await _recorded()
    return [step for step in steps(package) if step.name not in recorded]


async def unknown(package: str = MIGRATIONS) -> list[str]:
    """The migrations in the open database that this code does not know: a newer Laurel made it."""
    known = {step.name for step in steps(package)}
    return [name for name in await _recorded() if name not in known]


async def _recorded() -> list[str]:
    if not await _has_records():
        return []
    rows = await sql.fetch(f"SELECT name FROM {RECORDS} WHERE app = $1 ORDER BY id", APP)
    return [row[0] for row in rows]


async def _has_records() -> bool:
    if sql.engine() == "sqlite":
        statement = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
    else:
        statement = (
            "SELECT COUNT(*) FROM information_schema.tables"
            " WHERE table_schema = current_schema() AND table_name = $1"
        )
    row = await sql.fetch_one(statement, RECORDS)
    return row is not None and row[0] > 0


async def apply_pending(
    report: Report = lambda line: None, *, package: str = MIGRATIONS, last: str | None = None
) -> list[str]:
    """Apply every pending migration, up to the one named `last` if given; the names of the applied.

    All of them are applied or none. `report` is told in a line what is done. Raises
    OperationalError if the database is newer than this code, IntegrityError if a migration would
    leave rows without the rows that they refer to.
    """
    applied: list[str] = []
    async with _migrating() as client:
        executor = _Executor(client, _apps(client.connection_name, package))
        for step in await executor.forward(last):
            report(f"applying {_step(step.migration)}")
            await executor.apply(step.migration)
            applied.append(step.migration.name)
    for name in applied:
        report(f"applied {name}")
    return applied


async def drift(package: str = MIGRATIONS) -> str:
    """The migration that would bring the migrations up to the models; empty if they agree.

    It needs no database, and none may be open.
    """
    address = Address("sqlite", ":memory:")
    async with TortoiseContext() as context:
        await context.init(config=orm_settings(address), init_connections=False)
        assert context.apps is not None
        detector = _Detector(context.apps, _apps(address.engine, package))
        writers = await detector.changes()
    for writer in writers:
        # Options are only told to the ORM: a changed docstring is no change of the database.
        writer.operations = [
            operation
            for operation in writer.operations
            if not isinstance(operation, AlterModelOptions)
        ]
    return "\n".join(writer.as_string() for writer in writers if writer.operations)


def _apps(connection_name: str, package: str) -> dict[str, dict[str, Any]]:
    return {APP: {"models": MODELS, "migrations": package, "default_connection": connection_name}}


@asynccontextmanager
async def _migrating() -> AsyncIterator[BaseDBAsyncClient]:
    """The transaction of a migration, which no other process can be in."""
    connections = get_connections()
    client = connections.get(next(iter(connections.db_config)))
    if isinstance(client, DurableSqliteClient):
        async with client.in_migration() as connection:
            yield connection
        return
    async with in_transaction() as connection:
        await connection.execute_query(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        yield connection


async def _state_after(migrations: Iterable[Migration], state: LazyState) -> LazyState:
    for migration in migrations:
        await migration.apply(state, dry_run=True)
    return state


class _Detector(MigrationAutodetector):
    """Compares the models with what the migrations make of none."""

    async def _project_state(self) -> LazyState:
        nodes = self.loader.graph.nodes
        migrations = [nodes[key] for key in self._full_plan()]
        return await _state_after(
            (one for one in migrations if isinstance(one, Migration)), LazyState.before_all()
        )


class _Executor(MigrationExecutor):
    """Applies migrations forward inside a transaction that the caller has begun."""

    _state: LazyState | None = None
    """What the models are after the migrations so far."""

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:
        is_sqlite = self.connection.capabilities.dialect == "sqlite"
        editor = RebuildingSqliteEditor if is_sqlite else PostgresEditor
        return editor(self.connection, atomic=atomic, collect_sql=collect_sql)

    async def forward(self, last: str | None) -> Sequence[PlanStep]:
        """The steps to take, up to `last`. Raises OperationalError if the database is newer."""
        await self.recorder.ensure_schema(self._schema_editor())
        await self.loader.build_graph()
        newer = self.loader.applied_migrations - set(self.loader.disk_migrations)
        if newer:
            newest = ", ".join(sorted(key.name for key in newer))
            raise OperationalError(f"the database is newer than this code: it has {newest}")
        plan = self._migration_plan(None, self.loader.applied_migrations, self.loader.graph)
        return [step for step in plan if last is None or step.migration.name <= last]

    async def apply(self, migration: Migration) -> None:
        """Apply one migration and record it."""
        if self._state is None:  # read once: to start from the first each time is quadratic
            self._state = await self._applied_state()
        await migration.apply(self._state, schema_editor=self._schema_editor())
        await self.recorder.record_applied(APP, migration.name)
        self.loader.applied_migrations.add(MigrationKey(APP, migration.name))

    async def _applied_state(self) -> LazyState:
        applied, nodes = self.loader.applied_migrations, self.loader.graph.nodes
        migrations = [nodes[key] for key in self._full_plan() if key in applied]
        connections = {
            label: one["default_connection"] for label, one in self.loader.apps_config.items()
        }
        return await _state_after(
            (one for one in migrations if isinstance(one, Migration)),
            LazyState.before_all(connections),
        )
