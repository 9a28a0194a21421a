"""Opening and closing the database: one SQLite file, or PostgreSQL by its URL.

On SQLite one process writes at a time: the first to open it for writing holds a lock beside the
file, and the next is told so. Two processes that write or checkpoint one SQLite file at once can
corrupt it in the versions up to 3.51.2.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException

from server.storage.postgres import Unanswered

MODELS = [
    f"server.{domain}.models"
    for domain in (
        "members",
        "ledger",
        "cards",
        "programme",
        "tiers",
        "cashback",
        "challenges",
        "rewards",
        "purchases",
        "payments",
        "transfers",
        "households",
        "payouts",
        "adjustments",
        "imports",
        "merging",
        "audit",
        "definitions",
        "offers",
        "segments",
        "partners",
        "coupons",
        "baskets",
        "catalogue",
        "referrals",
        "actions",
        "plans",
        "notifications",
        "campaigns",
        "webhooks",
        "work",
    )
] + [
    "server.members.consent_models",
    "server.edge.idempotency",
    "server.edge.attempts",
    "server.edge.trusted",
    "server.storage.secrets",
    "server.storage.versions",
    "server.storage.outbox",
]
APP = "laurel"
MIGRATIONS = "server.storage.migrations"
DATABASE_FILE = "laurel.sqlite3"
CONNECT_TIMEOUT_SECONDS = 10
POOL_SIZE = 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a PostgreSQL may take before a request is told that it does not answer.

    SQLite has none: its file is on this machine, and a lock is waited for five seconds.
    """

    acquire_seconds: int = 5  # until a connection is free, or made
    statement_seconds: int = 15
    idle_seconds: int = 120  # within a transaction, between two statements

    @property
    def server_settings(self) -> dict[str, str]:
        """The same for the server's own use, should this process not come to say so itself."""
        return {
            "statement_timeout": f"{self.statement_seconds + 5}s",
            "idle_in_transaction_session_timeout": f"{self.idle_seconds}s",
        }


_FAILURES = (
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    BaseORMException,
    OSError,
)


class CannotOpen(Exception):
    """The database can't be opened; the message says in one line what is wrong and what to do."""


class InUse(CannotOpen):
    """Another process holds the SQLite file for writing."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is: `engine` is "sqlite" or "postgres", `location` a path or a URL."""

    engine: str
    location: str

    @classmethod
    def of(cls, *, database: str | None, data_folder: Path) -> "Address":
        """The address that `--database URL` or, without it, `--data FOLDER` means.

        Raises CannotOpen for a URL of another kind.
        """
        if database is None:
            return cls("sqlite", str(data_folder / DATABASE_FILE))
        scheme = urlsplit(database).scheme
        if scheme in ("postgres", "postgresql"):
            return cls("postgres", database)
        if scheme == "sqlite":
            return cls("sqlite", unquote(database.removeprefix("sqlite://")))
        raise CannotOpen(
            f"unknown kind of database {scheme or database!r}: use postgres://USER@HOST:PORT/NAME"
            " or sqlite:///absolute/path/to/file.sqlite3"
        )

    @property
    def shown(self) -> str:
        """The address without its password, for messages."""
        if self.engine == "sqlite":
            return self.location
        parts = urlsplit(self.location)
        return f"postgres://{parts.hostname or ''}:{parts.port or 5432}{parts.path}"


def _credentials(address: Address, *, pool_size: int, patience: Patience | None) -> dict[str, Any]:
    if address.engine == "sqlite":
        return {"file_path": address.location}
    parts = urlsplit(address.location)
    options = dict(parse_qsl(parts.query))
    credentials: dict[str, Any] = {
        "host": options.pop("host", None) or parts.hostname,
        "port": parts.port or 5432,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "database": unquote(parts.path.lstrip("/")),
        "minsize": 1,
        "maxsize": pool_size,
        "timeout": CONNECT_TIMEOUT_SECONDS,
        # Short statements on few rows gain nothing from the compiler or from helping processes,
        # and pay for them; to plan the home screen anew takes longer than to run it.
        "server_settings": {
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            "plan_cache_mode": "force_generic_plan",
        },
    }
    if patience is not None:
        credentials["timeout"] = patience.acquire_seconds
        credentials["acquire_seconds"] = patience.acquire_seconds
        credentials["command_timeout"] = patience.statement_seconds
        credentials["server_settings"] |= patience.server_settings
    if "sslmode" in options:
        credentials["ssl"] = options["sslmode"]
    return credentials


