"""Trying one deliberate bug: a copy of the project, pytest in it, and what that has said."""

import compileall
import contextlib
import os
import py_compile
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant, Outdated

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "node_modules",
    "data",
)
NEAREST_SECONDS = 120
ALL_SECONDS = 1_800
TESTS_FAILED = 1
STOPPED = 2  # pytest's answer to a test module that can't be imported, and xdist's to -x


class NotRun(Exception):
    """The tests could not be run at all; the message is what pytest has said."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one bug; `test` is the first that failed, if one did."""

    mutant: Mutant
    verdict: str
    is_caught: bool = False
    test: str = ""


class Copy:
    """A copy of the project, into which bugs are put one after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "main"
        shutil.copytree(ROOT, self.path, ignore=_left_out, symlinks=True)
        (self.path / ".venv").symlink_to(ROOT / ".venv")
        shared = ROOT.parent / "shared"
        if shared.exists():
            (folder / "shared").symlink_to(shared)
        # By its hash, a changed file is known even if it changed within a second.
        compileall.compile_dir(
            self.path / "server",
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )

    @contextmanager
    def with_bug(self, mutant: Mutant) -> Iterator[None]:
        """Within the block the bug is there. Raises Outdated if its place is not."""
        path = self.path / mutant.file
        text = mutant.mutated(self.path)
        original = path.read_bytes()
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(original)

    def failures(
        self, tests: Sequence[str], *, seconds: int, workers: int, stops_at_first: bool
    ) -> list[str]:
        """The tests of those named (of all, if none is) that fail, or `a hang`. Raises NotRun."""
        command = [
            *(sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no"),
            *("-n", str(workers), "-p", "no:cacheprovider", "--hypothesis-seed=0"),
            *(("-x",) if stops_at_first else ()),
            *("-p", "tests.mutants.plugin"),
            "--ignore=tests/mutants",  # it knows that a bug's place has changed
            f"--basetemp={self.path.parent / 'temporary'}",
            *tests,
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.path),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with subprocess.Popen(
            command,
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as run:
            try:
                said, _none = run.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                return [f"a hang of {seconds} s"]
            finally:
                _end(run)
        if run.returncode == 0:
            return []
        failed = [_name(line) for line in said.splitlines() if line.startswith(_OF_A_FAILURE)]
        if run.returncode not in (TESTS_FAILED, STOPPED) or not failed:
            raise NotRun(said[-3000:])
        return failed


_OF_A_FAILURE = ("FAILED ", "ERROR ")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Caches and data; but only the checkout's own `data` is what a server made."""
    left_out = set(LEFT_OUT(folder, names))
    return left_out if Path(folder) == ROOT else left_out - {"data"}


def _name(line: str) -> str:
    """The test of a line such as `FAILED tests/test_x.py::test_y[a b] - AssertionError`."""
    return line.split(" ", 1)[1].split(" - ", 1)[0]


def _end(run: subprocess.Popen[str]) -> None:
    """End pytest and what it has started, should anything of it be left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)


def tried(copy: Copy, mutant: Mutant, *, nearest_only: bool) -> Result:
    """Put the bug into the copy and run the tests."""
    try:
        with copy.with_bug(mutant):
            nearest = copy.failures(
                mutant.tests, seconds=NEAREST_SECONDS, workers=0, stops_at_first=True
            )
            if nearest:
                return Result(mutant, "caught", is_caught=True, test=nearest[0])
            if not nearest_only:
                others = copy.failures((), seconds=ALL_SECONDS, workers=2, stops_at_first=True)
                if others:
                    return Result(mutant, "caught far off", is_caught=True, test=others[0])
            return Result(mutant, "ALIVE")
    except Outdated as outdated:
        return Result(mutant, f"OUTDATED: {outdated}")
    except NotRun as error:
        return Result(mutant, f"NOT RUN: {error}")
