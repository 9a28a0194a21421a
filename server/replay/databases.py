"""Where the replay's own server keeps its data, and whether the replay may use the place."""

import asyncio
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from server.replay.errors import ReplayStopped

FOLDER = "database"
MARK = "made-by-replay"
POSTGRES_SCHEMES = ("postgres", "postgresql")
CONNECT_SECONDS = 10.0

COUNT_RELATIONS = """
SELECT count(*) FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
  AND namespace.nspname NOT LIKE 'pg\\_%'
"""


def make_folder_fresh(folder: Path) -> None:
    """An empty folder for SQLite; removes one only if a replay made it, else ReplayStopped."""
    if folder.exists():
        if (folder / MARK).exists():
            shutil.rmtree(folder)
        elif not folder.is_dir() or any(folder.iterdir()):
            raise ReplayStopped(
                f"{folder} is there, and no replay made it; remove it or choose another folder."
            )
    folder.mkdir(exist_ok=True)
    (folder / MARK).touch()


def check_url(url: str) -> None:
    """Raises ReplayStopped unless it is an address of PostgreSQL."""
    if urlsplit(url).scheme not in POSTGRES_SCHEMES:
        raise ReplayStopped(
            "--database takes the address of a PostgreSQL database (postgres://...); without it "
            "the replay makes a SQLite database in its folder."
        )


def refuse_unless_empty(url: str) -> None:
    """Raises ReplayStopped, and changes nothing, if the database at the address has tables."""
    try:
        relations = asyncio.run(_count_relations(url))
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        reason = str(e) or type(e).__name__
        raise ReplayStopped(f"The database {_shown(url)} cannot be used: {reason}.") from e
    if relations:
        raise ReplayStopped(
            f"The database {_shown(url)} is not empty and does not belong to this replay; "
            "give an empty one. Nothing was changed."
        )


async def _count_relations(url: str) -> int:
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        return int(await connection.fetchval(COUNT_RELATIONS))
    finally:
        await connection.close()


def _shown(url: str) -> str:
    """The address without its user, password and options."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
