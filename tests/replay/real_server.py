"""Replays as a user starts them, through the real server, for the end-to-end tests."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.reference import compare
from tests.reference.programme_reference import play
from tests.replay.helpers import Json, basket

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS_AT_MOST = 180

needs_command_line = pytest.mark.skipif(
    find_spec("server.__main__") is None, reason="there is no command line yet"
)


def words_for(
    programme: Path, baskets: Path, out: Path, *, database: str | None = None
) -> list[str]:
    """The command line of a replay."""
    words = [sys.executable, "-m", "server", "replay"]
    words += ["--programme", str(programme), "--baskets", str(baskets), "--out", str(out)]
    return words if database is None else [*words, "--database", database]


def finished(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a replay to its end."""
    return subprocess.run(
        words, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=SECONDS_AT_MOST
    )


@contextmanager
def running(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A replay at work, which is killed if it still is when the block ends."""
    with subprocess.Popen(
        words, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Waits until something is so; fails if the replay ends before."""
    deadline = time.monotonic() + SECONDS_AT_MOST
    while not condition():
        assert process.poll() is None, "the replay ended too early"
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.002)


def runs_done(out: Path) -> int:
    """How many redemption runs a replay has behind it."""
    try:
        state = json.loads((out / "replay-state.json").read_bytes())
    except FileNotFoundError:
        return 0
    return int(state["runs_done"])


def server_of(replay: subprocess.Popen[bytes]) -> int:
    """The process id of the server that a replay has started."""
    [pid] = Path(f"/proc/{replay.pid}/task/{replay.pid}/children").read_text().split()
    return int(pid)


def assert_as_the_rules_say(out: Path, document: Json, baskets: list[Json]) -> None:
    """Compares a replay's results with the slow reference's."""
    expected = play(document, baskets)
    for name, rows in (
        ("members.jsonl", expected.members),
        ("months.jsonl", expected.months),
        ("retention.jsonl", expected.retention),
    ):
        assert compare.differences(name, rows, compare.rows_of(out / name)) == []


def busy_baskets(number: int = 1200) -> list[Json]:
    """Baskets of thirty households over three months, the same ones each time."""
    chance = random.Random(7)
    start = datetime(2017, 1, 1, 5, tzinfo=UTC)
    seconds = sorted(chance.randrange(90 * 86400 - 3600) for _ in range(number))
    return [
        basket(
            index + 1,
            (start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            household=str(chance.randrange(1, 31)),
            sales=chance.randrange(4000),
            lines=chance.randrange(1, 5),
        )
        for index, second in enumerate(seconds)
    ]
