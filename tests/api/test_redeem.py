"""redeemPoints: whose points, how many, which first; no trace if not."""

import asyncio
import re
from typing import Any

from server.cards import rules as card_rules
from server.cards import service as cards
from server.edge.nodes import global_id
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api import example
from tests.api.calling import NOW, NOW_SHOWN, Api, Caller, Json, dump, instant, line, midnight, usd
from tests.api.redeeming import ANNA, STEP, rich
from tests.api.refusals import invalid, not_found, unusable


async def points_of(api: Api, member: Caller, *, at: Any = NOW) -> Json:
    data = await api.data(
        "{ me { points { available pending lifetimeEarned lifetimeRedeemed lifetimeExpired } } }",
        caller=member,
        at=at,
    )
    points: Json = data["me"]["points"]
    assert points["lifetimeEarned"] == sum(
        points[name] for name in ("available", "pending", "lifetimeRedeemed", "lifetimeExpired")
    )
    return points


# ---------------------------------------------------------------- who


async def test_a_member_a_till_and_staff_redeem(api: Api, till: Caller) -> None:
    anna = await rich(api, "anna", 5000)
    support, manager = await api.staff(StaffRole.SUPPORT), await api.staff(StaffRole.MANAGER)
    number = (await cards.card_of(anna.member_id)).number
    left = 5100
    vouchers = []
    wishes: list[tuple[Caller, Json]] = [
        (anna, {"points": 1000}),
        (till, {"points": 1000, "member": {"cardNumber": number}}),
        (support, {"points": 1000, "member": {"id": anna.id}}),
        (manager, {"points": 2000, **ANNA}),
    ]
    for caller, input in wishes:
        left -= input["points"]
        told = await api.mutate("redeemPoints", input, caller)
        voucher = told["voucher"]
        assert re.fullmatch(r"[2-9A-HJKMNP-TV-Z]{7}-[2-9A-HJKMNP-TV-Z]{7}", voucher["code"])
        assert told == {
            "__typename": "PointsRedeemed",
            "voucher": {
                "id": voucher["id"],
                "code": voucher["code"],
                "value": usd(f"{input['points'] // 100}.00"),
                "remaining": usd(f"{input['points'] // 100}.00"),
                "points": input["points"],
                "status": "ISSUED",
                "issuedAt": NOW_SHOWN,
                "expiresAt": None,
            },
            "pointsRedeemed": input["points"],
            "pointsAvailableAfter": left,
        }
        vouchers.append(voucher)
    assert len({voucher["code"] for voucher in vouchers}) == 4
    points = await points_of(api, anna)
    assert (points["available"], points["lifetimeRedeemed"]) == (100, 5000)
    mine = await api.data(
        "{ me { vouchersIssued vouchers { nodes { id code value { amount currencyCode } remaining"
        " { amount currencyCode } points"
        " status issuedAt expiresAt } } } }",
        caller=anna,
        at=NOW,
    )
    assert mine["me"] == {"vouchersIssued": 4, "vouchers": {"nodes": vouchers[::-1]}}


async def test_a_member_names_no_one(api: Api, till: Caller) -> None:
    anna, bob = await rich(api, "anna", 1000), await rich(api, "bob", 1000)
    before = await dump()
    for reference in (
        {"id": bob.id},
        {"externalId": "bob"},
        {"externalId": "nobody"},
        {"cardNumber": (await cards.card_of(bob.member_id)).number},
        {"id": anna.id},
        {"externalId": "anna"},
    ):
        told = await api.mutate("redeemPoints", {"points": 1000, "member": reference}, anna)
        assert told == invalid(
            ["input", "member"], None, "nothing, for a member", "Members redeem their own points."
        )
    assert await dump() == before


async def test_tills_and_staff_name_a_member(api: Api, till: Caller) -> None:
    staff = await api.staff(StaffRole.SUPPORT)
    before = await dump()
    for caller in (till, staff):
        for input in ({"points": 1000}, {"points": 1000, "member": None}):
            assert await api.mutate("redeemPoints", input, caller) == invalid(
                ["input", "member"], None, "a reference to a member", "This value is needed."
            )
    assert await dump() == before


async def test_a_member_who_is_not_found(api: Api, till: Caller, anna: int) -> None:
    number = (await cards.card_of(anna)).number
    async with sql.transaction():
        await cards.block(anna, NOW)
    at = ["input", "member"]
    before = await dump()
    for reference, expected in (
        ({"externalId": "nobody"}, not_found([*at, "externalId"])),
        ({"id": global_id("Member", 17)}, not_found([*at, "id"])),
        (
            {"cardNumber": card_rules.number_of(0)},
            not_found([*at, "cardNumber"], "No card has this number."),
        ),
        ({"id": "malformed"}, not_found([*at, "id"])),
        (
            {"cardNumber": number},
            unusable(
                [*at, "cardNumber"],
                "BLOCKED",
                "This card is blocked. It works again once it is unblocked.",
            ),
        ),
    ):
        told = await api.mutate("redeemPoints", {"points": 1000, "member": reference}, till)
        assert told == expected
    assert await dump() == before


async def test_value_stays_with_a_member_whose_card_is_blocked(api: Api, till: Caller) -> None:
    anna = await rich(api, "anna", 1000)
    async with sql.transaction():
        await cards.block(anna.member_id, NOW)
    told = await api.mutate("redeemPoints", {"points": 1000}, anna)
    assert told["__typename"] == "PointsRedeemed"


