"""me: what a member's phone shows at any instant, to the point."""

import pytest

from server import clock
from server.clock import Instant
from tests.api import example
from tests.api.calling import (
    NOW,
    Api,
    Caller,
    changed,
    dump,
    enrolled,
    instant,
    line,
    midnight,
    usd,
)
from tests.api.example import LAST, played
from tests.api.home import home
from tests.api.story import JANUARY, STORY, cashback


async def test_the_home_screen_at_every_turn_of_the_story(api: Api, till: Caller) -> None:
    before = Instant(0)
    caller: Caller | None = None
    for moment, expected in STORY:
        at = instant(moment)
        await example.play(api, till, after=before, until=at)
        if caller is None:
            caller = await played(api, till, until=Instant(-1))
        stored = await dump()
        shown = await home(api, caller, at)
        card = shown.pop("card")
        assert card["status"] == "ACTIVE"
        assert shown == expected, moment
        assert await dump() == stored, "a reader has written"
        before = at


async def test_points_become_available_and_expire_at_local_midnight(api: Api, till: Caller) -> None:
    household = await played(api, till, until=instant("2017-01-08T12:00:00Z"))
    query = "{ me { points { available pending lifetimeExpired nextExpiry { points } } } }"
    for moment, available, pending, expired, following in (
        (midnight("2017-01-10"), 1443, 0, 0, 380),
        (midnight("2017-07-01"), 1063, 0, 380, 799),
        (midnight("2017-07-03"), 264, 0, 1179, 264),
        (midnight("2017-07-06"), 0, 0, 1443, None),
    ):
        after = (await home(api, household, instant(moment), query))["points"]
        assert after == {
            "available": available,
            "pending": pending,
            "lifetimeExpired": expired,
            "nextExpiry": None if following is None else {"points": following},
        }
        before = (await home(api, household, Instant(instant(moment) - 1), query))["points"]
        assert before["available"] != available


async def test_what_expires_within_some_days_is_to_the_instant(api: Api, till: Caller) -> None:
    household = await played(api, till, until=instant("2017-01-08T12:00:00Z"))
    all_of_it = JANUARY["points"]["expiring"]
    for at, days, count in (
        ("2017-01-08T12:00:00Z", 1, 0),
        ("2017-01-08T12:00:00Z", 173, 0),
        ("2017-01-08T12:00:00Z", 174, 1),
        ("2017-01-08T12:00:00Z", 176, 2),
        ("2017-01-08T12:00:00Z", 178, 2),
        ("2017-01-08T12:00:00Z", 179, 3),
        ("2017-01-08T12:00:00Z", 36500, 3),
        ("2017-06-24T04:00:00Z", 7, 1),
        ("2017-06-24T03:59:59.999999Z", 7, 0),
    ):
        shown = await home(
            api,
            household,
            instant(at),
            f"{{ me {{ points {{ expiring(withinDays: {days}) {{ points expiresAt }} }} }} }}",
        )
        assert shown["points"]["expiring"] == all_of_it[:count], (at, days)


@pytest.mark.parametrize("days", [0, -1, 36501, 2**31 - 1])
async def test_days_that_cannot_be_looked_ahead(api: Api, days: int) -> None:
    anna = await api.member("anna")
    query = f"{{ me {{ points {{ expiring(withinDays: {days}) {{ points }} }} }} }}"
    assert await api.codes(query, caller=anna) == ["INVALID_INPUT"]


# ---------------------------------------------------------------- at other instants


async def test_the_balance_at_any_instant(api: Api, household: Caller) -> None:
    for moment, available, pending in (
        ("0001-01-01T00:00:00Z", 0, 0),
        ("2017-01-03T02:29:59.999999Z", 0, 0),
        ("2017-01-03T02:30:00Z", 100, 280),
        ("2017-01-08T12:00:00Z", 1379, 64),
        ("2017-01-09T04:59:59.999999Z", 1379, 64),
        (midnight("2017-01-09"), 379, 64),
        ("2017-03-12T12:00:00Z", 593, 14000),
        (midnight("2017-06-12"), 593, 0),
        ("2017-09-06T03:59:59.999999Z", 593, 199),
        (midnight("2017-09-06"), 0, 199),
        ("2018-01-01T04:59:59.999999Z", 199, 225),
        (midnight("2018-01-02"), 424, 0),
        ("2018-03-04T04:59:59.999999Z", 424, 0),
        (midnight("2018-03-04"), 225, 0),
        (midnight("2018-06-28"), 0, 0),
        ("9999-12-31T23:59:59Z", 0, 0),
    ):
        data = await api.data(
            "query ($at: DateTime!) { me { points { balanceAt(at: $at) { available pending } } } }",
            {"at": moment},
            household,
            at=LAST,
        )
        assert data["me"]["points"]["balanceAt"] == {"available": available, "pending": pending}, (
            moment
        )


async def test_point_balances_of_many(api: Api, till: Caller, household: Caller) -> None:
    await enrolled("anna", at=LAST)
    document = (
        "query ($ids: [String!]!) { pointBalances(externalIds: $ids)"
        " { externalId available pending } }"
    )
    ids = ["anna", "nobody", "1", "a\x00b", ""]
    data = await api.data(document, {"ids": ids}, till, at=LAST)
    assert data["pointBalances"] == [
        {"externalId": "anna", "available": 100, "pending": 0},
        {"externalId": "1", "available": 199, "pending": 225},
    ]
    assert (await api.data(document, {"ids": []}, till))["pointBalances"] == []
    assert await api.codes(document, {"ids": ["x"] * 501}, till) == ["INVALID_INPUT"]


async def test_a_new_member_has_a_complete_home_screen(api: Api) -> None:
    anna = await api.member()
    shown = await home(api, anna, NOW)
    assert shown["points"]["available"] == 100
    assert shown["tier"]["since"] == clock.datetime_of(NOW).isoformat().replace("+00:00", "Z")
    assert shown["cashback"] == cashback("0.00", "0.00", "0.00", "0.00", "0.00")
    assert [challenge["progress"] for challenge in shown["challenges"]] == [0, 0, 0]
    assert [each["kind"] for each in shown["activity"]["nodes"]] == ["WELCOME"]


async def test_a_member_of_gold_has_no_next_tier(api: Api, till: Caller) -> None:
    anna = await api.member("anna")
    await api.record(till, lines=[line(salesMinor=400_000)])
    shown = await home(api, anna, NOW)
    assert shown["tier"] == {
        "name": "Gold",
        "rank": 3,
        "multiplierPercent": 150,
        "since": "2026-03-04T17:00:00Z",
        "changes": 1,
        "qualifyingSpend": usd("4000.00"),
        "next": None,
    }


async def test_reading_changes_nothing(api: Api, household: Caller) -> None:
    before = await dump()
    await home(api, household, LAST)
    await home(api, household, instant("2019-06-01T00:00:00Z"))
    assert changed(before, await dump()) == set()
