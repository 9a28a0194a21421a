"""recordPurchase: what a purchase brings, by rule, to the point and to the instant."""

from typing import Any

import pytest

from server import clock
from server.cards.service import card_of
from server.edge.nodes import global_id
from server.principal import Scope
from tests.api import example
from tests.api.calling import (
    NOW,
    NOW_SHOWN,
    Api,
    Caller,
    Json,
    changed,
    dump,
    enrolled,
    instant,
    line,
    midnight,
    purchase_input,
    usd,
)

WELCOME = "2017-01-03T02:30:00Z"
"""When the example's household makes its first purchase: the evening of January 2nd, locally."""


def earned(
    rule: str, points: int, available: str, expires: str, challenge: str | None = None
) -> Json:
    return {
        "rule": rule,
        "points": points,
        "challenge": challenge,
        "offer": None,
        "availableAt": available,
        "expiresAt": midnight(expires),
    }


def cashback(accrued: str, capped: str, available: str) -> Json:
    return {
        "accrued": usd(accrued),
        "cutByCap": usd(capped),
        "availableAt": midnight(available),
    }


def answer(
    basket_id: str,
    *,
    net: str,
    eligible: str,
    earned: list[Json],
    cashback: Json,
    tiers: tuple[str, str] = ("Bronze", "Bronze"),
    enrolled: bool = False,
) -> Json:
    return {
        "__typename": "RecordedPurchase",
        "externalId": basket_id,
        "enrolled": enrolled,
        "programmeVersion": 1,
        "net": usd(net),
        "eligible": usd(eligible),
        "points": sum(one["points"] for one in earned),
        "earned": earned,
        "cashback": cashback,
        "tierBefore": tiers[0],
        "tierAfter": tiers[1],
        "offers": [],
    }


EXAMPLE = [
    answer(
        "101",
        net="53.55",
        eligible="23.55",
        enrolled=True,
        earned=[
            earned("WELCOME", 100, WELCOME, "2017-07-01"),
            earned("BASE", 235, midnight("2017-01-05"), "2017-07-01"),
            earned("CATEGORY", 45, midnight("2017-01-05"), "2017-07-01"),
        ],
        cashback=cashback("0.09", "0.00", "2017-01-16"),
    ),
    answer(
        "102",
        net="69.99",
        eligible="69.99",
        earned=[
            earned("BASE", 699, midnight("2017-01-07"), "2017-07-03"),
            earned("CHALLENGE", 100, "2017-01-04T15:00:00Z", "2017-07-03", "departments"),
        ],
        cashback=cashback("1.00", "0.00", "2017-01-18"),
    ),
    answer(
        "103",
        net="6.46",
        eligible="6.46",
        earned=[
            earned("BASE", 64, midnight("2017-01-10"), "2017-07-06"),
            earned("CHALLENGE", 50, "2017-01-07T18:00:00Z", "2017-07-06", "weekly_visits"),
            earned("CHALLENGE", 150, "2017-01-07T18:00:00Z", "2017-07-06", "month_spend"),
        ],
        cashback=cashback("0.00", "0.00", "2017-01-21"),
    ),
    answer(
        "104",
        net="1400.00",
        eligible="1400.00",
        earned=[
            earned("BASE", 14000, midnight("2017-03-13"), "2017-09-06"),
            earned("CHALLENGE", 150, "2017-03-10T17:00:00Z", "2017-09-06", "month_spend"),
        ],
        cashback=cashback("5.00", "23.00", "2017-03-24"),
        tiers=("Bronze", "Silver"),
    ),
    answer(
        "105",
        net="10.00",
        eligible="10.00",
        earned=[
            earned("BASE", 100, midnight("2017-09-08"), "2018-03-04"),
            earned("TIER", 25, midnight("2017-09-08"), "2018-03-04"),
        ],
        cashback=cashback("0.00", "0.00", "2017-09-19"),
        tiers=("Silver", "Silver"),
    ),
    answer(
        "106",
        net="3.33",
        eligible="3.33",
        earned=[
            earned("BASE", 33, midnight("2017-09-08"), "2018-03-04"),
            earned("TIER", 8, midnight("2017-09-08"), "2018-03-04"),
            earned("CATEGORY", 33, midnight("2017-09-08"), "2018-03-04"),
        ],
        cashback=cashback("0.06", "0.00", "2017-09-19"),
        tiers=("Silver", "Silver"),
    ),
    answer(
        "108",
        net="10.00",
        eligible="10.00",
        earned=[
            earned("BASE", 100, midnight("2018-01-02"), "2018-06-28"),
            earned("TIER", 25, midnight("2018-01-02"), "2018-06-28"),
            earned("CATEGORY", 100, midnight("2018-01-02"), "2018-06-28"),
        ],
        cashback=cashback("0.20", "0.00", "2018-01-13"),
        tiers=("Silver", "Silver"),
    ),
    answer(
        "107",
        net="40.00",
        eligible="0.00",
        earned=[],
        cashback=cashback("0.00", "0.00", "2018-01-14"),
        tiers=("Silver", "Silver"),
    ),
]


