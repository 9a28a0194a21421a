"""The worked example's story: what the home screen shows at each of its turns."""

from tests.api.calling import Json, midnight, usd


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
JANUARY: Json = {
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
MARCH: Json = {
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
SEPTEMBER: Json = {
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
DECEMBER: Json = {
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
A_YEAR_LATER: Json = {
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
