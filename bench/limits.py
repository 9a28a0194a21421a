"""What the machine sets as limits: what the disk takes to keep something, and bare commits."""

import os
import tempfile
import time
from pathlib import Path

from bench.figures import quantile

_BLOCK = b"\0" * 8192
_TIMES = 300


class NotOnDisk(Exception):
    """The database's folder lies in memory, so that nothing would be durable."""


def check_on_disk(folder: Path) -> None:
    """Raise NotOnDisk if the folder lies in memory."""
    if filesystem_of(folder, Path("/proc/self/mounts")) in ("tmpfs", "ramfs"):
        raise NotOnDisk(f"{folder} lies in memory: a commit there reaches no disk.")


def filesystem_of(folder: Path, mounts: Path) -> str | None:
    """The kind of file system that the folder lies on, or None if the system doesn't tell."""
    if not mounts.exists():
        return None
    kinds: dict[Path, str] = {}
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, mounted_on, kind, *_ = line.split()
        kinds[Path(mounted_on)] = kind
    resolved = folder.resolve()
    return next((kinds[above] for above in (resolved, *resolved.parents) if above in kinds), None)


def sync_milliseconds(folder: Path) -> float:
    """What a write of 8 KiB and fdatasync take in the folder, the median of some hundred."""
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_BLOCK * _TIMES)
        file.flush()
        os.fsync(file.fileno())
        for number in range(_TIMES):
            start = time.perf_counter()
            os.pwrite(file.fileno(), _BLOCK, number * len(_BLOCK))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return quantile(taken, 500) * 1000
