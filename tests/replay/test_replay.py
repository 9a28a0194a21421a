"""Whole replays against a fake server whose rules are those of the slow reference."""

import fcntl
import gzip
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.replay import command, session
from server.replay.client import Client
from server.replay.command import ReplayOptions
from server.replay.demo_data import DemoDataMissing
from server.replay.server_process import Patience, RemoteServer
from tests.reference import compare
from tests.reference.programme_reference import play
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
    write_programme,
)

FILES = ("members.jsonl", "months.jsonl", "retention.jsonl")


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without real waiting."""

    def impatient(url: str) -> RemoteServer:
        return RemoteServer(url, Patience(seconds=0.2, pause=0.005))

    monkeypatch.setattr(session, "RemoteServer", impatient)


@pytest.fixture(autouse=True)
def reliable_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: no test here switches the machine off."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def differences(out: Path, document: Json, baskets: list[Json]) -> list[tuple[str, str]]:
    """How the results differ from the reference's."""
    expected = play(document, baskets)
    wanted = (expected.members, expected.months, expected.retention)
    return [
        difference
        for name, rows in zip(FILES, wanted, strict=True)
        for difference in compare.differences(name, rows, compare.rows_of(out / name))
    ]


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


def number_of_requests(tmp_path: Path, document: Json, baskets: list[Json]) -> int:
    with FakeLaurel(document).running() as laurel:
        run_silently(options_for(tmp_path / "whole", document, baskets, url=laurel.url))
    return len(laurel.requests)


@pytest.fixture
def short() -> tuple[Json, list[Json]]:
    """Few baskets, but several rounds of redemptions in several chunks."""
    document = rules(programme={"last_local_date": "2017-01-18"})
    return document, many_baskets()[:14]


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


# -- a replay that was killed ----------------------------------------------------------------------


NEVER = -1


class Killed(BaseException):
    """Stands for the end of the process: nothing of the replay's own handling runs."""


class Death:
    """Ends the replay at one of its requests, before or after the server has had it."""

    def __init__(self) -> None:
        self.at = NEVER
        self.after = False
        self._count = 0
        self._how: type[BaseException] = Killed

    def comes(self, at: int, *, after: bool, how: type[BaseException] = Killed) -> None:
        """A new life, which ends at that request."""
        self.at, self.after, self._count, self._how = at, after, 0, how

    def around(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """The client's `execute`, which death may interrupt."""

        def execute_or_die(*args: Any, **named: Any) -> Any:
            number, self._count = self._count, self._count + 1
            if number == self.at and not self.after:
                raise self._how
            answer = execute(*args, **named)
            if number == self.at and self.after:
                raise self._how
            return answer

        return execute_or_die


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    death = Death()
    monkeypatch.setattr(Client, "execute", death.around(Client.execute))
    return death


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


# -- refusals --------------------------------------------------------------------------------------


def problem(**facts: Any) -> Json:
    return {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "The quantity is too large.",
        **facts,
    }


def test_a_problem_names_its_basket_and_stops_the_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baskets = many_baskets()
    laurel = FakeLaurel(rules())
    laurel.problems[baskets[20]["basket_id"]] = problem(
        path=["input", "purchases", "3", "lines", "0", "quantity"], value="10", accepted="0 to 5"
    )
    with laurel.running():
        code, _ = run_silently(options_for(tmp_path, rules(), baskets, url=laurel.url))
    assert code == 1
    assert capsys.readouterr().err == (
        f"Basket {baskets[20]['basket_id']}: INVALID_INPUT: The quantity is too large. "
        "At input.purchases.3.lines.0.quantity = 10. Accepted: 0 to 5.\n"
    )
    assert not (tmp_path / "out" / "members.jsonl").exists()


def test_a_problem_with_a_redemption_names_its_household(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laurel = FakeLaurel(rules())
    laurel.problems["900"] = {
        "__typename": "CardUnusable",
        "code": "CARD_UNUSABLE",
        "message": "The card is blocked.",
    }
    with laurel.running():
        code, _ = run_silently(options_for(tmp_path, rules(), many_baskets(), url=laurel.url))
    assert code == 1
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"Redemptions on 2017-\d\d-\d\d, household 900: CARD_UNUSABLE: The card is blocked\.\n",
        line,
    )


def test_too_few_points_is_no_redemption_and_no_error(tmp_path: Path) -> None:
    laurel = FakeLaurel(rules())
    laurel.problems["900"] = {
        "__typename": "InsufficientPoints",
        "code": "INSUFFICIENT_POINTS",
        "message": "Too few.",
    }
    with laurel.running():
        code, _ = run_silently(options_for(tmp_path, rules(), many_baskets(), url=laurel.url))
    assert code == 0
    vouchers = {
        row["household_id"]: row["vouchers_issued"]
        for row in read_jsonl(tmp_path / "out" / "members.jsonl")
    }
    assert vouchers["900"] == 0
    assert vouchers["12"] > 0


def test_another_programme_on_the_server_is_refused_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = rules(points={"welcome_bonus_points": 99})
    with FakeLaurel(other).running() as laurel:
        code, _ = run_silently(options_for(tmp_path, rules(), many_baskets(), url=laurel.url))
    assert code == 1
    assert "The server applies another programme on 2017-01-01" in capsys.readouterr().err
    assert laurel.keys == []


def test_a_second_replay_without_the_state_of_the_first_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeLaurel(rules()).running() as laurel:
        options = options_for(tmp_path, rules(), many_baskets(), url=laurel.url)
        run_silently(options)
        laurel.answers = {
            key: ("other content", answer) for key, (_, answer) in laurel.answers.items()
        }
        code, _ = run_silently(options, out=tmp_path / "other")
    assert code == 1
    assert "Another replay of the same baskets was played into this server" in (
        capsys.readouterr().err
    )


def test_one_replay_at_a_time_uses_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".replay.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _ = run_silently(options_for(tmp_path, rules(), []))
    assert code == 1
    assert "Another replay is using" in capsys.readouterr().err


def test_a_database_folder_that_no_replay_made_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "out" / "database" / "laurel.sqlite3"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")
    code, _ = run_silently(options_for(tmp_path, rules(), []))
    assert code == 1
    assert "no replay made it" in capsys.readouterr().err
    assert theirs.read_text() == "precious"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"baskets": None}, "Give either --baskets FILE or --demo."),
        ({"demo": True}, "Give either --baskets FILE or --demo."),
        ({"households": 3}, "--households goes with --demo."),
        ({"database": "postgres://h/d", "url": "http://h"}, "at most one of --database and --url"),
        ({"database": "mysql://h/d"}, "--database takes the address of a PostgreSQL database"),
        ({"database": "postgres://127.0.0.1:1/d"}, "The database 127.0.0.1:1/d cannot be used"),
        ({"url": "nonsense"}, "nonsense"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, Any],
    message: str,
) -> None:
    options: ReplayOptions = replace(options_for(tmp_path, rules(), []), **changed)
    code, _ = run_silently(options)
    assert code == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_wrong_line_is_named_before_anything_is_set_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = options_for(tmp_path, rules(), [basket(1, "2017-01-01T00:00:00")])
    code, _ = run_silently(options)
    assert code == 1
    assert "baskets.jsonl:1: not a basket: " in capsys.readouterr().err
    assert not (tmp_path / "out" / "database").exists()


