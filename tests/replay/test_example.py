"""Replays through the real server end as the demo programme's rules say."""

import json
from pathlib import Path

from tests.replay.helpers import many_baskets, read_jsonl, rules, write_jsonl, write_programme
from tests.replay.real_server import (
    assert_as_the_rules_say,
    finished,
    needs_command_line,
    words_for,
)

DATA = Path(__file__).resolve().parents[1] / "reference" / "data"

pytestmark = needs_command_line

HOUSEHOLD = {
    "household_id": "1",
    "points_earned": 16017,
    "points_redeemed": 15000,
    "points_expired": 593,
    "points_available": 199,
    "points_pending": 225,
    "vouchers_issued": 15,
    "cashback_earned_minor": 635,
    "cashback_available_minor": 615,
    "cashback_pending_minor": 20,
    "cashback_capped_minor": 2300,
    "eligible_spend_minor": 152333,
    "tier": "Silver",
    "tier_changes": 1,
    "weekly_visits_completed": 1,
    "streaks_completed": 0,
    "departments_completed": 1,
    "month_spend_completed": 2,
}


def test_the_worked_example_ends_as_it_is_written(
    tmp_path: Path, replay_database: str | None
) -> None:
    words = words_for(
        DATA / "demo-programme.yaml",
        DATA / "demo-example.jsonl",
        tmp_path,
        database=replay_database,
    )
    result = finished(words)
    assert result.returncode == 0, result.stderr
    assert read_jsonl(tmp_path / "members.jsonl") == [HOUSEHOLD]


def test_another_programme_ends_as_the_rules_say(
    tmp_path: Path, replay_database: str | None
) -> None:
    document, baskets = rules(), many_baskets()
    words = words_for(
        write_programme(tmp_path / "programme.yaml", document),
        write_jsonl(tmp_path / "baskets.jsonl", baskets),
        tmp_path / "out",
        database=replay_database,
    )
    result = finished(words)
    assert result.returncode == 0, result.stderr
    assert_as_the_rules_say(tmp_path / "out", document, baskets)

    again = finished(words)
    assert again.returncode == 0, again.stderr
    assert_as_the_rules_say(tmp_path / "out", document, baskets)


def test_a_database_of_another_replay_is_refused_and_left_as_it_is(
    tmp_path: Path, replay_database: str | None
) -> None:
    document, baskets = rules(), many_baskets()
    programme = write_programme(tmp_path / "programme.yaml", document)
    first = write_jsonl(tmp_path / "first.jsonl", baskets)
    other = write_jsonl(tmp_path / "other.jsonl", baskets[:5])
    words = words_for(programme, first, tmp_path / "out", database=replay_database)
    assert finished(words).returncode == 0
    state = (tmp_path / "out" / "replay-state.json").read_bytes()
    if replay_database is None:
        return  # the folder's own database is made anew for other baskets

    result = finished(words_for(programme, other, tmp_path / "out", database=replay_database))

    assert result.returncode == 1
    assert "is not empty and does not belong to this replay" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "out" / "replay-state.json").read_bytes() == state
    assert json.loads(state)["phase"] == "finished"
    assert finished(words).returncode == 0
    assert_as_the_rules_say(tmp_path / "out", document, baskets)