async def test_the_worked_example_is_answered_rule_by_rule(api: Api, till: Caller) -> None:
    answers = await example.play(api, till)
    ids = {"memberId": answers["101"]["memberId"]}
    for expected in EXAMPLE:
        told = dict(answers[expected["externalId"]])
        assert told.pop("purchaseId").startswith("UHVyY2hhc2U6")  # Purchase:
        assert told == expected | ids
    left = [
        (monday, answers[monday]["pointsRedeemed"], answers[monday]["pointsAvailableAfter"])
        for monday in example.MONDAYS
    ]
    # On 03-13 there are 379 + 64 + 50 + 150 of the lots of January, 150 of March, and the 14,000.
    assert left == [
        ("2017-01-09", 1000, 379),
        *((monday, 1000, 13593 - 1000 * week) for week, monday in enumerate(example.MONDAYS[1:])),
    ]


async def test_a_purchase_tells_the_same_whatever_the_batch(api: Api, till: Caller) -> None:
    purchases = [example.basket(expected["externalId"]) for expected in EXAMPLE]
    batch = await api.mutate(
        "recordPurchases", {"purchases": purchases}, till, at=instant("2018-01-01T04:30:00Z")
    )
    told = [
        {name: value for name, value in one.items() if name not in ("purchaseId", "memberId")}
        for one in batch["answers"]
    ]
    assert told == EXAMPLE


async def test_the_instants_are_local_midnights_across_summer_time(
    api: Api, till: Caller, anna: int
) -> None:
    # Three days after March 6th is after the change of March 8th, 2026, to UTC-4.
    told = await api.record(
        till, at=instant("2026-03-06T17:00:00Z"), occurredAt="2026-03-06T12:00:00-05:00"
    )
    assert told["earned"] == [earned("BASE", 100, "2026-03-09T04:00:00Z", "2026-09-02")]
    assert told["earned"][0]["expiresAt"] == "2026-09-02T04:00:00Z"
    assert told["cashback"]["availableAt"] == "2026-03-20T04:00:00Z"


async def test_the_local_day_of_a_purchase_decides_and_not_the_day_in_utc(
    api: Api, till: Caller, anna: int
) -> None:
    first = await api.record(till, occurredAt="2026-03-04T04:59:59.999999Z")
    second = await api.record(till, occurredAt="2026-03-04T05:00:00Z")
    assert [told["earned"][0]["availableAt"] for told in (first, second)] == [
        midnight("2026-03-06"),
        midnight("2026-03-07"),
    ]


async def test_the_four_completed_weeks_in_a_row_give_the_streak(
    api: Api, till: Caller, anna: int
) -> None:
    # Three visit days a week, four weeks long; the last week is NOW's.
    days = [
        f"2026-{month:02}-{day:02}"
        for month, day in (
            *((2, 9), (2, 10), (2, 11)),
            *((2, 16), (2, 17), (2, 18)),
            *((2, 23), (2, 24), (2, 25)),
            *((3, 2), (3, 3), (3, 4)),
        )
    ]
    purchases = [
        purchase_input(occurredAt=f"{day}T17:00:00Z", lines=[line(salesMinor=100)]) for day in days
    ]
    batch = await api.mutate("recordPurchases", {"purchases": purchases}, till)
    by_day = {
        day: [(one["rule"], one["points"], one["challenge"]) for one in told["earned"]]
        for day, told in zip(days, batch["answers"], strict=True)
    }
    completing = {"2026-02-11", "2026-02-18", "2026-02-25"}
    week = ("CHALLENGE", 50, "weekly_visits")
    for day in days[:-1]:
        assert by_day[day] == [("BASE", 10, None), *([week] if day in completing else [])]
    assert by_day["2026-03-04"] == [("BASE", 10, None), week, ("STREAK", 200, "weekly_visits")]


async def test_each_kind_of_reference_means_the_member(api: Api, till: Caller, anna: int) -> None:
    number = (await card_of(anna)).number
    for reference in (
        {"externalId": "anna"},
        {"id": global_id("Member", anna)},
        {"cardNumber": number},
        {"cardNumber": f"{number[:4]} {number[4:8]}-{number[8:12]} {number[12:]}"},
    ):
        told = await api.record(till, member=reference)
        assert told["__typename"] == "RecordedPurchase"
        assert (told["memberId"], told["enrolled"]) == (global_id("Member", anna), False)
    found = await api.data(
        '{ member(by: {externalId: "anna"}) { points { lifetimeEarned }'
        " eligibleSpend { amount } } }",
        caller=till,
        at=NOW,
    )
    assert found["member"] == {
        "points": {"lifetimeEarned": 100 + 4 * 100},
        "eligibleSpend": {"amount": "40.00"},
    }


