"""Killed without warning in the middle and started again, a replay ends in the same state."""

import os
import signal
from pathlib import Path

import pytest

from tests.replay.helpers import Json, rules, write_jsonl, write_programme
from tests.replay.real_server import (
    assert_as_the_rules_say,
    busy_baskets,
    finished,
    needs_command_line,
    running,
    runs_done,
    server_of,
    wait_until,
    words_for,
)

pytestmark = needs_command_line


@pytest.fixture
def words(tmp_path: Path, replay_database: str | None) -> list[str]:
    return words_for(
        write_programme(tmp_path / "programme.yaml", rules()),
        write_jsonl(tmp_path / "baskets.jsonl", busy_baskets()),
        tmp_path / "out",
        database=replay_database,
    )


def assert_it_ends(words: list[str], out: Path) -> None:
    result = finished(words)
    assert result.returncode == 0, result.stderr
    document: Json = rules()
    assert_as_the_rules_say(out, document, busy_baskets())


def test_after_the_replay_was_killed(tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "out"
    for runs in (2, 5, 6):
        with running(words) as replay:
            wait_until(lambda runs=runs: runs_done(out) >= runs, replay)  # type: ignore[misc]
            replay.kill()
    assert_it_ends(words, out)


def test_after_the_server_was_killed(tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "out"
    with running(words) as replay:
        for runs in (2, 5):
            wait_until(lambda runs=runs: runs_done(out) >= runs, replay)  # type: ignore[misc]
            os.kill(server_of(replay), signal.SIGKILL)
        assert replay.wait(timeout=180) == 0
    assert_as_the_rules_say(out, rules(), busy_baskets())


def test_after_both_were_killed(tmp_path: Path, words: list[str]) -> None:
    out = tmp_path / "out"
    with running(words) as replay:
        wait_until(lambda: runs_done(out) >= 3, replay)
        server = server_of(replay)
        replay.kill()
        os.kill(server, signal.SIGKILL)
    assert_it_ends(words, out)
