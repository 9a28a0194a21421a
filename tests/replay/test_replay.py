"""Whole replays against a fake server whose rules are those of the slow reference."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.replay import command
from server.replay.demo_data import DemoDataMissing
from tests.reference.strategies import baskets as any_baskets
from tests.reference.strategies import programmes
from tests.replay.fake_laurel import FakeLaurel
from tests.replay.helpers import (
    Json,
    basket,
    many_baskets,
    options_for,
    read_jsonl,
    rules,
    run_silently,
    write_jsonl,
)
from tests.replay.outcomes import differences

pytestmark = pytest.mark.usefixtures("short_patience", "reliable_power")


def test_a_replay_ends_as_the_rules_say(tmp_path: Path) -> None:
    document, baskets = rules(), many_baskets()
    with FakeLaurel(document).running() as laurel:
        code, said = run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    assert code == 0, said
    assert differences(tmp_path / "out", document, baskets) == []
    assert sum(row["vouchers_issued"] for row in read_jsonl(tmp_path / "out/members.jsonl")) > 20
    assert "Playing: 61 of 61 baskets, up to 2017-03-06" in said
    assert re.search(r"Played 61 baskets in \d+ s, [\d,]+ baskets/s\.", said)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_programme_and_purchases_end_as_the_rules_say(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = data.draw(programmes())
    baskets = data.draw(any_baskets(document, outside=True, most=15))
    folder = tmp_path_factory.mktemp("replay")
    with FakeLaurel(document).running() as laurel:
        code, said = run_silently(options_for(folder, document, baskets, url=laurel.url))
    assert code == 0, said
    assert differences(folder / "out", document, baskets) == []


def test_requests_come_in_order_at_the_simulated_times(tmp_path: Path) -> None:
    baskets = [
        basket(1, "2017-01-02T04:59:59Z", sales=30000, lines=2),  # Sunday evening
        basket(2, "2017-01-02T05:00:00Z", sales=30000),  # Monday's first second
        basket(3, "2017-01-06T12:00:00.500Z", sales=100),
    ]
    document = rules(programme={"last_local_date": "2017-01-09"})
    with FakeLaurel(document).running() as laurel:
        run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    assert laurel.requests == [
        ("ProgrammeAt", "2017-01-01T05:00:00Z"),
        ("RecordPurchases", "2017-01-02T04:59:59Z"),
        ("PointBalances", "2017-01-02T05:00:00Z"),
        ("RedeemPointsForMembers", "2017-01-02T05:00:00Z"),
        ("RecordPurchases", "2017-01-06T12:00:00.500000Z"),
        ("PointBalances", "2017-01-09T05:00:00Z"),
        *[("RedeemPointsForMembers", "2017-01-09T05:00:00Z")] * 3,
        ("Members", "2017-01-10T04:59:59.999999Z"),
        ("Insights", "2017-01-10T04:59:59.999999Z"),
    ]


def test_baskets_outside_the_programme_are_counted_and_not_played(tmp_path: Path) -> None:
    baskets = [
        basket(1, "2017-01-01T04:59:59Z"),
        basket(2, "2017-01-01T05:00:00Z"),
        basket(3, "2017-04-01T04:00:00Z"),
    ]
    with FakeLaurel(rules()).running() as laurel:
        code, said = run_silently(options_for(tmp_path, rules(), baskets, url=laurel.url))
    assert code == 0
    assert "2 baskets lie outside 2017-01-01 to 2017-03-31 and are not played." in said
    assert differences(tmp_path / "out", rules(), baskets) == []


# -- what is lost is sent again --------------------------------------------------------------------


def test_every_request_may_be_lost_before_or_after_its_effect(
    tmp_path: Path, short: tuple[Json, list[Json]]
) -> None:
    document, baskets = short
    (tmp_path / "whole").mkdir()
    laurel = FakeLaurel(document)
    # Every third request is lost on its way, and the answer to each one sent again, too.
    laurel.fail_before = set(range(0, 1000, 3))
    laurel.fail_after = set(range(1, 1000, 3))
    with laurel.running():
        code, said = run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    assert code == 0, said
    assert differences(tmp_path / "out", document, baskets) == []


def test_a_server_that_is_not_ready_is_asked_again(
    tmp_path: Path, short: tuple[Json, list[Json]]
) -> None:
    document, baskets = short
    laurel = FakeLaurel(document)
    laurel.instead = {0: (503, b"later"), 3: (502, b"<html>"), 4: (429, b"{}")}
    with laurel.running():
        code, said = run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    assert code == 0, said
    assert differences(tmp_path / "out", document, baskets) == []


def test_a_server_whose_database_is_away_is_asked_again(
    tmp_path: Path, short: tuple[Json, list[Json]]
) -> None:
    document, baskets = short
    away = b'{"errors": [{"message": "Try again.", "extensions": {"code": "UNAVAILABLE"}}]}'
    laurel = FakeLaurel(document)
    laurel.instead = {1: (503, away), 3: (200, away)}
    with laurel.running():
        code, said = run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    assert code == 0, said
    assert differences(tmp_path / "out", document, baskets) == []


def test_a_server_that_stays_away_ends_the_replay_which_then_continues(
    tmp_path: Path, short: tuple[Json, list[Json]], capsys: pytest.CaptureFixture[str]
) -> None:
    document, baskets = short
    laurel = FakeLaurel(document)
    laurel.fail_before = set(range(6, 60))
    with laurel.running():
        options = options_for(tmp_path, document, baskets, url=laurel.url)
        code, _ = run_silently(options)
        assert code == 1
        line = capsys.readouterr().err
        assert f"The server {laurel.url} does not answer" in line
        assert "start the same command again to continue." in line
        laurel.fail_before = set()
        code, said = run_silently(options)
    assert code == 0
    assert re.search(r"Continuing after \d+ baskets\.", said)
    assert differences(tmp_path / "out", document, baskets) == []


def test_the_sample_data_is_written_once_and_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int | None] = []

    def write(path: Path, *, households: int | None, progress: Callable[[int, int], None]) -> int:
        written.append(households)
        path.write_bytes(gzip.compress(write_jsonl(tmp_path / "b", many_baskets()).read_bytes()))
        progress(61, 61)
        return 61

    monkeypatch.setattr(command, "write_demo_baskets", write)
    with FakeLaurel(rules()).running() as laurel:
        options = options_for(tmp_path, rules(), [], url=laurel.url)
        for _ in range(2):
            code, said = run_silently(options, baskets=None, demo=True, households=5)
            assert code == 0, said
    assert written == [5]
    assert differences(tmp_path / "out", rules(), many_baskets()) == []


def test_missing_sample_data_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(path: Path, **_: object) -> int:
        raise DemoDataMissing

    monkeypatch.setattr(command, "write_demo_baskets", write)
    code, _ = run_silently(options_for(tmp_path, rules(), []), baskets=None, demo=True)
    assert code == 1
    assert "The demo data is not installed" in capsys.readouterr().err