async def test_enrolling_an_unknown_buyer_happens_once_and_just_before_the_purchase(
    api: Api, till: Caller
) -> None:
    bought = "2026-03-01T15:00:00Z"
    first = await api.record(
        till, member={"externalId": "new"}, occurredAt=bought, enrolIfUnknown=True
    )
    second = await api.record(till, member={"externalId": "new"}, enrolIfUnknown=True)
    assert (first["enrolled"], second["enrolled"]) == (True, False)
    assert first["memberId"] == second["memberId"]
    assert [one["rule"] for one in first["earned"]] == ["WELCOME", "BASE"]
    assert [one["rule"] for one in second["earned"]] == ["BASE"]
    found = await api.data(
        '{ member(by: {externalId: "new"}) { enrolledAt name timeZone card { status }'
        " tier { name since } } }",
        caller=till,
        at=NOW,
    )
    assert found["member"] == {
        "enrolledAt": bought,
        "name": None,
        "timeZone": "America/New_York",
        "card": {"status": "ACTIVE"},
        "tier": {"name": "Bronze", "since": bought},
    }


async def test_an_unknown_label_is_what_a_line_without_a_department_has(
    api: Api, till: Caller, anna: int
) -> None:
    lines = [
        line(department=None),
        {"productId": "2", "quantity": 1, "salesMinor": 250},
        line(department="FUEL"),
        line(productType="GASOLINE-REG UNLEADED"),
    ]
    told = await api.record(till, lines=lines)
    assert (told["net"], told["eligible"], told["points"]) == (usd("32.50"), usd("12.50"), 125)


async def test_coupons_beyond_the_sales_leave_nothing_eligible(
    api: Api, till: Caller, anna: int
) -> None:
    told = await api.record(till, lines=[line(salesMinor=100, couponMinor=350, department="MEAT")])
    assert (told["net"], told["eligible"], told["earned"]) == (usd("-2.50"), usd("0.00"), [])
    assert told["cashback"]["accrued"] == usd("0.00")


async def test_the_last_cashback_of_a_month_is_cut_and_the_next_month_starts_anew(
    api: Api, till: Caller, anna: int
) -> None:
    async def cashback_of(occurred_at: str, sales_minor: int) -> tuple[str, str]:
        told = await api.record(
            till,
            occurredAt=occurred_at,
            lines=[line(department="MEAT", salesMinor=sales_minor)],
        )
        shown = told["cashback"]
        return shown["accrued"]["amount"], shown["cutByCap"]["amount"]

    assert await cashback_of("2026-03-01T04:59:59Z", 24_949) == ("4.98", "0.00")  # February
    assert await cashback_of("2026-02-10T12:00:00Z", 250) == ("0.02", "0.03")
    assert await cashback_of("2026-02-10T12:00:00Z", 250) == ("0.00", "0.05")
    assert await cashback_of("2026-03-01T05:00:00Z", 250) == ("0.05", "0.00")


async def test_a_late_purchase_counts_when_it_was_made(api: Api, till: Caller, anna: int) -> None:
    """A purchase of last week, sent today, is available at once if its three days are over."""
    told = await api.record(till, occurredAt="2026-02-20T12:00:00Z")
    assert told["earned"][0]["availableAt"] == "2026-02-23T05:00:00Z"
    with clock.moved_to(NOW):
        found = await api.data(
            '{ member(by: {externalId: "anna"}) { points { available pending } } }', caller=till
        )
    assert found["member"]["points"] == {"available": 200, "pending": 0}
    assert NOW_SHOWN > "2026-02-23"


async def test_one_external_id_of_two_partners_is_two_purchases(
    api: Api, till: Caller, anna: int
) -> None:
    other = await api.key(Scope.PURCHASES_WRITE, partner="another")
    told = [await api.record(caller, externalId="b1") for caller in (till, other)]
    assert told[0]["purchaseId"] != told[1]["purchaseId"]
    assert told[0]["points"] == told[1]["points"] == 100


async def test_the_same_purchase_under_another_key_gets_the_first_answer(
    api: Api, till: Caller, anna: int
) -> None:
    purchase = purchase_input()
    first = await api.mutate("recordPurchase", {"purchase": purchase}, till)
    colleague = await api.key(Scope.PURCHASES_WRITE)
    before = await dump()
    later = instant("2026-03-05T17:00:00Z")
    for caller, at in ((till, NOW), (till, later), (colleague, later)):
        assert await api.mutate("recordPurchase", {"purchase": purchase}, caller, at=at) == first
        assert changed(before, await dump()) == {"idempotency_records"}


@pytest.mark.parametrize(
    "other",
    [
        {"storeId": "8"},
        {"occurredAt": "2026-03-04T16:59:59Z"},
        {"lines": [line(salesMinor=1001)]},
        {"lines": [line(), line(salesMinor=0)]},
        {"member": {"externalId": "bob"}},
    ],
    ids=["store", "instant", "amount", "line", "member"],
)
async def test_the_same_external_id_with_other_content_is_refused(
    api: Api, till: Caller, anna: int, other: dict[str, Any]
) -> None:
    await enrolled("bob")
    await api.record(till, externalId="b1")
    before = await dump()
    assert await api.record(till, externalId="b1", **other) == {
        "__typename": "ExternalIdConflict",
        "code": "EXTERNAL_ID_CONFLICT",
        "message": "b1 was recorded before with other content. Nothing was changed.",
        "path": ["input", "purchase", "externalId"],
        "externalId": "b1",
    }
    assert await dump() == before
