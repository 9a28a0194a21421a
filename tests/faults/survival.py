"""What is on a disk after the power went: bytes that were synced for certain, others by chance."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from tests.faults.disk import Call

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""

Files = dict[str, bytes]
Rows = dict[str, list[tuple[object, ...]]]


class Platter:
    """Files as programs see them and as they would be found after a power loss."""

    def __init__(self, files: Files) -> None:
        self.seen = {name: bytearray(content) for name, content in files.items()}
        self._synced = dict(files)
        self._since: dict[str, list[Call]] = {name: [] for name in files}

    def do(self, call: Call) -> None:
        """Do one call."""
        content = self.seen.setdefault(call.file, bytearray())
        _apply(call, content)
        if call.kind == "sync":
            self._synced[call.file] = bytes(content)
            self._since[call.file] = []
        else:
            self._since.setdefault(call.file, []).append(call)

    @property
    def synced(self) -> Files:
        """Only what was synced; a file that never was does not exist."""
        return dict(self._synced)

    @property
    def everything(self) -> Files:
        """All that was written: what a killed process leaves."""
        return {name: bytes(content) for name, content in self.seen.items()}

    def torn(self, chance: random.Random) -> Files:
        """What was synced, and of the rest some sectors, in whatever order the disk chose."""
        files = {}
        for name, calls in self._since.items():
            content = bytearray(self._synced.get(name, b""))
            for call in calls:
                for part in _sectors(call):
                    if chance.random() < 0.5:
                        _apply(part, content)
            if content or name in self._synced:
                files[name] = bytes(content)
        return files


def _apply(call: Call, content: bytearray) -> None:
    if call.kind == "write":
        missing = call.offset - len(content)
        content.extend(bytes(max(missing, 0)))
        content[call.offset : call.offset + len(call.data)] = call.data
    elif call.kind == "truncate":
        del content[call.offset :]


def _sectors(call: Call) -> list[Call]:
    if call.kind != "write":
        return [call]
    parts = []
    start = call.offset
    end = call.offset + len(call.data)
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        data = call.data[start - call.offset : stop - call.offset]
        parts.append(Call("write", call.file, start, data))
        start = stop
    return parts


def replayed(files: Files, calls: Sequence[Call]) -> Platter:
    """The files after the calls."""
    platter = Platter(files)
    for call in calls:
        platter.do(call)
    return platter


BESIDE = ("attempt_limits", "reset_requests")
"""What has transactions of its own beside the mutation's: the counts of attempts, and the requests
for a password reset, which go when the letter has left."""


def rows(file: Path, *, left_out: Sequence[str] = BESIDE) -> Rows:
    """Every row of every table of a database, which must be whole, but for those left out."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()  # noqa: S608
            for (name,) in names.fetchall()
            if name not in left_out
        }


class Recovered:
    """What SQLite finds in files after a power loss. Most moments of a run come back as one of few
    databases, byte for byte: each of these is read and checked once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[bytes, Rows] = {}

    def rows(self, files: Files) -> Rows:
        """The rows of the database in the folder, once these are its only files."""
        self._folder.mkdir(exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
        (file,) = (self._folder / name for name in files if name.endswith(".sqlite3"))
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            found = sha256(connection.serialize()).digest()
        if found not in self._known:
            self._known[found] = rows(file)
        return self._known[found]
