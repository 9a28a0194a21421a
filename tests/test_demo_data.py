"""The demo data as JSON Lines, on its first few households."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from server.replay import demo_data
from server.replay.demo_data import DemoDataMissing, write_demo_baskets


def test_the_lines_follow_the_reading_rules(tmp_path: Path) -> None:
    path = tmp_path / "baskets.jsonl"
    heard: list[tuple[int, int]] = []
    written = write_demo_baskets(path, households=4, progress=lambda *done: heard.append(done))
    baskets = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(baskets) == written
    assert heard == [(written, written)]
    assert {basket["household_id"] for basket in baskets} == {"1", "2", "3", "4"}
    order = [(basket["timestamp"], int(basket["basket_id"])) for basket in baskets]
    assert order == sorted(set(order))
    assert list(baskets[0]) == ["basket_id", "household_id", "store_id", "timestamp", "lines"]
    lines = [line for basket in baskets for line in basket["lines"]]
    assert {tuple(line) for line in lines} == {
        (
            "product_id",
            "department",
            "product_category",
            "product_type",
            "quantity",
            "sales_minor",
            "coupon_minor",
        )
    }
    for line in lines:
        assert isinstance(line["product_id"], str)
        for field in ("quantity", "sales_minor", "coupon_minor"):
            assert type(line[field]) is int
            assert line[field] >= 0
    # Counted with other means from the package's own tables.
    assert (len(baskets), len(lines)) == (109, 1809)
    assert sum(line["sales_minor"] for line in lines) == 490_845
    assert sum(line["coupon_minor"] for line in lines) == 8_980
    assert sum(line["department"] == "UNKNOWN" for line in lines) == 9


def test_the_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
    write_demo_baskets(first, households=3)
    write_demo_baskets(second, households=3)
    assert first.read_bytes() == second.read_bytes()
    write_demo_baskets(tmp_path / "c.jsonl", households=3)
    assert gzip.decompress(first.read_bytes()) == (tmp_path / "c.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.jsonl.gz",
        "b.jsonl.gz",
        "c.jsonl",
    ]


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path) -> None:
    def stop(_written: int, _total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_demo_baskets(tmp_path / "a.jsonl", households=30, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_data, "PACKAGE", "no_such_package_here")
    with pytest.raises(DemoDataMissing, match="scripts/replay --demo"):
        write_demo_baskets(tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []
