import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from server import clock
from server.programme.document import RedemptionPolicy
from server.replay.baskets import Basket, Window, played
from server.replay.policy import PolicyDay, policy_days
from server.replay.steps import Batch, Limits, RedemptionRun, Step, in_order, steps
from tests.replay.helpers import basket, many_baskets, write_jsonl

ALWAYS = Window(clock.Instant(-(2**62)), clock.Instant(2**62))


def read(tmp_path: Path, rows: list[dict[str, Any]]) -> list[tuple[clock.Instant, Basket]]:
    return list(played(write_jsonl(tmp_path / "b.jsonl", rows), ALWAYS))


def mondays(first: str, last: str, zone_name: str = "America/New_York") -> list[PolicyDay]:
    policy = RedemptionPolicy("monday", 1, 1, 1, 1)
    first_date, last_date = date.fromisoformat(first), date.fromisoformat(last)
    return policy_days(policy, first=first_date, last=last_date, zone_name=zone_name)


def shown(made: list[Step]) -> list[str]:
    return [
        f"{step.first}-{step.last}"
        if isinstance(step, Batch)
        else f"{step.day.date}: {' '.join(step.households)}"
        for step in made
    ]


def test_batches_never_cross_a_redemption_run_and_runs_know_the_earlier_households(
    tmp_path: Path,
) -> None:
    baskets = read(
        tmp_path,
        [
            basket(1, "2017-01-02T04:59:59Z", household="30"),  # Sunday
            basket(2, "2017-01-02T05:00:00Z", household="4"),  # Monday's first second
            basket(3, "2017-01-05T05:00:00Z", household="30"),
            basket(4, "2017-01-08T05:00:00Z", household="111"),
            basket(5, "2017-01-17T05:00:00Z", household="5"),
        ],
    )
    made = list(steps(baskets, mondays("2017-01-01", "2017-01-29"), currency="USD"))
    assert shown(made) == [
        "0-0",
        "2017-01-02: 30",
        "1-3",
        "2017-01-09: 4 30 111",
        "2017-01-16: 4 30 111",
        "4-4",
        "2017-01-23: 4 5 30 111",
    ]


def test_without_runs_a_batch_spans_weeks(tmp_path: Path) -> None:
    baskets = read(tmp_path, many_baskets())
    assert shown(list(steps(baskets, [], currency="USD"))) == ["0-60"]


def test_a_batch_has_at_most_so_many_purchases(tmp_path: Path) -> None:
    baskets = read(tmp_path, many_baskets()[:7])
    made = list(steps(baskets, [], currency="USD", limits=Limits(purchases=3)))
    assert shown(made) == ["0-2", "3-5", "6-6"]


def test_a_batch_stays_below_its_size_and_a_large_basket_goes_alone(tmp_path: Path) -> None:
    rows = [basket(n, f"2017-01-01T00:00:0{n}Z", lines=40 if n == 2 else 1) for n in range(5)]
    baskets = read(tmp_path, rows)
    [one] = steps(baskets[:1], [], currency="USD")
    assert isinstance(one, Batch)
    size = len(one.purchases)
    limits = Limits(body_bytes=2 * size + 2)
    made = list(steps(baskets, [], currency="USD", limits=limits))
    assert shown(made) == ["0-1", "2-2", "3-4"]
    limits = Limits(body_bytes=2 * size + 1)
    made = list(steps(baskets, [], currency="USD", limits=limits))
    assert shown(made) == ["0-0", "1-1", "2-2", "3-3", "4-4"]


def test_purchases_are_what_the_schema_takes(tmp_path: Path) -> None:
    [batch] = steps(
        read(tmp_path, [basket(31, "2017-01-01T00:00:09Z", household="4", lines=2)]),
        [],
        currency="EUR",
    )
    assert isinstance(batch, Batch)
    assert batch.at == clock.instant_of(datetime.fromisoformat("2017-01-01T00:00:09Z"))
    assert batch.basket_ids == ("31",)
    assert json.loads(batch.purchases) == {
        "externalId": "31",
        "member": {"externalId": "4"},
        "enrolIfUnknown": True,
        "occurredAt": "2017-01-01T00:00:09Z",
        "storeId": "7",
        "currencyCode": "EUR",
        "lines": [
            {
                "productId": "100",
                "quantity": 1,
                "salesMinor": 1000,
                "department": "GROCERY",
                "productCategory": "A",
                "productType": "UNKNOWN",
            },
            {
                "productId": "101",
                "quantity": 1,
                "salesMinor": 1000,
                "department": "PRODUCE",
                "productCategory": "A",
                "productType": "UNKNOWN",
                "couponMinor": 10,
            },
        ],
    }


@pytest.mark.parametrize("limits", [Limits(purchases=1), Limits(purchases=4), Limits()])
def test_what_remains_after_any_step_is_what_was_to_come(tmp_path: Path, limits: Limits) -> None:
    baskets = read(tmp_path, many_baskets())
    days = mondays("2017-01-01", "2017-03-31")
    whole = list(steps(baskets, days, currency="USD", limits=limits))
    baskets_done = runs_done = 0
    for number, step in enumerate(whole):
        remaining = steps(
            baskets,
            days,
            currency="USD",
            limits=limits,
            baskets_done=baskets_done,
            runs_done=runs_done,
        )
        assert list(remaining) == whole[number:]
        if isinstance(step, RedemptionRun):
            runs_done += 1
        else:
            baskets_done = step.last + 1
    assert (baskets_done, runs_done) == (61, 13)


def test_households_are_ordered_by_their_value() -> None:
    assert in_order(["10", "9", "100", "1"]) == ("1", "9", "10", "100")
