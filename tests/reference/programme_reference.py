"""Section 8 as a slow, plain simulation, and the outputs of sections 10 and 11."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.basket_amounts import Amounts, Basket, Programme, amounts_of
from tests.reference.member_reference import Member, month_of

Row = dict[str, Any]

MONTHLY_SUMS = (
    "points_earned",
    "points_redeemed",
    "points_expired",
    "vouchers_issued",
    "cashback_accrued_minor",
    "cashback_capped_minor",
)


@dataclass(frozen=True)
class Outcome:
    """What a replay ends with; `offers` is empty unless the offers' tables were given."""

    members: list[Row]
    months: list[Row]
    retention: list[Row]
    offers: list[Row]


@dataclass(frozen=True)
class Snapshot:
    """A member at the last instant of a month (or of the replay, if that is earlier)."""

    points_outstanding: int
    cashback_outstanding: int
    tier: str


def play(
    programme: Programme,
    baskets: Iterable[Basket],
    *,
    offers_tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> Outcome:
    """Plays the baskets through the programme and returns every number it asks for.

    Any order of the baskets will do: they are sorted by (timestamp, basket id as a number).
    Baskets with a local date after `last_local_date` are not played, and neither are those before
    `first_local_date`; they enrol nobody.

    `offers_tables` maps `campaigns`, `coupons` and `coupon_redemptions` to rows with the columns
    of the sample data's tables of those names.
    """
    first = date.fromisoformat(str(programme["programme"]["first_local_date"]))
    last = date.fromisoformat(str(programme["programme"]["last_local_date"]))
    zone = ZoneInfo(programme["programme"]["timezone"])

    visits: dict[str, list[tuple[datetime, int, date, Amounts]]] = {}
    for basket in baskets:
        instant = datetime.fromisoformat(basket["timestamp"])
        day = instant.astimezone(zone).date()
        if first <= day <= last:
            visits.setdefault(basket["household_id"], []).append(
                (instant, int(basket["basket_id"]), day, amounts_of(programme, basket))
            )

    members: list[Member] = []
    snapshots: dict[str, dict[str, Snapshot]] = {}
    for household_id in sorted(visits, key=lambda text: (len(text), text)):
        in_order = sorted(visits[household_id], key=lambda visit: visit[:2])
        member, of_month = live(
            programme, household_id, [(day, amounts) for _, _, day, amounts in in_order], last
        )
        members.append(member)
        snapshots[household_id] = of_month

    months = sorted({month for member in members for month in months_with_baskets(member)})
    return Outcome(
        members=[member_row(member) for member in members],
        months=[month_row(programme, month, members, snapshots) for month in months],
        retention=retention_rows(months, members),
        offers=[] if offers_tables is None else offer_rows(programme, offers_tables),
    )


def live(
    programme: Programme, household_id: str, visits: list[tuple[date, Amounts]], last: date
) -> tuple[Member, dict[str, Snapshot]]:
    """One member day by day from enrolment to the last date: each day's start, then its baskets.

    Only the local date of an instant matters: a day starts with the first instant of its date,
    whatever that is called on the clock, so no basket of a date can come before its start.
    """
    enrolled_on = visits[0][0]
    member = Member(programme, household_id, enrolled_on)
    snapshots: dict[str, Snapshot] = {}
    waiting = list(reversed(visits))
    for offset in range((last - enrolled_on).days + 1):
        today = enrolled_on + timedelta(days=offset)
        if today > enrolled_on:
            member.start_of_day(today)
        while waiting and waiting[-1][0] == today:
            member.basket(*waiting.pop())
        if today == last or (today + timedelta(days=1)).day == 1:
            snapshots[month_of(today)] = Snapshot(
                points_outstanding=member.points_available + member.points_pending,
                cashback_outstanding=member.available_cashback + member.cashback_pending,
                tier=member.level["name"],
            )
    assert not waiting, "local dates run backwards"
    return member, snapshots


def months_with_baskets(member: Member) -> set[str]:
    """The calendar months in which a member has at least one basket."""
    return {month for month, sums in member.by_month.items() if sums["baskets"] > 0}


def member_row(member: Member) -> Row:
    """A member's line of section 11."""
    totals = member.totals
    row = {
        "household_id": member.household_id,
        "points_earned": totals["points_earned"],
        "points_redeemed": totals["points_redeemed"],
        "points_expired": totals["points_expired"],
        "points_available": member.points_available,
        "points_pending": member.points_pending,
        "vouchers_issued": totals["vouchers_issued"],
        "cashback_earned_minor": totals["cashback_accrued_minor"],
        "cashback_available_minor": member.available_cashback,
        "cashback_pending_minor": member.cashback_pending,
        "cashback_capped_minor": totals["cashback_capped_minor"],
        "eligible_spend_minor": totals["eligible_minor"],
        "tier": member.level["name"],
        "tier_changes": totals["tier_changes"],
        "weekly_visits_completed": totals["weekly_visits_completed"],
        "streaks_completed": totals["streaks_completed"],
        "departments_completed": totals["departments_completed"],
        "month_spend_completed": totals["month_spend_completed"],
    }
    assert row["points_earned"] == (
        row["points_redeemed"]
        + row["points_expired"]
        + row["points_available"]
        + row["points_pending"]
    )
    return row


def rate(dividend: int, divisor: int) -> float:
    """The exact quotient, 0 if the divisor is 0, rounded to nine decimals only to be shown."""
    return float(round(Fraction(dividend, divisor), 9)) if divisor else 0.0


def month_row(
    programme: Programme,
    month: str,
    members: list[Member],
    snapshots: dict[str, dict[str, Snapshot]],
) -> Row:
    """A month's line of section 10."""
    of_month: Counter[str] = Counter()
    to_date: Counter[str] = Counter()
    active = repeat = 0
    for member in members:
        for of, sums in member.by_month.items():
            if of == month:
                of_month.update(sums)
                active += sums["baskets"] >= 1
                repeat += sums["baskets"] >= 2
            if of <= month:
                to_date.update(sums)
    states = [snaps[month] for snaps in snapshots.values() if month in snaps]
    points_outstanding = sum(state.points_outstanding for state in states)
    cashback_outstanding = sum(state.cashback_outstanding for state in states)
    worth = programme["liability"]["point_value_minor_per_1000"]
    row: Row = {
        "month": month,
        "new_members": sum(month_of(member.enrolled_on) == month for member in members),
        "active_members": active,
        "repeat_members": repeat,
        "baskets": of_month["baskets"],
        "net_minor": of_month["net_minor"],
        "eligible_minor": of_month["eligible_minor"],
        "repeat_purchase_rate": rate(repeat, active),
        "purchase_frequency": rate(of_month["baskets"], active),
        "average_basket_minor": rate(of_month["net_minor"], of_month["baskets"]),
    }
    row |= {name: of_month[name] for name in MONTHLY_SUMS}
    row |= {
        "points_outstanding": points_outstanding,
        "cashback_outstanding_minor": cashback_outstanding,
        "liability_minor": points_outstanding * worth // 1000 + cashback_outstanding,
        "redemption_rate": rate(to_date["points_redeemed"], to_date["points_earned"]),
        "breakage_rate": rate(to_date["points_expired"], to_date["points_earned"]),
    }
    for level in programme["tiers"]["levels"]:
        name = level["name"]
        row[f"members_{name.lower()}"] = sum(state.tier == name for state in states)
    return row


def retention_rows(months: list[str], members: list[Member]) -> list[Row]:
    """For each month of enrolment, a line for it and each later month that has a basket."""
    rows: list[Row] = []
    for cohort in months:
        enrolled = [member for member in members if month_of(member.enrolled_on) == cohort]
        for month in months:
            if enrolled and month >= cohort:
                active = sum(month in months_with_baskets(member) for member in enrolled)
                rows.append(
                    {
                        "cohort": cohort,
                        "month": month,
                        "cohort_size": len(enrolled),
                        "active_members": active,
                        "retention": rate(active, len(enrolled)),
                    }
                )
    return rows


def offer_rows(
    programme: Programme, tables: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[Row]:
    """Section 10's line of each offer: redemptions by its segment, of its coupons, in its time."""
    campaigns = list(tables["campaigns"])
    coupons = list(tables["coupons"])
    redemptions = sorted(tables["coupon_redemptions"], key=lambda r: str(r["redemption_date"])[:10])
    rows: list[Row] = []
    for offer in programme["offers"]:
        campaign = int(offer["campaign_id"])
        segment = {int(r["household_id"]) for r in campaigns if int(r["campaign_id"]) == campaign}
        of_offer = {int(r["coupon_upc"]) for r in coupons if int(r["campaign_id"]) == campaign}
        candidates = [
            (int(r["household_id"]), int(r["coupon_upc"]), str(r["redemption_date"])[:10])
            for r in redemptions
            if int(r["campaign_id"]) == campaign
            and int(r["household_id"]) in segment
            and int(r["coupon_upc"]) in of_offer
            and offer["valid_from"] <= str(r["redemption_date"])[:10] <= offer["valid_to"]
        ]
        redeemed = within_limits(offer, candidates)
        redeeming = {household for household, _, _ in redeemed}
        rows.append(
            {
                "offer_id": offer["id"],
                "targeted_members": len(segment),
                "redemptions": len(redeemed),
                "redeeming_members": len(redeeming),
                "coupons_redeemed": len({coupon for _, coupon, _ in redeemed}),
                "conversion_rate": rate(len(redeeming), len(segment)),
            }
        )
    return rows


def within_limits(
    offer: Programme, candidates: list[tuple[int, int, str]]
) -> list[tuple[int, int, str]]:
    """Of (household, coupon, date) by date, those that count: of a household a coupon so often on
    a day."""
    of_day = int(offer["max_redemptions_per_coupon_member_day"])
    counted: list[tuple[int, int, str]] = []
    for household, coupon, day in candidates:
        if counted.count((household, coupon, day)) < of_day:
            counted.append((household, coupon, day))
    return counted