def orm_settings(
    address: Address, *, pool_size: int = POOL_SIZE, patience: Patience | None = None
) -> dict[str, Any]:
    """Tortoise's configuration for the address. Each engine has its own connection name, because
    Tortoise remembers statements with their placeholders by that name."""
    backend = {"sqlite": "server.storage.sqlite", "postgres": "server.storage.postgres"}
    return {
        "connections": {
            address.engine: {
                "engine": backend[address.engine],
                "credentials": _credentials(address, pool_size=pool_size, patience=patience),
            }
        },
        "apps": {
            APP: {
                "models": MODELS,
                "migrations": MIGRATIONS,
                "default_connection": address.engine,
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


async def connection(address: Address, **server_settings: str) -> Any:
    """A connection to PostgreSQL outside of the pool, with these settings of the server's; whoever
    asks closes it. Raises what asyncpg raises."""
    credentials = _credentials(address, pool_size=1, patience=None)
    for name in ("minsize", "maxsize"):
        del credentials[name]
    credentials["server_settings"] = {**credentials["server_settings"], **server_settings}
    return await asyncpg.connect(**credentials)


class FileLock:
    """The right to write a SQLite file, held by one process at a time and freed by its end."""

    def __init__(self, database_file: Path) -> None:
        self.path = database_file.with_name(database_file.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock. Raises InUse if another process holds it and CannotOpen if the folder
        can't be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+")
        except OSError as error:
            raise CannotOpen(
                f"can't write in the folder {self.path.parent}: {error.strerror}"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise InUse(
                f"the database {self.path.with_suffix('')} is in use by {owner}; stop it first,"
                " or run Laurel on PostgreSQL for more than one process"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


@asynccontextmanager
async def opened(
    address: Address,
    *,
    writable: bool = True,
    pool_size: int = POOL_SIZE,
    patience: Patience | None = None,
) -> AsyncIterator[TortoiseContext]:
    """The database, open for the block, as this process's own.

    With `patience` a statement on PostgreSQL that takes longer is given up, as those who serve
    requests need it; without, it may take as long as it likes, as migrations and imports do.

    Raises CannotOpen if it can't be reached or is no database, and InUse if, on SQLite and
    `writable`, another process has it.
    """
    lock = FileLock(Path(address.location)) if address.engine == "sqlite" and writable else None
    if lock is not None:
        lock.acquire()
    try:
        async with TortoiseContext() as context:
            await context.init(
                config=orm_settings(address, pool_size=pool_size, patience=patience),
                _enable_global_fallback=True,
            )
            await _probe(address)
            yield context
    finally:
        if lock is not None:
            lock.release()


async def _probe(address: Address) -> None:
    from server.storage import sql  # noqa: PLC0415 - sql needs an engine, which needs this module

    try:
        if address.engine == "sqlite":
            await asyncio.to_thread(_read_header, address.location)
        await asyncio.wait_for(sql.fetch("SELECT 1"), CONNECT_TIMEOUT_SECONDS)
    except (TimeoutError, Unanswered) as error:
        raise CannotOpen(
            f"the database {address.shown} did not answer within {CONNECT_TIMEOUT_SECONDS} s"
        ) from error
    except _FAILURES as error:
        raise CannotOpen(f"can't open the database {address.shown}: {_said(error)}") from error


@contextmanager
def failures_told(address: Address) -> Iterator[None]:
    """Within the block, what the open database does not do is told by CannotOpen: it has become
    full or unreachable, or its user has no right to it."""
    try:
        yield
    except _FAILURES as error:
        raise CannotOpen(f"can't use the database {address.shown}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _read_header(file: str) -> None:
    # First without aiosqlite, whose thread outlives a connection that can't be made.
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA schema_version")
