from datetime import date
from pathlib import Path

import pytest

from server import clock
from server.replay.errors import ReplayStopped
from server.replay.programme_file import read_programme
from tests.replay.helpers import rules, write_programme


def test_a_programme_file_says_what_is_played_and_when(tmp_path: Path) -> None:
    document = rules(programme={"timezone": "Asia/Kathmandu", "minor_units_per_major": 1000})
    programme = read_programme(write_programme(tmp_path / "p.yaml", document))

    assert (programme.first_date, programme.last_date) == (date(2017, 1, 1), date(2017, 3, 31))
    assert programme.minor_units_per_major == 1000
    assert programme.policy.redeem_points == 200
    starts, ends = map(clock.datetime_of, (programme.starts_at, programme.ends_before))
    assert starts.isoformat() == "2016-12-31T18:15:00+00:00"
    assert ends.isoformat() == "2017-03-31T18:15:00+00:00"


def test_the_digest_is_of_the_document_and_not_of_its_text(tmp_path: Path) -> None:
    file = write_programme(tmp_path / "p.yaml", rules())
    digest = read_programme(file).digest
    file.write_text("# The same.\n" + file.read_text().replace("'", '"'))
    assert read_programme(file).digest == digest
    other = rules(points={"welcome_bonus_points": 7})
    assert read_programme(write_programme(file, other)).digest != digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"p\.yaml is not valid: .+"),
        ("a: 1", r"p\.yaml is not valid: .*programme: the key is missing"),
    ],
)
def test_a_file_that_is_no_programme_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ReplayStopped, match=message) as refusal:
        read_programme(tmp_path / "p.yaml")
    assert "\n" not in str(refusal.value)


def test_all_that_is_wrong_is_said(tmp_path: Path) -> None:
    wrong = rules(programme={"timezone": "Europe/Nowhere", "minor_units_per_major": 0})
    with pytest.raises(ReplayStopped, match=r"minor_units_per_major.*; .*Europe/Nowhere"):
        read_programme(write_programme(tmp_path / "p.yaml", wrong))


def test_a_missing_programme_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ReplayStopped, match=r"no\.yaml cannot be read: No such file"):
        read_programme(tmp_path / "no.yaml")
