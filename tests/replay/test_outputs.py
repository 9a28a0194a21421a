import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from server.replay.errors import ReplayStopped
from server.replay.outputs import minor_of, month_row, number, write_rows
from server.replay.results import Month, TierCount


@pytest.mark.parametrize(
    ("amount", "units", "minor"),
    [
        ("1523.33", 100, 152333),
        ("0.00", 100, 0),
        ("-0.05", 100, -5),
        ("1234", 1, 1234),
        ("1.234", 1000, 1234),
        ("90071992547409.93", 100, 9007199254740993),  # not a double
    ],
)
def test_money_becomes_whole_minor_units(amount: str, units: int, minor: int) -> None:
    assert minor_of(Decimal(amount), units) == minor


def test_money_with_a_fraction_of_a_minor_unit_is_refused() -> None:
    with pytest.raises(ReplayStopped, match=r"states 0\.005"):
        minor_of(Decimal("0.005"), 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.0000000000", "0.0000000000"), ("0.3333333333", "0.3333333333"), ("1E+2", "100")],
)
def test_rates_keep_their_digits(value: str, text: str) -> None:
    assert msgspec.json.encode(number(Decimal(value))).decode() == text


def test_a_month_has_the_names_and_the_order_of_the_table() -> None:
    month = Month(
        month="2017-01",
        new_members=1,
        active_members=2,
        repeat_members=3,
        purchases=4,
        net_minor="-5",
        eligible_minor="6",
        repeat_purchase_rate=Decimal("0.7000000000"),
        purchase_frequency=Decimal("8.0000000000"),
        average_basket_minor=Decimal("-9.5000000000"),
        points_earned="10",
        points_redeemed="11",
        points_expired="12",
        points_outstanding="99999999999999999999",
        vouchers_issued=14,
        cashback_accrued_minor="15",
        cashback_capped_minor="16",
        cashback_outstanding_minor="17",
        liability_minor="18",
        redemption_rate=Decimal("0.1900000000"),
        breakage_rate=Decimal("0E-10"),
        members_by_tier=[TierCount("Black Card", 21), TierCount("Ąžuolas", 22)],
    )
    assert msgspec.json.encode(month_row(month)).decode() == (
        '{"month":"2017-01","new_members":1,"active_members":2,"repeat_members":3,"baskets":4,'
        '"net_minor":-5,"eligible_minor":6,"repeat_purchase_rate":0.7000000000,'
        '"purchase_frequency":8.0000000000,"average_basket_minor":-9.5000000000,'
        '"points_earned":10,"points_redeemed":11,"points_expired":12,'
        '"points_outstanding":99999999999999999999,"vouchers_issued":14,'
        '"cashback_accrued_minor":15,"cashback_capped_minor":16,"cashback_outstanding_minor":17,'
        '"liability_minor":18,"redemption_rate":0.1900000000,"breakage_rate":0.0000000000,'
        '"members_black card":21,"members_ąžuolas":22}'
    )


def test_a_result_file_changes_only_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write_rows(file, [{"a": 1}, {"a": 2}])
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"a": 1}, {"a": 2}]

    def torn() -> "list[dict[str, int]]":
        raise ReplayStopped("no more")

    with pytest.raises(ReplayStopped):
        write_rows(file, (row for make in [torn] for row in make()))
    assert file.read_text() == '{"a":1}\n{"a":2}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
