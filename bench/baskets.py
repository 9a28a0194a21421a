"""All baskets of the demo data through HTTP, on one SQLite file with full durability."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.limits import check_on_disk
from bench.servers import ROOT, CannotServe, environment
from server import demo

ASKED_SECONDS = 180
_PLAYED = re.compile(r"Played ([\d,]+) baskets in (?:(\d+) min )?(\d+) s")


@dataclass(frozen=True, slots=True)
class Played:
    """What the replay says of itself: from the first basket sent to the last one answered."""

    seconds: int
    baskets: int
    is_all: bool


def measure(say: Callable[[str], None], *, households: int | None = None) -> Played:
    """Replay the demo data, of so many households or of all. Raises CannotServe, NotOnDisk."""
    with tempfile.TemporaryDirectory() as folder:
        check_on_disk(Path(folder))
        command = [sys.executable, "-P", "-m", "server", "replay", "--demo", "--out", folder]
        command += ["--programme", str(demo.PROGRAMME_FILE)]
        if households is not None:
            command += ["--households", str(households)]
        said: list[str] = []
        with subprocess.Popen(  # noqa: S603 - the product itself
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                say(line.rstrip())
    played = parsed("".join(said), is_all=households is None)
    if process.returncode or played is None:
        raise CannotServe(f"the replay failed: {''.join(said)[-1500:]}")
    return played


def parsed(said: str, *, is_all: bool) -> Played | None:
    """What stands in the replay's words."""
    found = _PLAYED.search(said)
    if found is None:
        return None
    baskets, minutes, seconds = found.groups()
    whole = int(minutes or 0) * 60 + int(seconds)
    return Played(max(1, whole), int(baskets.replace(",", "")), is_all)


def as_text(result: Played) -> str:
    """The result for a terminal."""
    said = "reached" if result.seconds <= ASKED_SECONDS else "NOT reached"
    asked = f"   asked at most {ASKED_SECONDS} s: {said}" if result.is_all else ""
    return (
        f"baskets: {result.baskets:,} demo baskets through HTTP on SQLite with synchronous=FULL, as"
        f" `replay` times them.\n  {result.seconds:,} s,"
        f" {result.baskets / result.seconds:,.0f} a second{asked}"
    )


def as_json(result: Played) -> dict[str, Any]:
    """The same for programs."""
    return {
        "seconds": result.seconds,
        "baskets": result.baskets,
        "isAll": result.is_all,
        "askedSeconds": ASKED_SECONDS,
    }