async def test_a_till_redeems_only_with_the_scope(api: Api, till: Caller, anna: int) -> None:
    other = await api.key(Scope.PURCHASES_WRITE)
    before = await dump()
    document = (
        "mutation ($input: RedeemPointsInput!) { redeemPoints(input: $input) { __typename } }"
    )
    given = {"input": {"idempotencyKey": "k", "points": 1000, **ANNA}}
    assert await api.codes(document, given, other) == ["FORBIDDEN"]
    assert await dump() == before


# ---------------------------------------------------------------- how many


async def test_points_go_in_steps(api: Api, till: Caller) -> None:
    anna = await rich(api, "anna", 5000)
    before = await dump()
    for points in (0, 1, 999, 1001, 1500, -1000, 2**31 - 1, -(2**31)):
        told = await api.mutate("redeemPoints", {"points": points}, anna)
        assert told == invalid(["input", "points"], str(points), "1000 or a multiple of it", STEP)
    assert await dump() == before


async def test_what_is_missing_is_told(api: Api, till: Caller) -> None:
    anna = await rich(api, "anna", 1800)
    before = await dump()
    assert await api.mutate("redeemPoints", {"points": 3000}, anna) == {
        "__typename": "InsufficientPoints",
        "code": "INSUFFICIENT_POINTS",
        "message": "1900 points are available, 3000 are needed: 1100 short.",
        "available": 1900,
        "required": 3000,
        "shortBy": 1100,
    }
    assert await dump() == before


async def test_pending_and_expired_points_buy_nothing(api: Api, till: Caller) -> None:
    anna = await api.member("anna")  # 100, until 2026-08-31
    await api.record(till, lines=[line(salesMinor=10_000)])  # 1,000, from 2026-03-07; 150 at once
    for at, available in (
        ("2026-03-04T17:00:00Z", 250),
        ("2026-03-07T04:59:59.999999Z", 250),
        (midnight("2026-03-07"), 1250),
        ("2026-08-31T03:59:59.999999Z", 1250),
        (midnight("2026-08-31"), 0),
    ):
        told = await api.mutate("redeemPoints", {"points": 2000}, anna, at=instant(at))
        assert (told["__typename"], told["available"]) == ("InsufficientPoints", available), at
    told = await api.mutate(
        "redeemPoints", {"points": 1000}, anna, at=instant("2026-08-31T03:59:59.999999Z")
    )
    assert told["pointsAvailableAfter"] == 250


async def test_what_expires_first_is_used_first_and_then_what_was_made_first(
    api: Api, till: Caller
) -> None:
    await example.play(api, till, until=instant("2017-01-08T00:00:00Z"))

    async def lots() -> list[tuple[str, int, int]]:
        rows = await sql.fetch(
            "SELECT rule, amount, remaining FROM lots WHERE reason <> 'cashback' ORDER BY sequence"
        )
        return [(row[0], row[1], row[2]) for row in rows]

    assert await lots() == [
        ("welcome", 100, 100),
        ("purchase", 280, 280),
        ("purchase", 699, 699),
        ("departments", 100, 100),
        ("purchase", 64, 64),
        ("weekly_visits", 50, 50),
        ("month_spend", 150, 150),
    ]
    wish = {"points": 1000, "member": {"externalId": "1"}}
    await api.mutate("redeemPoints", wish, till, at=instant(midnight("2017-01-09")))
    assert [left for _rule, _amount, left in await lots()] == [0, 0, 79, 100, 64, 50, 150]
    rows = await sql.fetch(
        "SELECT l.rule, p.amount, p.balance_after FROM postings p JOIN lots l ON l.id = p.lot_id"
        " WHERE p.reason = 'redemption' ORDER BY p.sequence"
    )
    assert [tuple(row) for row in rows] == [
        ("welcome", 100, 1343),
        ("purchase", 280, 1063),
        ("purchase", 620, 443),
    ]


# ---------------------------------------------------------------- at once


async def test_of_sixteen_at_once_as_many_succeed_as_the_balance_allows(
    api: Api, till: Caller
) -> None:
    anna = await rich(api, "anna", 5500)  # 5,600 in all
    answers = await asyncio.gather(
        *(
            api.mutate("redeemPoints", {"points": 1000, **ANNA}, till)
            if number % 2
            else api.mutate("redeemPoints", {"points": 1000}, anna)
            for number in range(16)
        )
    )
    made = [answer for answer in answers if answer["__typename"] == "PointsRedeemed"]
    refused = [answer for answer in answers if answer["__typename"] == "InsufficientPoints"]
    assert (len(made), len(refused)) == (5, 11)
    assert sorted(answer["pointsAvailableAfter"] for answer in made) == [
        600,
        1600,
        2600,
        3600,
        4600,
    ]
    assert {(answer["available"], answer["shortBy"]) for answer in refused} == {(600, 400)}
    assert len({answer["voucher"]["code"] for answer in made}) == 5
    points = await points_of(api, anna)
    assert (points["available"], points["lifetimeRedeemed"]) == (600, 5000)


async def test_purchases_and_redemptions_at_once_lose_nothing(api: Api, till: Caller) -> None:
    anna = await rich(api, "anna", 8000)
    answers = await asyncio.gather(
        *(
            api.record(till, lines=[line(salesMinor=100)])
            if number % 2
            else api.mutate("redeemPoints", {"points": 1000, **ANNA}, till)
            for number in range(16)
        )
    )
    assert all("code" not in answer for answer in answers)
    points = await points_of(api, anna)
    assert (points["available"], points["pending"], points["lifetimeRedeemed"]) == (100, 80, 8000)
