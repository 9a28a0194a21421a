"""DBOS, the engine that runs jobs: each run is one workflow, recorded in a database of its own.

A run has an identifier of the job and the tick, and DBOS executes one workflow for an identifier,
whichever worker is the first to ask for it. What it records is no truth of ours: what is left to do
stands in our tables, so that a run that died is made up for by the next.

This module is loaded in processes that work and in no others: DBOS brings SQLAlchemy with it.
"""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID

from server.clock import Instant, datetime_of
from server.storage.database import Address

APPLICATION = "laurel"
VERSION = "1"
"""Of the workflow below, which all versions of Laurel share: a run recorded by one can be taken up
by another. DBOS would otherwise reckon it from the source."""
SCHEMA = "dbos"
"""On PostgreSQL: where DBOS keeps its tables."""
FILE_SUFFIX = ".dbos"
"""On SQLite: what its file is called, after the database's own."""
FORGOTTEN_AT_ONCE = 500
_POOL_SIZE = 4
_BUSY_SECONDS = 30
_CONNECT_SECONDS = 5

Execute = Callable[[str, str, int], str]
"""Does a run (its id, the job's name, the tick) and says what became of it; in a thread of DBOS."""
_execute: Execute | None = None


@DBOS.workflow(name="laurel.run", max_recovery_attempts=3)
def _run(run_id: str, job: str, tick: int) -> str:
    return "stopped" if _execute is None else _execute(run_id, job, tick)


def launch(address: Address, *, worker: str, execute: Execute) -> None:
    """Start the engine. Blocks for about a second; call it in a thread.

    `worker` names this process: what it left unfinished is taken up by the next of that name.
    """
    global _execute  # noqa: PLW0603 - DBOS has one instance to a process as well
    _execute = execute
    logger = logging.getLogger("dbos")
    logger.addHandler(logging.NullHandler())  # with one, DBOS adds none of its own
    logger.propagate = True
    config = DBOSConfig(
        name=APPLICATION,
        system_database_engine=_engine(address),
        dbos_system_schema=SCHEMA,
        application_version=VERSION,
        executor_id=worker,
        log_level="WARNING",
        enable_otlp=False,
        use_listen_notify=False,  # nothing is waited for but workflows of this process
        notification_listener_polling_interval_sec=1.0,
        max_executor_threads=32,
    )
    instance = DBOS(config=config)
    DBOS.launch()
    # Otherwise a thread waits for a lost database for ever, and so would the end of the process.
    instance._sys_db._retry_connection_errors = False


def _engine(address: Address) -> sqlalchemy.Engine:
    if address.engine == "sqlite":
        file = Path(address.location + FILE_SUFFIX)
        return sqlalchemy.create_engine(
            "sqlite://", creator=lambda: _connected(file), poolclass=sqlalchemy.QueuePool,
            pool_size=_POOL_SIZE, max_overflow=0,
        )  # fmt: skip
    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(
            address.location, application_name="laurel dbos", connect_timeout=_CONNECT_SECONDS
        ),
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
    )


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=_BUSY_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
    )
    # A rollback journal: several connections write this file, which SQLite before 3.51.3 may not
    # do with a write-ahead log.
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def start(run_id: str, job: str, tick: int) -> None:
    """Have the run executed, unless a run of that id was or is. Blocks; call it in a thread."""
    with SetWorkflowID(run_id):
        DBOS.start_workflow(_run, run_id, job, tick)


def forget(before: Instant) -> int:
    """Remove the records of runs from before the instant; how many. Blocks."""
    found = DBOS.list_workflows(
        end_time=datetime_of(before).isoformat(),
        limit=FORGOTTEN_AT_ONCE,
        load_input=False,
        load_output=False,
    )
    ids = [each.workflow_id for each in found]
    if ids:
        DBOS.delete_workflows(ids)
    return len(ids)


def stop() -> None:
    """Stop the engine; runs under way have ended before. Blocks for up to a second."""
    global _execute  # noqa: PLW0603 - as above
    _execute = None
    DBOS.destroy()
