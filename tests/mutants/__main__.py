"""Puts each deliberate bug into a copy of the project and runs the tests: `scripts/mutants`.

Exits 1 if a bug lives, or if the code that it was to replace has changed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, Outdated

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "data",
)
NEAREST_SECONDS = 600
ALL_SECONDS = 1_800
TESTS_FAILED = 1
INTERRUPTED = 2  # pytest's answer to a module that can't even be imported


def main() -> int:
    """Try the bugs named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs to try; all if none is named")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument(
        "--nearest", action="store_true", help="never run all tests, only the nearest"
    )
    arguments = parser.parse_args()
    chosen = [one for one in MUTANTS if not arguments.names or one.name in arguments.names]
    unknown = set(arguments.names) - {one.name for one in chosen}
    if unknown:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    if arguments.list:
        for one in chosen:
            print(f"{one.name:40} {one.file}")
        return 0
    results = [
        _tried(one, number, len(chosen), arguments.nearest)
        for number, one in enumerate(chosen, start=1)
    ]
    caught = sum(result.startswith("caught") for result in results)
    print(f"{caught} of {len(chosen)} deliberate bugs caught")
    return 0 if caught == len(chosen) else 1


def _tried(mutant: Mutant, number: int, count: int, nearest_only: bool) -> str:
    print(f"[{number}/{count}] {mutant.name} ...", end=" ", flush=True)
    started = time.monotonic()
    result = _result(mutant, nearest_only=nearest_only)
    print(f"{result} ({time.monotonic() - started:.0f} s)", flush=True)
    return result


def _result(mutant: Mutant, *, nearest_only: bool) -> str:
    try:
        text = mutant.applied(ROOT)
    except Outdated as outdated:
        return f"OUTDATED: {outdated}"
    with tempfile.TemporaryDirectory(prefix="laurel-mutant-") as folder:
        copy = Path(folder) / "main"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        shared = ROOT.parent / "shared"
        if shared.exists():
            (Path(folder) / "shared").symlink_to(shared)
        (copy / mutant.file).write_text(text, encoding="utf-8")
        if (seen := _failure(copy, mutant.tests, NEAREST_SECONDS)) is not None:
            return f"caught by {seen}"
        if not nearest_only and (seen := _failure(copy, (), ALL_SECONDS)) is not None:
            return f"caught, but only by {seen}"
    return "ALIVE"


def _failure(copy: Path, tests: Sequence[str], seconds: int) -> str | None:
    """The first test that fails in the copy; None if all pass."""
    command = [
        *(sys.executable, "-m", "pytest", "-x", "-q", "-n", "2", "-p", "no:cacheprovider"),
        *("--no-header", "--tb=no", *tests),
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command, cwd=copy, env=environment, timeout=seconds, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return f"a hang of {seconds} s"
    if run.returncode == 0:
        return None
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if run.returncode not in (TESTS_FAILED, INTERRUPTED) or not failed:
        raise SystemExit(f"the tests could not be run:\n{run.stdout[-3000:]}{run.stderr[-2000:]}")
    return failed[0].split(" ")[1]


if __name__ == "__main__":
    sys.exit(main())
