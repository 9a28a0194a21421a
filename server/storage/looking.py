"""Looking at a database before it is opened: what it lacks and what is too new in it.

Looking changes nothing, not even beside the file: opening a SQLite database makes its folder, its
lock and the file itself, which a start that is refused must not leave behind.
"""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from server.storage import migrate
from server.storage.database import APP, Address, CannotOpen, opened
from server.storage.migrate import RECORDS, Step

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: the migrations that the database lacks, and those that only it knows."""

    lacking: tuple[Step, ...]
    newer: tuple[str, ...]


async def look(address: Address) -> Look:
    """Look at the database. Raises CannotOpen if it can't be reached or is no database.

    One that does not exist yet lacks every migration.
    """
    if address.engine == "sqlite":
        recorded = await asyncio.to_thread(_recorded, Path(address.location))
        steps = migrate.steps()
        known = {step.name for step in steps}
        return Look(
            tuple(step for step in steps if step.name not in recorded),
            tuple(name for name in recorded if name not in known),
        )
    async with opened(address, writable=False, pool_size=1):
        return Look(tuple(await migrate.pending()), tuple(await migrate.unknown()))


def _recorded(file: Path) -> list[str]:
    try:
        if not file.exists():
            return []
        with closing(_open_to_read(file)) as connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?", [RECORDS]
            )
            if tables.fetchone() is None:
                return []
            rows = connection.execute(
                f"SELECT name FROM {RECORDS} WHERE app = ? ORDER BY id", [APP]
            )
            return [row[0] for row in rows]
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotOpen(f"can't open the database {file}: {reason}") from error


def _open_to_read(file: Path) -> sqlite3.Connection:
    # Without a write-ahead log the file is at rest: read as it lies, and nothing is left beside it.
    rests = not file.with_name(f"{file.name}-wal").exists()
    uri = f"{file.absolute().as_uri()}?{'immutable=1' if rests else 'mode=ro'}"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE_SECONDS)