def test_other_baskets_start_afresh(tmp_path: Path, short: tuple[Json, list[Json]]) -> None:
    document, baskets = short
    laurel = FakeLaurel(document)
    laurel.fail_before = set(range(6, 100))
    with laurel.running():
        run_silently(options_for(tmp_path, document, baskets, url=laurel.url))
    changed = rules(points={"welcome_bonus_points": 7})
    with FakeLaurel(changed).running() as other:
        options = options_for(tmp_path, document, baskets, url=other.url)
        write_programme(options.programme, changed)
        code, said = run_silently(options)
    assert code == 0
    assert "Starting afresh: the folder's unfinished replay is of other baskets" in said
    assert differences(tmp_path / "out", changed, baskets) == []


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (
            200,
            b'{"errors":[{"message":"No such field.","path":["recordPurchases",0]}],"data":null}',
            "Baskets 5000 to 4958: No such field. At recordPurchases.0.",
        ),
        (
            400,
            b'{"errors":[{"message":"Refused.","extensions":{"code":"SIMULATED_TIME_REFUSED"}}]}',
            "Baskets 5000 to 4958: SIMULATED_TIME_REFUSED: Refused. The server has to run with "
            "LAUREL_SIMULATED_TIME=accept and the API key needs the scope SIMULATE_TIME.",
        ),
        (
            500,
            b'{"errors":[{"message":"It is broken.","extensions":{"code":"INTERNAL"}}]}',
            "Baskets 5000 to 4958: INTERNAL: It is broken.",
        ),
        (413, b"", "Baskets 5000 to 4958: the request of "),
        (404, b"<html>nothing\nhere</html>", "(HTTP status 404) cannot be understood, "),
        (200, b'{"data":null}', "(HTTP status 200) cannot be understood, no data"),
        (
            200,
            b'{"data":{"recordPurchases":{"__typename":"InvalidInput","code":"INVALID_INPUT",'
            b'"message":"Too long.","path":["input","purchases","3","storeId"]}}}',
            "Baskets 5000 to 4958: 4979: INVALID_INPUT: Too long. At input.purchases.3.storeId.",
        ),
        (
            200,
            b'{"data":{"recordPurchases":{"__typename":"RecordedPurchases","answers":[]}}}',
            "the server did not answer each of 7 entries.",
        ),
    ],
)
def test_an_answer_that_is_none_stops_the_replay(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    content: bytes,
    message: str,
) -> None:
    laurel = FakeLaurel(rules(redemption_policy={"max_redemptions_per_run": 0}))
    laurel.instead[1] = (status, content)
    with laurel.running():
        options = options_for(tmp_path, laurel.programme, many_baskets(), url=laurel.url)
        code, _ = run_silently(options)
    assert code == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


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
