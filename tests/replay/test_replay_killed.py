"""Replays that are killed or interrupted anywhere continue to the same end."""

from pathlib import Path

import pytest

from tests.replay.conftest import NEVER, Death, Killed
from tests.replay.fake_laurel import FakeLaurel
from tests.replay.helpers import Json, many_baskets, options_for, rules, run_silently
from tests.replay.outcomes import differences, number_of_requests

pytestmark = pytest.mark.usefixtures("short_patience", "reliable_power")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_replay_killed_at_any_request_ends_in_the_same_state(
    tmp_path: Path, short: tuple[Json, list[Json]], death: Death, after: bool
) -> None:
    document, baskets = short
    (tmp_path / "whole").mkdir()
    total = number_of_requests(tmp_path, document, baskets)
    assert total > 15
    for at in range(total):
        folder = tmp_path / str(at)
        folder.mkdir()
        with FakeLaurel(document).running() as laurel:
            options = options_for(folder, document, baskets, url=laurel.url)
            death.comes(at, after=after)
            with pytest.raises(Killed):
                run_silently(options)
            death.comes(NEVER, after=False)
            code, said = run_silently(options)
        assert code == 0, said
        assert differences(folder / "out", document, baskets) == [], at
        # Whatever was sent twice had the same key, so the server could tell.
        assert len(set(laurel.keys)) >= len(laurel.keys) - 1


def test_a_replay_killed_again_and_again_ends_in_the_same_state(
    tmp_path: Path, short: tuple[Json, list[Json]], death: Death
) -> None:
    document, baskets = short
    with FakeLaurel(document).running() as laurel:
        options = options_for(tmp_path, document, baskets, url=laurel.url)
        for attempt in range(60):
            death.comes(3, after=attempt % 2 == 0)
            try:
                code, said = run_silently(options)
            except Killed:
                continue
            assert code == 0, said
            break
        else:
            pytest.fail("it never came to an end")
    assert attempt > 10
    assert differences(tmp_path / "out", document, baskets) == []


def test_a_finished_replay_into_a_running_server_writes_its_results_again(tmp_path: Path) -> None:
    document, baskets = rules(), many_baskets()
    with FakeLaurel(document).running() as laurel:
        options = options_for(tmp_path, document, baskets, url=laurel.url)
        run_silently(options)
        members = tmp_path / "out" / "members.jsonl"
        first = members.read_text()
        members.unlink()
        before = len(laurel.keys)
        code, said = run_silently(options)
    assert code == 0
    assert "its results are written again" in said
    assert len(laurel.keys) == before
    assert members.read_text() == first


def test_ctrl_c_is_a_clean_stop_that_says_how_to_continue(
    tmp_path: Path, death: Death, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeLaurel(rules()).running() as laurel:
        options = options_for(tmp_path, rules(), many_baskets(), url=laurel.url)
        death.comes(9, after=True, how=KeyboardInterrupt)
        code, _ = run_silently(options)
        assert code == 130
        assert "Start the same command again to continue." in capsys.readouterr().err
        death.comes(NEVER, after=False)
        code, said = run_silently(options)
    assert code == 0, said
    assert differences(tmp_path / "out", rules(), many_baskets()) == []
