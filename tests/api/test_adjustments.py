"""Staff give and take value: alone up to a limit, with a second person above it."""

import asyncio
from typing import Any

import pytest

from server.clock import Instant
from server.edge.nodes import global_id
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, SECOND, Api, Caller, Json, dump, enrolled
from tests.ledger.books import check_books

BALANCES = (
    '{ member(by: {externalId: "anna"}) { points { available lifetimeMoved }'
    " cashback { available { amount } } activity(first: 1) { nodes { kind title points } } } }"
)


def wish(points: int, **changes: Any) -> Json:
    """The demo programme's limit is 1000 points, or 1000 minor units."""
    return {
        "member": {"externalId": "anna"},
        "asset": "POINTS",
        "points": points,
        "reason": "goodwill",
        **changes,
    }


def cashback(minor: int, **changes: Any) -> Json:
    given = wish(0, asset="CASHBACK", amountMinor=str(minor), **changes)
    del given["points"]
    return given


async def adjust(api: Api, caller: Caller, given: Json, *, at: Instant = NOW) -> Json:
    told = await api.mutate("adjustBalance", given, caller, at=at)
    await check_books()
    return told


async def decide(api: Api, name: str, adjustment: Json, caller: Caller, **more: str) -> Json:
    told = await api.mutate(name, {"adjustmentId": adjustment["id"], **more}, caller)
    await check_books()
    return told


async def anna(api: Api, caller: Caller) -> Json:
    member: Json = (await api.data(BALANCES, caller=caller, at=NOW))["member"]
    return member


@pytest.fixture
async def support(api: Api) -> Caller:
    await enrolled("anna")
    return await api.staff(StaffRole.SUPPORT)


@pytest.fixture
async def manager(api: Api) -> Caller:
    return await api.staff(StaffRole.MANAGER)


async def test_up_to_the_limit_it_is_applied_at_once(api: Api, support: Caller) -> None:
    told = await adjust(api, support, wish(1000))
    made = told["adjustment"]
    assert (told["__typename"], made["status"], made["points"]) == (
        "BalanceAdjusted",
        "APPLIED",
        1000,
    )
    assert (made["decidedBy"], made["isOwn"]) == (None, True)
    shown = await anna(api, support)
    assert (shown["points"]["available"], shown["points"]["lifetimeMoved"]) == (1100, 1000)
    assert shown["activity"]["nodes"] == [
        {"kind": "ADJUSTMENT", "title": "Adjusted by our staff", "points": 1000}
    ]
    [row] = await sql.fetch(
        "SELECT reference, debit, rule FROM postings WHERE reason = 'adjustment'"
    )
    assert global_id("Adjustment", row[0]) == made["id"]
    assert tuple(row[1:]) == ("adjusted", "adjustment")


async def test_what_is_taken_has_to_be_available(api: Api, support: Caller) -> None:
    assert (await adjust(api, support, wish(-60)))["adjustment"]["points"] == -60
    before = await dump()
    told = await adjust(api, support, wish(-41))
    assert (told["__typename"], told["available"], told["shortBy"]) == (
        "InsufficientPoints",
        40,
        1,
    )
    told = await adjust(api, support, cashback(-5))
    assert (told["__typename"], told["shortByAmount"]["amount"]) == ("InsufficientCashback", "0.05")
    assert await dump() == before


async def test_cashback_never_expires(api: Api, support: Caller) -> None:
    told = await adjust(api, support, cashback(250))
    assert told["adjustment"]["amount"]["amount"] == "2.50"
    assert (await anna(api, support))["cashback"]["available"]["amount"] == "2.50"
    [row] = await sql.fetch("SELECT expires_at FROM lots WHERE reason = 'adjustment'")
    assert row[0] == 2**63 - 1


@pytest.mark.parametrize(("amount", "given"), [(1001, wish(1001)), (1001, cashback(1001))])
async def test_above_the_limit_it_waits_for_somebody_else(
    api: Api, support: Caller, manager: Caller, amount: int, given: Json
) -> None:
    before = await anna(api, support)
    made = (await adjust(api, support, given))["adjustment"]
    assert made["status"] == "PENDING"
    assert await anna(api, support) == before
    listed = await api.data(
        "{ adjustments(status: PENDING) { nodes { id reason isOwn } } }", caller=manager
    )
    assert listed["adjustments"]["nodes"] == [
        {"id": made["id"], "reason": "goodwill", "isOwn": False}
    ]
    done = await decide(api, "approveAdjustment", made, manager)
    assert done["adjustment"]["status"] == "APPLIED"
    assert done["adjustment"]["decidedBy"] == global_id("Account", manager.account_id)
    assert await anna(api, support) != before
    for name, more in (("approveAdjustment", {}), ("rejectAdjustment", {"note": "too late"})):
        told = await decide(api, name, made, manager, **more)
        assert (told["__typename"], told["outcome"]) == ("AlreadyDecided", "APPLIED")


