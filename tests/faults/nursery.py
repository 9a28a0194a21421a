"""Processes without the cost of starting one: forks of a process that has imported everything.

It is itself a process of its own (`python -m tests.faults.nursery`), without threads or a running
event loop, which a process of pytest can't promise. It reads jobs, one JSON a line, and answers
each in turn with a line of JSON; see `sweep.run`.
"""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.serving.servers import CHECKOUT, environment

_Answer = TypeVar("_Answer")


class Killed(Exception):
    """The child process was killed before it answered."""


def born(work: Callable[[], _Answer]) -> _Answer:
    """What `work` answers in a fork of this process. Raises Killed if it doesn't live to."""
    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            _live(work, answer)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            raise Killed
        answer.seek(0)
        is_error, told = pickle.load(answer)  # noqa: S301 - our own child's
    if is_error:
        raise RuntimeError(told)
    answered: _Answer = told
    return answered


def _live(work: Callable[[], Any], answer: Any) -> None:
    try:
        told = (False, work())
    except BaseException:
        told = (True, traceback.format_exc())
    pickle.dump(told, answer)
    answer.flush()
    os._exit(0)  # nothing of the parent's is this process's to clean up


class Nursery:
    """The process that forks, as its owner sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, **job: Any) -> Any:
        """What the job answers. Raises RuntimeError with the traceback if it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        if "failure" in told:
            raise RuntimeError(told["failure"])
        return told["answer"]


@contextmanager
def opened() -> Iterator[Nursery]:
    """A nursery that ends with the block."""
    command = [sys.executable, "-P", "-m", "tests.faults.nursery"]
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment(PYTHONHASHSEED="0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Nursery(process)
        process.stdin.close()  # type: ignore[union-attr] # it ends with its input


def main() -> None:
    """Does jobs until standard input ends."""
    from tests import prepared_models  # noqa: PLC0415 - only the process itself needs it all
    from tests.api.contract import mutations  # noqa: PLC0415
    from tests.faults import sweep  # noqa: PLC0415

    # What every fork would have to read for itself.
    mutations()
    prepared_models.prepare_once()
    for engine in ("sqlite", "postgres"):
        asyncio.run(prepared_models.prepare(engine))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the app's log is no answer
    for line in sys.stdin:
        told: dict[str, Any]
        job = json.loads(line)
        folder = Path(job.pop("folder"))
        try:
            told = {"answer": born(lambda: sweep.run(folder=folder, **job))}  # noqa: B023
        except RuntimeError as error:
            told = {"failure": str(error)}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
