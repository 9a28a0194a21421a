"""me: what a member's phone shows at any instant, to the point, and what it costs to show it."""

from itertools import pairwise
from typing import Any

import pytest

from server import clock
from server.clock import Instant
from server.examples import HOME_SCREEN
from server.principal import StaffRole
from server.storage import sql
from tests.api import example
from tests.api.calling import (
    DAY,
    NOW,
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

HOME = """
query HomeScreen {
  me {
    externalId
    points {
      available pending lifetimeEarned lifetimeRedeemed lifetimeExpired
      nextExpiry { points expiresAt }
      expiring(withinDays: 365) { points expiresAt }
    }
    tier {
      name rank multiplierPercent since changes
      qualifyingSpend { amount currencyCode }
      next {
        name progressPercent
        minSpend { amount currencyCode } amountMissing { amount currencyCode }
      }
    }
    eligibleSpend { amount currencyCode }
    cashback {
      available { amount } pending { amount } lifetimeAccrued { amount }
      lifetimeCapped { amount } monthAccrued { amount } monthCap { amount }
    }
    challenges {
      key title metric period progress target progressPercent rewardPoints
      periodStart periodEnd completedAt completions
      streak { current target rewardPoints completions }
    }
    card { status maskedNumber }
    vouchersIssued
    activity(first: 3) { nodes { kind title points balanceAfter occurredAt } }
  }
}
"""


def expiring(points: int, day: str) -> Json:
    return {"points": points, "expiresAt": midnight(day)}


def tier(
    name: str,
    rank: int,
    multiplier: int,
    *,
    since: str,
    spend: str,
    then: tuple[str, str, str, int],
    changes: int,
) -> Json:
    following, minimum, missing, percent = then
    return {
        "name": name,
        "rank": rank,
        "multiplierPercent": multiplier,
        "since": since,
        "changes": changes,
        "qualifyingSpend": usd(spend),
        "next": {
            "name": following,
            "progressPercent": percent,
            "minSpend": usd(minimum),
            "amountMissing": usd(missing),
        },
    }


def cashback(
    available: str, pending: str, accrued: str, capped: str, month: str
) -> dict[str, dict[str, str]]:
    amounts = {
        "available": available,
        "pending": pending,
        "lifetimeAccrued": accrued,
        "lifetimeCapped": capped,
        "monthAccrued": month,
        "monthCap": "5.00",
    }
    return {name: {"amount": amount} for name, amount in amounts.items()}


Counted = tuple[int, int, str | None, int]
"""Progress, its percentage, when it was completed in this period, and how often at all."""


def challenges(
    weekly: Counted,
    departments: Counted,
    spend: Counted,
    *,
    week: tuple[str, str],
    month: tuple[str, str],
    streak: int,
) -> list[Json]:
    rules: list[tuple[str, str, str, str, int, int, Counted]] = [
        (
            "weekly_visits",
            "Shop on several days of a week",
            "VISIT_DAYS",
            "CALENDAR_WEEK",
            3,
            50,
            weekly,
        ),
        (
            "departments",
            "Shop in several departments in a month",
            "DISTINCT_DEPARTMENTS",
            "CALENDAR_MONTH",
            5,
            100,
            departments,
        ),
        (
            "month_spend",
            "Reach a monthly spend",
            "SPEND_MINOR",
            "CALENDAR_MONTH",
            10000,
            150,
            spend,
        ),
    ]
    return [
        {
            "key": key,
            "title": title,
            "metric": metric,
            "period": period,
            "progress": progress,
            "target": target,
            "progressPercent": percent,
            "rewardPoints": reward,
            "periodStart": midnight((week if period == "CALENDAR_WEEK" else month)[0]),
            "periodEnd": midnight((week if period == "CALENDAR_WEEK" else month)[1]),
            "completedAt": completed,
            "completions": completions,
            "streak": {"current": streak, "target": 4, "rewardPoints": 200, "completions": 0}
            if key == "weekly_visits"
            else None,
        }
        for key, title, metric, period, target, reward, (
            progress,
            percent,
            completed,
            completions,
        ) in rules
    ]


def activity(*lines: tuple[str, str, int, int, str]) -> Json:
    names = ("kind", "title", "points", "balanceAfter", "occurredAt")
    return {"nodes": [dict(zip(names, each, strict=True)) for each in lines]}


# The member's phone in January, before the first redemption.
JANUARY = {
    "externalId": "1",
    "points": {
        "available": 1379,
        "pending": 64,
        "lifetimeEarned": 1443,
        "lifetimeRedeemed": 0,
        "lifetimeExpired": 0,
        "nextExpiry": expiring(380, "2017-07-01"),
        "expiring": [
            expiring(380, "2017-07-01"),
            expiring(799, "2017-07-03"),
            expiring(264, "2017-07-06"),
        ],
    },
    "tier": tier(
        "Bronze",
        1,
        100,
        since="2017-01-03T02:30:00Z",
        spend="100.00",
        then=("Silver", "1500.00", "1400.00", 6),
        changes=0,
    ),
    "eligibleSpend": usd("100.00"),
    "cashback": cashback("0.00", "1.09", "1.09", "0.00", "1.09"),
    "challenges": challenges(
        (3, 100, "2017-01-07T18:00:00Z", 1),
        (5, 100, "2017-01-04T15:00:00Z", 1),
        (10000, 100, "2017-01-07T18:00:00Z", 1),
        week=("2017-01-02", "2017-01-09"),
        month=("2017-01-01", "2017-02-01"),
        streak=1,
    ),
    "vouchersIssued": 0,
    "activity": activity(
        (
            "CHALLENGE",
            "Challenge completed: Reach a monthly spend",
            150,
            1443,
            "2017-01-07T18:00:00Z",
        ),
        (
            "CHALLENGE",
            "Challenge completed: Shop on several days of a week",
            50,
            1293,
            "2017-01-07T18:00:00Z",
        ),
        ("PURCHASE", "Points for a purchase", 64, 1243, "2017-01-07T18:00:00Z"),
    ),
}

# In March, on the Sunday on which summer time begins: 14,000 points are pending.
MARCH = {
    "externalId": "1",
    "points": {
        "available": 593,
        "pending": 14000,
        "lifetimeEarned": 15593,
        "lifetimeRedeemed": 1000,
        "lifetimeExpired": 0,
        "nextExpiry": expiring(179, "2017-07-03"),
        "expiring": [
            expiring(179, "2017-07-03"),
            expiring(264, "2017-07-06"),
            expiring(14150, "2017-09-06"),
        ],
    },
    "tier": tier(
        "Silver",
        2,
        125,
        since="2017-03-10T17:00:00Z",
        spend="1500.00",
        then=("Gold", "4000.00", "2500.00", 37),
        changes=1,
    ),
    "eligibleSpend": usd("1500.00"),
    "cashback": cashback("1.09", "5.00", "6.09", "23.00", "5.00"),
    "challenges": challenges(
        (1, 33, None, 1),
        (1, 20, None, 1),
        (140000, 100, "2017-03-10T17:00:00Z", 2),
        week=("2017-03-06", "2017-03-13"),
        month=("2017-03-01", "2017-04-01"),
        streak=0,
    ),
    "vouchersIssued": 1,
    "activity": activity(
        (
            "CHALLENGE",
            "Challenge completed: Reach a monthly spend",
            150,
            14593,
            "2017-03-10T17:00:00Z",
        ),
        ("PURCHASE", "Points for a purchase", 14000, 14443, "2017-03-10T17:00:00Z"),
        ("REDEMPTION", "Redeemed for a voucher", -1000, 443, midnight("2017-01-09")),
    ),
}

# In September, the morning after the points of March have expired; nothing has been booked.
SEPTEMBER = {
    "externalId": "1",
    "points": {
        "available": 0,
        "pending": 199,
        "lifetimeEarned": 15792,
        "lifetimeRedeemed": 15000,
        "lifetimeExpired": 593,
        "nextExpiry": expiring(199, "2018-03-04"),
        "expiring": [expiring(199, "2018-03-04")],
    },
    "tier": tier(
        "Silver",
        2,
        125,
        since="2017-03-10T17:00:00Z",
        spend="1513.33",
        then=("Gold", "4000.00", "2486.67", 37),
        changes=1,
    ),
    "eligibleSpend": usd("1513.33"),
    "cashback": cashback("6.09", "0.06", "6.15", "23.00", "0.06"),
    "challenges": challenges(
        (1, 33, None, 1),
        (2, 40, None, 1),
        (1333, 13, None, 2),
        week=("2017-09-04", "2017-09-11"),
        month=("2017-09-01", "2017-10-01"),
        streak=0,
    ),
    "vouchersIssued": 15,
    "activity": activity(
        ("EXPIRY", "Expired", -593, 199, midnight("2017-09-06")),
        ("PURCHASE", "Points for a purchase", 74, 792, "2017-09-05T16:00:00Z"),
        ("PURCHASE", "Points for a purchase", 125, 718, "2017-09-05T16:00:00Z"),
    ),
}

# The last instant of the year, as the worked example ends.
DECEMBER = {
    "externalId": "1",
    "points": {
        "available": 199,
        "pending": 225,
        "lifetimeEarned": 16017,
        "lifetimeRedeemed": 15000,
        "lifetimeExpired": 593,
        "nextExpiry": expiring(199, "2018-03-04"),
        "expiring": [expiring(199, "2018-03-04"), expiring(225, "2018-06-28")],
    },
    "tier": tier(
        "Silver",
        2,
        125,
        since="2017-03-10T17:00:00Z",
        spend="1523.33",
        then=("Gold", "4000.00", "2476.67", 38),
        changes=1,
    ),
    "eligibleSpend": usd("1523.33"),
    "cashback": cashback("6.15", "0.20", "6.35", "23.00", "0.20"),
    "challenges": challenges(
        (1, 33, None, 1),
        (1, 20, None, 1),
        (1000, 10, None, 2),
        week=("2017-12-25", "2018-01-01"),
        month=("2017-12-01", "2018-01-01"),
        streak=0,
    ),
    "vouchersIssued": 15,
    "activity": activity(
        ("PURCHASE", "Points for a purchase", 225, 424, "2017-12-30T20:00:00Z"),
        ("EXPIRY", "Expired", -593, 199, midnight("2017-09-06")),
        ("PURCHASE", "Points for a purchase", 74, 792, "2017-09-05T16:00:00Z"),
    ),
}

# A year later, everything has expired and the spend of 2017 has left the window, but for December.
A_YEAR_LATER = {
    "externalId": "1",
    "points": {
        "available": 0,
        "pending": 0,
        "lifetimeEarned": 16017,
        "lifetimeRedeemed": 15000,
        "lifetimeExpired": 1017,
        "nextExpiry": None,
        "expiring": [],
    },
    "tier": tier(
        "Bronze",
        1,
        100,
        since=midnight("2018-01-02"),  # when the 23.55 of the first day leave the window
        spend="10.00",
        then=("Silver", "1500.00", "1490.00", 0),
        changes=2,
    ),
    "eligibleSpend": usd("1523.33"),
    "cashback": cashback("6.35", "0.00", "6.35", "23.00", "0.00"),
    "challenges": challenges(
        (0, 0, None, 1),
        (0, 0, None, 1),
        (0, 0, None, 2),
        week=("2018-12-24", "2018-12-31"),
        month=("2018-12-01", "2019-01-01"),
        streak=0,
    ),
    "vouchersIssued": 15,
    "activity": activity(
        ("EXPIRY", "Expired", -225, 0, midnight("2018-06-28")),
        ("EXPIRY", "Expired", -199, 225, midnight("2018-03-04")),
        ("PURCHASE", "Points for a purchase", 225, 424, "2017-12-30T20:00:00Z"),
    ),
}

STORY = [
    ("2017-01-08T12:00:00Z", JANUARY),
    ("2017-03-12T12:00:00Z", MARCH),
    ("2017-09-06T12:00:00Z", SEPTEMBER),
    ("2018-01-01T04:59:59.999999Z", DECEMBER),
    ("2018-12-29T12:00:00Z", A_YEAR_LATER),
]
LAST = instant("2018-01-01T04:59:59.999999Z")


@pytest.fixture
async def household(api: Api, till: Caller) -> Caller:
    """The household of the worked example at the end of its year, signed in."""
    return await played(api, till)


async def played(api: Api, till: Caller, *, until: Instant = LAST) -> Caller:
    await example.play(api, till, until=until)
    (row,) = await sql.fetch("SELECT id FROM members WHERE external_id = '1'")
    return await api.signed_in(row[0])


async def home(api: Api, caller: Caller, at: Instant, document: str = HOME) -> Json:
    data = await api.data(document, caller=caller, at=at)
    me: Json = data["me"]
    return me


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
    all_of_it = JANUARY["points"]["expiring"]  # type: ignore[index] # a dict in a dict
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


# ---------------------------------------------------------------- the statement

PAGE = """
query ($first: Int!, $after: String) {
  me {
    activity(first: $first, after: $after) {
      edges { cursor node { kind title points balanceAfter occurredAt } }
      nodes { kind title points balanceAfter occurredAt }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""


async def statement(api: Api, caller: Caller, at: Instant, *, first: int) -> list[Json]:
    """All pages of the statement: its edges, the newest first."""
    edges: list[Json] = []
    after = None
    while True:
        data = await api.data(PAGE, {"first": first, "after": after}, caller, at=at)
        page = data["me"]["activity"]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["startCursor"] == (cursors[0] if cursors else None)
        assert page["pageInfo"]["endCursor"] == (cursors[-1] if cursors else None)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        edges += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges
        assert len(page["edges"]) == first
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("moment", ["2017-09-06T12:00:00Z", "2018-12-29T12:00:00Z"])
async def test_the_pages_of_the_statement_are_the_whole(
    api: Api, till: Caller, moment: str
) -> None:
    at = instant(moment)
    household = await played(api, till, until=at)
    whole = await statement(api, household, at, first=100)
    for first in (1, 7, len(whole) - 1, len(whole), len(whole) + 1):
        assert await statement(api, household, at, first=first) == whole
    assert len({edge["cursor"] for edge in whole}) == len(whole)
    lines = [edge["node"] for edge in whole]
    for newer, older in pairwise(lines):
        assert newer["balanceAfter"] == older["balanceAfter"] + newer["points"]
    assert lines[-1]["balanceAfter"] == lines[-1]["points"] == 100
    points = (await home(api, household, at))["points"]
    assert lines[0]["balanceAfter"] == points["available"] + points["pending"]
    assert sum(line["points"] for line in lines if line["points"] > 0) == points["lifetimeEarned"]


async def test_the_statement_tells_the_whole_story(api: Api, household: Caller) -> None:
    lines = [edge["node"] for edge in await statement(api, household, LAST, first=100)]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "CHALLENGE": 4,
        "EXPIRY": 1,
        "PURCHASE": 7,
        "REDEMPTION": 15,
        "WELCOME": 1,
    }
    assert lines[-1] == {
        "kind": "WELCOME",
        "title": "Welcome points",
        "points": 100,
        "balanceAfter": 100,
        "occurredAt": "2017-01-03T02:30:00Z",
    }
    assert sum(line["points"] for line in lines if line["kind"] == "REDEMPTION") == -15000


async def test_a_line_stays_when_what_has_expired_is_booked(api: Api, till: Caller) -> None:
    at = instant("2017-09-06T12:00:00Z")
    household = await played(api, till, until=at)
    seen = await statement(api, household, at, first=100)
    assert [edge["node"]["kind"] for edge in seen[:2]] == ["EXPIRY", "PURCHASE"]
    (row,) = await sql.fetch("SELECT COUNT(*) FROM postings WHERE reason = 'expiry'")
    assert row[0] == 0
    await example.play(api, till, after=at)  # the purchase of December books them
    (row,) = await sql.fetch("SELECT COUNT(*) FROM postings WHERE reason = 'expiry'")
    assert row[0] == 2
    later = await statement(api, household, LAST, first=100)
    assert later[-len(seen) :] == seen


async def test_the_pages_of_the_vouchers_are_the_whole(api: Api, household: Caller) -> None:
    document = """
        query ($first: Int!, $after: String) {
          me {
            vouchers(first: $first, after: $after) {
              nodes { id code issuedAt }
              pageInfo { hasNextPage endCursor }
            }
          }
        }
    """

    async def codes(first: int) -> list[Json]:
        found, after, more = [], None, True
        while more:
            data = await api.data(document, {"first": first, "after": after}, household)
            page = data["me"]["vouchers"]
            found += page["nodes"]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        return found

    whole = await codes(100)
    assert len(whole) == 15
    assert [voucher["issuedAt"] for voucher in whole] == [
        midnight(monday) for monday in example.MONDAYS[::-1]
    ]
    for first in (1, 4, 15):
        assert await codes(first) == whole


@pytest.mark.parametrize("list_of", ["activity", "vouchers"])
async def test_pages_that_cannot_be_given(api: Api, household: Caller, list_of: str) -> None:
    other = "vouchers" if list_of == "activity" else "activity"
    data = await api.data(
        f"{{ me {{ {other}(first: 1) {{ pageInfo {{ endCursor }} }} }} }}", caller=household
    )
    foreign = data["me"][other]["pageInfo"]["endCursor"]
    document = (
        "query ($first: Int!, $after: String) { me { "
        f"{list_of}(first: $first, after: $after) {{ nodes {{ __typename }} }} }} }}"
    )
    for first, after in (
        (0, None),
        (-1, None),
        (101, None),
        (2**31 - 1, None),
        (1, ""),
        (1, "x"),
        (1, "YWZ0ZXI6"),  # after:
        (1, "YWZ0ZXI6eA=="),  # after:x
        (1, "YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),  # after:999999999999999999999999
        (1, "YWZ0ZXI6LTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),  # after:-99999999999999999999999
        (1, "\x00"),
        (1, "é"),
    ):
        codes = await api.codes(document, {"first": first, "after": after}, household)
        assert codes == ["INVALID_INPUT"], (first, after)
    # A cursor of another list leads somewhere or nowhere, but not to an error of ours.
    codes = await api.codes(document, {"first": 1, "after": foreign}, household)
    assert codes in ([], ["INVALID_INPUT"])


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


# ---------------------------------------------------------------- what it costs


async def counted(api: Api, document: str, caller: Caller, at: Instant, **variables: Any) -> int:
    """How many statements the operation takes, once what stays in memory is there."""
    await api.data(document, variables, caller, at=at)
    with sql.counted_statements() as statements:
        await api.data(document, variables, caller, at=at)
    return len(statements)


@pytest.mark.parametrize("document", [HOME_SCREEN, HOME], ids=["example", "everything"])
async def test_the_home_screen_takes_few_statements(
    api: Api, household: Caller, document: str
) -> None:
    with sql.counted_statements() as statements:
        await api.data(document, caller=household, at=LAST)
        statements.clear()
        await api.data(document, caller=household, at=LAST)
    assert len(statements) <= (8 if document == HOME_SCREEN else 10), "\n".join(statements)


LIST = """
query {
  members(first: 100) {
    nodes {
      id externalId name
      card { number }
      points { available pending nextExpiry { points } expiring(withinDays: 90) { points } }
      tier { name next { name amountMissing { amount } } }
      eligibleSpend { amount }
      cashback { available { amount } lifetimeCapped { amount } monthAccrued { amount } }
      challenges { key progress streak { current } }
      vouchersIssued
    }
  }
}
"""


async def test_a_list_of_members_takes_as_many_statements_as_one_of_few(
    api: Api, till: Caller
) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    counts = []
    for size in (3, 27):
        purchases = [
            purchase_input(member={"externalId": f"m{size}-{number}"}, enrolIfUnknown=True)
            for number in range(size)
        ]
        await api.mutate("recordPurchases", {"purchases": purchases}, till)
        counts.append(await counted(api, LIST, manager, NOW))
    data = await api.data(LIST, caller=manager, at=NOW)
    assert len(data["members"]["nodes"]) == 30
    assert counts[0] == counts[1]


async def test_a_list_of_members_whose_tiers_have_fallen_takes_as_many_too(
    api: Api, till: Caller
) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    later = Instant(NOW + 400 * DAY)
    counts = []
    for size in (3, 27):
        purchases = [
            purchase_input(
                member={"externalId": f"m{size}-{number}"},
                enrolIfUnknown=True,
                lines=[line(salesMinor=200_000)],
            )
            for number in range(size)
        ]
        await api.mutate("recordPurchases", {"purchases": purchases}, till)
        counts.append(await counted(api, LIST, manager, later))
    data = await api.data(LIST, caller=manager, at=later)
    assert {member["tier"]["name"] for member in data["members"]["nodes"]} == {"Bronze"}
    assert counts[0] == counts[1]


async def test_recording_many_purchases_takes_as_many_statements_as_recording_one(
    api: Api, till: Caller
) -> None:
    counts = []
    for turn, size in enumerate((1, 1, 50)):
        for known in (False, True):
            purchases = [
                purchase_input(member={"externalId": f"m{turn}-{number}"}, enrolIfUnknown=not known)
                for number in range(size)
            ]
            with sql.counted_statements() as statements:
                told = await api.mutate("recordPurchases", {"purchases": purchases}, till)
            assert {one["__typename"] for one in told["answers"]} == {"RecordedPurchase"}
            counts.append(len(statements))
    assert counts[2:4] == counts[4:6]


async def test_a_purchase_costs_the_same_after_a_long_history(api: Api, till: Caller) -> None:
    household = await played(api, till)
    purchase = {"member": {"id": household.id}, "occurredAt": "2018-01-01T04:00:00Z"}
    counts = []
    for _ in range(2):
        with sql.counted_statements() as statements:
            await api.record(till, at=LAST, **purchase)
        counts.append(len(statements))
    await enrolled("new", at=LAST)
    with sql.counted_statements() as statements:
        await api.record(
            till, at=LAST, member={"externalId": "new"}, occurredAt="2018-01-01T04:59:59Z"
        )
    assert max(counts) - len(statements) <= 3


async def test_reading_changes_nothing(api: Api, household: Caller) -> None:
    before = await dump()
    await home(api, household, LAST)
    await home(api, household, instant("2019-06-01T00:00:00Z"))
    assert changed(before, await dump()) == set()
