import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.postgres import create_database, drop_database, server_of
from tests.postgres_plugin import RUN_DIRECTORY


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_database_can_be_made_from_a_template_and_dropped(postgres_server: str) -> None:
    template = create_database(postgres_server)
    await value(template, "CREATE TABLE shelf AS SELECT 7 AS books")
    copy = create_database(postgres_server, template=template)

    assert await value(copy, "SELECT books FROM shelf") == 7

    for dsn in (copy, template):
        drop_database(dsn)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await value(copy, "SELECT 1")


async def test_there_is_room_for_many_workers_and_no_wait_for_the_disk(
    postgres_server: str,
) -> None:
    assert await value(postgres_server, "SHOW max_connections") == "200"
    assert await value(postgres_server, "SHOW fsync") == "off"


KILLED_RUN = """
import os, signal
from tests.postgres import Run, server_of
run = Run()
print(run.directory, server_of(run.directory), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_server_goes_when_its_run_is_killed() -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    directory, dsn = killed.stdout.split()

    deadline = time.monotonic() + 10
    while Path(directory).exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not Path(directory).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(dsn).port or 0))


def test_whoever_comes_second_gets_the_same_server(
    postgres_server: str, request: pytest.FixtureRequest
) -> None:
    assert server_of(request.config.stash[RUN_DIRECTORY]) == postgres_server
