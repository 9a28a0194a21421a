import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server import clock
from server.replay.baskets import Window, played, survey
from server.replay.errors import ReplayStopped
from tests.replay.helpers import basket, write_jsonl

ALWAYS = Window(clock.Instant(-(2**62)), clock.Instant(2**62))


def instant(text: str) -> clock.Instant:
    return clock.instant_of(datetime.fromisoformat(text))


def test_only_baskets_inside_the_window_are_played(tmp_path: Path) -> None:
    file = write_jsonl(
        tmp_path / "b.jsonl",
        [
            basket(1, "2017-01-01T04:59:59Z", household="8"),
            basket(2, "2017-01-01T05:00:00Z", household="9"),
            basket(3, "2017-01-02T04:59:59.999999Z", household="9"),
            basket(4, "2017-01-02T05:00:00Z", household="10"),
        ],
    )
    window = Window(instant("2017-01-01T05:00:00Z"), instant("2017-01-02T05:00:00Z"))

    found = survey(file, window)

    assert (found.inside, found.outside) == (2, 2)
    assert found.households == {"9"}
    assert [basket.basket_id for _, basket in played(file, window)] == ["2", "3"]


def test_packed_and_plain_baskets_are_the_same(tmp_path: Path) -> None:
    plain = write_jsonl(tmp_path / "b.jsonl", [basket(1, "2017-01-01T05:00:00Z")])
    packed = tmp_path / "packed"  # whatever the name says
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert survey(packed, ALWAYS) == survey(plain, ALWAYS)
    assert list(played(packed, ALWAYS)) == list(played(plain, ALWAYS))


def test_an_empty_file_has_no_baskets(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text("\n\n")
    found = survey(tmp_path / "b.jsonl", ALWAYS)
    assert (found.inside, found.outside, found.households) == (0, 0, frozenset())


def test_a_basket_is_read_as_it_stands(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "b.jsonl", [basket(7, "2017-01-01T07:00:00+02:00", lines=2)])
    [(at, read)] = played(file, ALWAYS)
    assert at == instant("2017-01-01T05:00:00Z")
    assert read.timestamp == datetime(2017, 1, 1, 5, tzinfo=UTC)
    assert [(line.product_id, line.sales_minor, line.coupon_minor) for line in read.lines] == [
        ("100", 1000, 0),
        ("101", 1000, 10),
    ]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (basket(1, "2017-01-01T00:00:00Z"), "basket 1 must not follow basket 10"),
        (basket(9, "2017-01-01T00:00:01Z"), "basket 9 must not follow basket 10"),
        (basket(10, "2017-01-01T00:00:01Z"), "basket 10 must not follow basket 10"),
    ],
)
def test_baskets_out_of_order_are_refused(
    tmp_path: Path, second: dict[str, Any], message: str
) -> None:
    file = write_jsonl(tmp_path / "b.jsonl", [basket(10, "2017-01-01T00:00:01Z"), second])
    with pytest.raises(ReplayStopped, match=rf"b\.jsonl:2: {message}; .* sorted"):
        survey(file, ALWAYS)


def test_basket_ids_are_compared_as_numbers(tmp_path: Path) -> None:
    same_second = [basket(number, "2017-01-01T00:00:01Z") for number in (9, 10, 100)]
    assert survey(write_jsonl(tmp_path / "b.jsonl", same_second), ALWAYS).inside == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"basket_id": 5}, r"Expected `str`, got `int` - at `\$.basket_id`"),
        ({"basket_id": "5a"}, r"Expected `str` matching regex .* at `\$.basket_id`"),
        ({"household_id": ""}, r"length >= 1 - at `\$.household_id`"),
        ({"timestamp": "2017-01-01T00:00:00"}, r"timezone component - at `\$.timestamp`"),
        ({"timestamp": "yesterday"}, r"Invalid RFC3339 .* at `\$.timestamp`"),
        ({"lines": [{"product_id": "1"}]}, r"missing required field .* at `\$.lines\[0\]`"),
    ],
)
def test_a_line_that_is_no_basket_is_named(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    good, bad = basket(1, "2017-01-01T00:00:00Z"), basket(2, "2017-01-02T00:00:00Z")
    file = write_jsonl(tmp_path / "b.jsonl", [good, bad | changed])
    with pytest.raises(ReplayStopped, match=rf"b\.jsonl:2: not a basket: .*{message}"):
        survey(file, ALWAYS)


@pytest.mark.parametrize("field", ["sales_minor", "coupon_minor"])
def test_negative_money_is_no_basket(tmp_path: Path, field: str) -> None:
    bad = basket(1, "2017-01-01T00:00:00Z")
    bad["lines"][0][field] = -1
    with pytest.raises(ReplayStopped, match=rf"b\.jsonl:1: .*`int` >= 0 - at .*{field}"):
        survey(write_jsonl(tmp_path / "b.jsonl", [bad]), ALWAYS)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('\n{"basket_id":\n')
    with pytest.raises(ReplayStopped, match=r"b\.jsonl:2: not JSON"):
        survey(tmp_path / "b.jsonl", ALWAYS)


def test_a_torn_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"basket_id":"1"}\n' * 100)
    (tmp_path / "b.jsonl.gz").write_bytes(whole[:-12])
    with pytest.raises(ReplayStopped, match=r"not a whole gzip file|not a basket"):
        survey(tmp_path / "b.jsonl.gz", ALWAYS)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ReplayStopped, match=r"no\.jsonl cannot be read: No such file"):
        survey(tmp_path / "no.jsonl", ALWAYS)
