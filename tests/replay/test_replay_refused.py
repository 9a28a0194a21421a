"""What stops a replay, and the one line that says why."""

import fcntl
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.replay.command import ReplayOptions
from tests.replay.fake_laurel import FakeLaurel
from tests.replay.helpers import (
    Json,
    basket,
    many_baskets,
    options_for,
    read_jsonl,
    rules,
    run_silently,
    write_programme,
)
from tests.replay.outcomes import differences

pytestmark = pytest.mark.usefixtures("short_patience", "reliable_power")


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
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], message: str
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
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, content: bytes, message: str
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
