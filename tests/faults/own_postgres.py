"""A PostgreSQL that a test may stop, start and crash."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import INSTALLATION, running

PSQL = INSTALLATION / "bin/psql"


def asked(url: str, statement: str) -> str:
    """What a server answers, without a loop or a thread."""
    words: list[str | Path] = [PSQL, "--no-psqlrc", "--tuples-only", "--no-align", "--dbname", url]
    result = subprocess.run(
        [*words, "--command", statement], check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


def terminate_others(url: str) -> None:
    """Ends every other connection to the database, as an operator does."""
    asked(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@dataclass
class OwnPostgres:
    """The server, by its DSN and the folder of its data."""

    url: str
    data: Path
    _started: "subprocess.Popen[bytes] | None" = None

    @property
    def process(self) -> int:
        """The first of its processes."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def crash(self) -> None:
        """One of its processes dies, upon which it ends all others and recovers from its log."""
        processes = (
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type"
        )
        clients = asked(self.url, f"{processes} = 'client backend'").split()
        os.kill(int(asked(self.url, f"{processes} = 'walwriter'")), signal.SIGKILL)
        for client in clients:
            while _lives(int(client)):
                time.sleep(0.01)

    def stop(self) -> None:
        """It dies at once, without a word to the disk."""
        process = self.process
        os.kill(process, signal.SIGQUIT)
        if self._started is not None:
            self._started.wait()
        while _lives(process):
            time.sleep(0.01)

    def start(self) -> None:
        """It starts again, with the same options, as its former self's user."""
        owner = self.data.stat().st_uid
        is_other = owner != os.geteuid()
        options = (self.data / "postmaster.opts").read_text().split()
        self._started = subprocess.Popen(
            [word.strip('"') for word in options],
            cwd=self.data.parent,
            env={"LC_ALL": "C", "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=owner if is_other else None,
            group=self.data.stat().st_gid if is_other else None,
            extra_groups=[] if is_other else None,
        )


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A durable server for the block."""
    with running(is_durable=True) as url:
        server = OwnPostgres(url, Path(asked(url, "SHOW data_directory")))
        try:
            yield server
        finally:
            if server._started is not None and server._started.poll() is None:
                server._started.send_signal(signal.SIGQUIT)
                server._started.wait()


def _lives(process: int) -> bool:
    # A child that nobody has waited for yet still has a number.
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
