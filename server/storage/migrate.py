"""Applying migrations: all that are pending, in one transaction, on either engine."""

from collections.abc import Sequence

from tortoise.connection import get_connections
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from server.storage.database import APP, MIGRATIONS, MODELS


def _apps(connection_name: str) -> dict[str, dict[str, object]]:
    return {
        APP: {"models": MODELS, "migrations": MIGRATIONS, "default_connection": connection_name}
    }


def _connection_name() -> str:
    return next(iter(get_connections().db_config))


async def apply_pending() -> Sequence[str]:
    """Apply every pending migration; the names of those applied. All of them or none."""
    name = _connection_name()
    applied: list[str] = []
    async with in_transaction() as connection:
        executor = MigrationExecutor(connection, _apps(name))
        await executor.migrate(
            progress=lambda event, _app, migration: (
                applied.append(migration) if event == "apply_done" else None
            )
        )
    return applied
