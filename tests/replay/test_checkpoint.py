import stat
from pathlib import Path

import pytest

from server.replay.checkpoint import (
    FOLDER_TARGET,
    PendingRedemptions,
    Start,
    State,
    StateFile,
    address_target,
    how_to_start,
    replay_digest,
)
from server.replay.errors import ReplayStopped

DATABASE = "postgres://127.0.0.1:5432/laurel"


@pytest.mark.parametrize(
    ("state", "target", "start"),
    [
        (None, FOLDER_TARGET, Start.AFRESH),
        (State("a", FOLDER_TARGET, "preparing"), FOLDER_TARGET, Start.PREPARE_AGAIN),
        (State("a", FOLDER_TARGET, "playing"), FOLDER_TARGET, Start.RESUME),
        (State("a", FOLDER_TARGET, "finished"), FOLDER_TARGET, Start.AFRESH),
        (State("b", FOLDER_TARGET, "playing"), FOLDER_TARGET, Start.AFRESH),
        (State("a", FOLDER_TARGET, "playing"), DATABASE, Start.AFRESH),
        (State("a", DATABASE, "preparing"), DATABASE, Start.PREPARE_AGAIN),
        (State("a", DATABASE, "playing"), DATABASE, Start.RESUME),
        (State("a", DATABASE, "finished"), DATABASE, Start.RESULTS_ONLY),
        (State("b", DATABASE, "finished"), DATABASE, Start.AFRESH),
    ],
)
def test_how_to_start_follows_from_the_state(
    state: State | None, target: str, start: Start
) -> None:
    assert how_to_start(state, replay="a", target=target) is start


def test_the_state_is_read_as_it_was_written_and_nobody_else_reads_it(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "replay-state.json")
    assert file.read() is None
    state = State(
        replay="a",
        target=FOLDER_TARGET,
        phase="playing",
        api_key="laurel_x",
        baskets_done=12,
        runs_done=3,
        chunks_done=1,
        pending=PendingRedemptions(round=2, households=["1", "10"]),
        seconds=1.5,
    )
    file.write(state)
    assert file.read() == state
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["replay-state.json"]


@pytest.mark.parametrize("content", ["", "{", '{"replay":"a"}', "[]"])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(ReplayStopped, match="not the state of a replay"):
        StateFile(tmp_path / "s.json").read()


def test_a_target_is_named_without_secrets() -> None:
    assert address_target("postgres://me:secret@db.example:5432/laurel") == (
        "postgres://db.example:5432/laurel"
    )
    assert address_target("http://127.0.0.1:8000/") == address_target("http://127.0.0.1:8000")
    assert "secret" not in address_target("postgres://h/d?password=secret")
    assert address_target("postgres://h/d?host=/a") != address_target("postgres://h/d?host=/b")


def test_the_replay_depends_on_programme_and_baskets() -> None:
    digests = {replay_digest(programme=p, baskets=b) for p in "xy" for b in "xy"}
    assert len(digests) == 4
