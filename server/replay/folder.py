"""The folder of a replay: what lies where, and that one replay at a time uses it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.replay import databases
from server.replay.checkpoint import STATE_FILE, StateFile
from server.replay.errors import ReplayStopped

SECONDS_FOR_A_FORMER_SERVER = 30.0


@dataclass(frozen=True)
class Folder:
    """Names in a replay's folder, and the lock that its server shares."""

    path: Path
    server_lock: int

    @property
    def state(self) -> StateFile:
        """How far the replay has come."""
        return StateFile(self.path / STATE_FILE)

    @property
    def database(self) -> Path:
        """The data of the replay's own server on SQLite."""
        return self.path / databases.FOLDER

    @property
    def log(self) -> Path:
        """What the replay's own server said."""
        return self.path / "server.log"


@contextmanager
def opened(path: Path, say: Callable[[str], None]) -> Iterator[Folder]:
    """Makes the folder and keeps others out. Raises ReplayStopped if one is in it."""
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    with _file(path / ".replay.lock") as replay_lock, _file(path / ".server.lock") as server_lock:
        if not _locked(replay_lock):
            raise ReplayStopped(f"Another replay is using {path}; wait for it or choose another.")
        _wait_for(server_lock, path, say)
        yield Folder(path, server_lock)


def _wait_for(server_lock: int, path: Path, say: Callable[[str], None]) -> None:
    """The server of a replay that was killed notices that soon, and ends; until then it writes."""
    deadline = time.monotonic() + SECONDS_FOR_A_FORMER_SERVER
    waited = False
    while not _locked(server_lock):
        if time.monotonic() > deadline:
            raise ReplayStopped(
                f"The server of an earlier replay still uses {path}; end it or choose another."
            )
        if not waited:
            say("Waiting for the server of an earlier replay to end.")
            waited = True
        time.sleep(0.1)


@contextmanager
def _file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