async def test_nobody_decides_what_they_have_asked_for(api: Api, manager: Caller) -> None:
    await enrolled("anna")
    made = (await adjust(api, manager, wish(2000)))["adjustment"]
    before = await dump()
    for name, more in (("approveAdjustment", {}), ("rejectAdjustment", {"note": "not so"})):
        told = await decide(api, name, made, manager, **more)
        assert told["__typename"] == "NotAllowed"
    assert await dump() == before


async def test_a_rejected_adjustment_changes_nothing_and_says_why(
    api: Api, support: Caller, manager: Caller
) -> None:
    made = (await adjust(api, support, wish(5000)))["adjustment"]
    before = await anna(api, support)
    told = await decide(api, "rejectAdjustment", made, manager, note="no receipt")
    assert (told["adjustment"]["status"], told["adjustment"]["note"]) == ("REJECTED", "no receipt")
    assert await anna(api, support) == before
    told = await decide(api, "approveAdjustment", made, manager)
    assert told["outcome"] == "REJECTED"


async def test_what_is_missing_at_the_decision_leaves_it_pending(
    api: Api, support: Caller, manager: Caller
) -> None:
    made = (await adjust(api, support, wish(-1500)))["adjustment"]
    told = await decide(api, "approveAdjustment", made, manager)
    assert (told["__typename"], told["shortBy"]) == ("InsufficientPoints", 1400)
    await adjust(api, manager, wish(1000))
    colleague = await api.staff(StaffRole.MANAGER)
    await adjust(api, colleague, wish(1000))
    done = await decide(api, "approveAdjustment", made, manager)
    assert done["adjustment"]["status"] == "APPLIED"


async def test_parts_count_together_on_one_local_day(api: Api, support: Caller) -> None:
    """Given and taken alike, for one member and asset and by one person."""
    steps: list[tuple[Json, Instant, str]] = [
        (wish(600), NOW, "APPLIED"),
        (wish(-300), NOW, "APPLIED"),
        (wish(101), NOW, "PENDING"),
        (wish(100), NOW, "APPLIED"),
        (wish(-1), NOW, "PENDING"),
        (cashback(1000), NOW, "APPLIED"),
        (wish(1), Instant(NOW + 11 * 3600 * SECOND), "PENDING"),  # before midnight in New York
        (wish(1000), Instant(NOW + DAY), "APPLIED"),
    ]
    for given, at, status in steps:
        assert (await adjust(api, support, given, at=at))["adjustment"]["status"] == status
    colleague = await api.staff(StaffRole.SUPPORT)
    assert (await adjust(api, colleague, wish(1000)))["adjustment"]["status"] == "APPLIED"


async def test_parts_sent_at_once_count_against_each_other(api: Api, support: Caller) -> None:
    told = await asyncio.gather(
        *(api.mutate("adjustBalance", wish(400), support) for _ in range(6))
    )
    statuses = sorted(one["adjustment"]["status"] for one in told)
    assert statuses == ["APPLIED"] * 2 + ["PENDING"] * 4


async def test_two_who_decide_at_once_decide_once(api: Api, support: Caller) -> None:
    made = (await adjust(api, support, wish(2000)))["adjustment"]
    managers = [await api.staff(StaffRole.MANAGER) for _ in range(4)]
    given = {"adjustmentId": made["id"]}
    told = await asyncio.gather(*(api.mutate("approveAdjustment", given, one) for one in managers))
    assert (
        sorted(one["__typename"] for one in told) == ["AdjustmentDecided"] + ["AlreadyDecided"] * 3
    )
    assert (await anna(api, support))["points"]["available"] == 2100
    await check_books()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (wish(0), "points"),
        (wish(5, reason="no"), "reason"),
        (wish(5, reason=" " * 9), "reason"),
        (wish(5, reason="x" * 501), "reason"),
        (wish(5, reason="a\nb c"), "reason"),
        (wish(5, amountMinor="5"), "points"),
        (cashback(0), "amountMinor"),
        (cashback(2**31), "amountMinor"),
        ({**cashback(5), "points": 5}, "amountMinor"),
    ],
)
async def test_what_is_not_accepted_is_told_where_it_stands(
    api: Api, support: Caller, given: Json, path: str
) -> None:
    before = await dump()
    told = await adjust(api, support, given)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", path])
    assert await dump() == before


async def test_unknown_adjustments_are_not_found(api: Api, manager: Caller) -> None:
    told = await decide(api, "approveAdjustment", {"id": global_id("Adjustment", 5)}, manager)
    assert (told["__typename"], told["path"]) == ("NotFound", ["input", "adjustmentId"])
