"""The comparer finds what differs, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference.compare import main

MEMBERS: list[dict[str, Any]] = [
    {"household_id": "1", "points_earned": 5, "tier": "Bronze"},
    {"household_id": "2", "points_earned": 6, "tier": "Silver"},
]
MONTHS: list[dict[str, Any]] = [{"month": "2017-01", "baskets": 3, "redemption_rate": 0.333333333}]
RETENTION: list[dict[str, Any]] = [
    {"cohort": "2017-01", "month": "2017-01", "active_members": 2, "retention": 1.0}
]


def written(
    folder: Path,
    members: list[dict[str, Any]] = MEMBERS,
    months: list[dict[str, Any]] = MONTHS,
    retention: list[dict[str, Any]] = RETENTION,
) -> str:
    folder.mkdir()
    files = {"members": members, "months": months, "retention": retention}
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return str(folder)


def test_any_order_of_members_and_six_decimals_of_rates_will_do(tmp_path: Path) -> None:
    months = [MONTHS[0] | {"redemption_rate": 0.3333334}]
    retention = [RETENTION[0] | {"retention": 1}]
    actual = written(tmp_path / "b", MEMBERS[::-1], months, retention)
    assert main(written(tmp_path / "a"), actual) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points_earned": 7}, "2: expected 6, got 7"),
        ({"points_earned": 6.0}, "2: expected 6, got 6.0"),
        ({"points_earned": "6"}, "2: expected 6, got 6"),
        ({"tier": "Gold"}, "2: expected Silver, got Gold"),
        ({"extra": 1}, "2: expected (missing), got 1"),
        ({"household_id": "3"}, "2: missing"),
        ({"household_id": "1"}, "1: more than once"),
    ],
)
def test_a_different_member_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    actual = written(tmp_path / "b", [MEMBERS[0], MEMBERS[1] | change])
    assert main(written(tmp_path / "a"), actual) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("rate", [0.3334, True, "0.333333333", None])
def test_a_different_rate_is_told(tmp_path: Path, rate: object) -> None:
    actual = written(tmp_path / "b", months=[MONTHS[0] | {"redemption_rate": rate}])
    assert main(written(tmp_path / "a"), actual) == 1


def test_a_file_that_is_not_there_is_a_difference(tmp_path: Path) -> None:
    expected, actual = written(tmp_path / "a"), written(tmp_path / "b")
    (Path(actual) / "months.jsonl").unlink()
    assert main(expected, actual) == 1
