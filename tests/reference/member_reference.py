"""Sections 3 to 8 of the rules: one member, one day and one basket at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.reference.basket_amounts import Amounts, Programme

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass
class Lot:
    """One grant of points: what is left of it, when it becomes available, when it expires."""

    left: int
    available_on: date
    expires_on: date
    available: bool = False


@dataclass
class PendingCashback:
    """One accrual of cashback that waits for its day."""

    amount: int
    available_on: date


def month_of(day: date) -> str:
    """The calendar month of a local date, as "2017-01"."""
    return f"{day.year:04d}-{day.month:02d}"


def monday_of(day: date) -> date:
    """The Monday that starts the week of a local date."""
    return day - timedelta(days=day.weekday())


class Member:
    """The state of one member, changed only by `start_of_day` and `basket`, called in time order.

    `totals` counts what happened since enrolment; `by_month` counts the same by calendar month.
    Anything whose day has come at its making (a delay of 0 days) happens at its making.
    """

    def __init__(self, programme: Programme, household_id: str, enrolled_on: date) -> None:
        self.programme = programme
        self.household_id = household_id
        self.enrolled_on = enrolled_on
        self.totals: Counter[str] = Counter()
        self.by_month: dict[str, Counter[str]] = {}
        self.lots: list[Lot] = []  # in order of creation
        self.pending_cashback: list[PendingCashback] = []
        self.available_cashback = 0
        self.spend_on: Counter[date] = Counter()
        self.level: dict[str, Any] = programme["tiers"]["levels"][0]
        self.visit_days: dict[date, set[date]] = {}  # by Monday of the week
        self.weeks_completed: set[date] = set()
        self.last_completed_week: date | None = None
        self.streak = 0
        self.departments_in: dict[str, set[str]] = {}  # by month
        self.months_of_departments: set[str] = set()
        self.spend_in: Counter[str] = Counter()  # E by month
        self.months_of_spend: set[str] = set()
        self.cashback_in: Counter[str] = Counter()  # accrued by month
        # Enrolment: the welcome points are the member's first lot.
        self._grant(enrolled_on, programme["points"]["welcome_bonus_points"], pending_days=0)

    # -- what the outside may ask ---------------------------------------------------------------

    @property
    def points_available(self) -> int:
        """Points that could be redeemed now."""
        return sum(lot.left for lot in self.lots if lot.available)

    @property
    def points_pending(self) -> int:
        """Points that wait for their available date."""
        return sum(lot.left for lot in self.lots if not lot.available)

    @property
    def cashback_pending(self) -> int:
        """Cashback that waits for its available date."""
        return sum(accrual.amount for accrual in self.pending_cashback)

    # -- events ---------------------------------------------------------------------------------

    def start_of_day(self, today: date) -> None:
        """The four steps at 00:00 local time of a day after the day of enrolment."""
        self._make_available(today)
        self._expire(today)
        self._evaluate_tier(today)
        policy = self.programme["redemption_policy"]
        if WEEKDAYS[today.weekday()] == policy["weekday"]:
            for _ in range(policy["max_redemptions_per_run"]):
                if self.points_available < policy["threshold_points"]:
                    break
                if self.points_available < policy["redeem_points"]:
                    break
                self._redeem(today, policy["redeem_points"])

    def basket(self, today: date, amounts: Amounts) -> None:
        """The steps at one basket, after enrolment."""
        self._count(today, "baskets", 1)
        self._count(today, "net_minor", amounts.net)
        self._count(today, "eligible_minor", amounts.eligible)
        self._purchase_points(today, amounts)
        self._cashback(today, amounts)
        self.spend_on[today] += amounts.eligible
        self._evaluate_tier(today)
        self._weekly_visits(today, amounts)
        self._departments(today, amounts)
        self._month_spend(today, amounts)

    # -- points ---------------------------------------------------------------------------------

    def _count(self, day: date, what: str, amount: int) -> None:
        self.totals[what] += amount
        self.by_month.setdefault(month_of(day), Counter())[what] += amount

    def _grant(self, today: date, amount: int, pending_days: int) -> None:
        if amount == 0:
            return
        expires_on = today + timedelta(days=self.programme["points"]["expiry_days"])
        self._count(today, "points_earned", amount)
        self.lots.append(Lot(amount, today + timedelta(days=pending_days), expires_on))
        self._make_lots_available(today)
        self._expire(today)

    def _make_available(self, today: date) -> None:
        self._make_lots_available(today)
        self._make_cashback_available(today)

    def _make_lots_available(self, today: date) -> None:
        for lot in self.lots:
            if lot.available_on <= today:
                lot.available = True

    def _make_cashback_available(self, today: date) -> None:
        for accrual in list(self.pending_cashback):
            if accrual.available_on <= today:
                self.available_cashback += accrual.amount
                self.pending_cashback.remove(accrual)

    def _expire(self, today: date) -> None:
        """What is left of a lot goes on its expiry date, pending or not."""
        for lot in list(self.lots):
            if lot.expires_on <= today:
                self._count(today, "points_expired", lot.left)
                lot.left = 0
        self.lots = [lot for lot in self.lots if lot.left > 0]

    def _redeem(self, today: date, points: int) -> None:
        missing = points
        # `sorted` keeps the order of creation among lots with one expiry date.
        for lot in sorted(self.lots, key=lambda lot: lot.expires_on):
            if lot.available:
                used = min(lot.left, missing)
                lot.left -= used
                missing -= used
        assert missing == 0
        self.lots = [lot for lot in self.lots if lot.left > 0]
        self._count(today, "points_redeemed", points)
        self._count(today, "vouchers_issued", 1)

    def _purchase_points(self, today: date, amounts: Amounts) -> None:
        points = self.programme["points"]
        [bonus] = points["category_bonus"]
        above = self.level["multiplier_percent"] - 100
        base = amounts.eligible * points["base"]["points"] // points["base"]["per_minor"]
        tier = base * above // 100
        category = amounts.bonus * bonus["points"] // bonus["per_minor"]
        self._grant(today, base + tier + category, points["purchase_pending_days"])

    # -- tier and cashback ----------------------------------------------------------------------

    def _evaluate_tier(self, today: date) -> None:
        tiers = self.programme["tiers"]
        first = today - timedelta(days=tiers["window_days"] - 1)
        spend = sum(amount for day, amount in self.spend_on.items() if first <= day <= today)
        reached = tiers["levels"][0]
        for level in tiers["levels"]:
            if spend >= level["min_spend_minor"]:
                reached = level
        if reached["name"] != self.level["name"]:
            self.totals["tier_changes"] += 1
        self.level = reached

    def _cashback(self, today: date, amounts: Amounts) -> None:
        rules = self.programme["cashback"]
        month = month_of(today)
        raw = amounts.cashback * rules["rate_basis_points"] // 10000
        accrued = min(raw, rules["monthly_cap_minor"] - self.cashback_in[month])
        self.cashback_in[month] += accrued
        self._count(today, "cashback_accrued_minor", accrued)
        self._count(today, "cashback_capped_minor", raw - accrued)
        if accrued > 0:
            available_on = today + timedelta(days=rules["pending_days"])
            self.pending_cashback.append(PendingCashback(accrued, available_on))
            self._make_cashback_available(today)

    # -- challenges -----------------------------------------------------------------------------

    def _weekly_visits(self, today: date, amounts: Amounts) -> None:
        rules = self.programme["challenges"]["weekly_visits"]
        if amounts.eligible == 0:
            return
        week = monday_of(today)
        visit_days = self.visit_days.setdefault(week, set())
        visit_days.add(today)
        if len(visit_days) < rules["visit_days"] or week in self.weeks_completed:
            return
        self.weeks_completed.add(week)
        self.totals["weekly_visits_completed"] += 1
        self._grant(today, rules["reward_points"], pending_days=0)

        follows = self.last_completed_week == week - timedelta(days=7)
        self.streak = self.streak + 1 if follows else 1
        self.last_completed_week = week
        if self.streak == rules["streak"]["consecutive_weeks"]:
            self.streak = 0
            self.totals["streaks_completed"] += 1
            self._grant(today, rules["streak"]["reward_points"], pending_days=0)

    def _departments(self, today: date, amounts: Amounts) -> None:
        rules = self.programme["challenges"]["departments"]
        month = month_of(today)
        collected = self.departments_in.setdefault(month, set())
        collected |= amounts.departments
        if len(collected) < rules["distinct_departments"] or month in self.months_of_departments:
            return
        self.months_of_departments.add(month)
        self.totals["departments_completed"] += 1
        self._grant(today, rules["reward_points"], pending_days=0)

    def _month_spend(self, today: date, amounts: Amounts) -> None:
        rules = self.programme["challenges"]["month_spend"]
        month = month_of(today)
        self.spend_in[month] += amounts.eligible
        if self.spend_in[month] < rules["spend_minor"] or month in self.months_of_spend:
            return
        self.months_of_spend.add(month)
        self.totals["month_spend_completed"] += 1
        self._grant(today, rules["reward_points"], pending_days=0)
