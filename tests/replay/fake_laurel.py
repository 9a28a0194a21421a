"""A server that speaks the replay's part of the contract, on top of the slow reference.

It keeps everything in memory, answers a repeated idempotency key with its first answer, and can be
told to lose requests before or after their effect.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zoneinfo import ZoneInfo

from server.programme.rules import checked_data
from tests.reference.basket_amounts import Programme, amounts_of
from tests.reference.member_reference import Member, month_of
from tests.reference.programme_reference import (
    Snapshot,
    member_row,
    month_row,
    months_with_baskets,
    retention_rows,
)

Json = dict[str, Any]
MONTH_NAMES = {
    "netMinor": "net_minor",
    "eligibleMinor": "eligible_minor",
    "pointsEarned": "points_earned",
    "pointsRedeemed": "points_redeemed",
    "pointsExpired": "points_expired",
    "pointsOutstanding": "points_outstanding",
    "cashbackAccruedMinor": "cashback_accrued_minor",
    "cashbackCappedMinor": "cashback_capped_minor",
    "cashbackOutstandingMinor": "cashback_outstanding_minor",
    "liabilityMinor": "liability_minor",
}
MONTH_COUNTS = {
    "purchases": "baskets",
    "newMembers": "new_members",
    "activeMembers": "active_members",
    "repeatMembers": "repeat_members",
    "vouchersIssued": "vouchers_issued",
}
MONTH_RATES = {
    "repeatPurchaseRate": "repeat_purchase_rate",
    "purchaseFrequency": "purchase_frequency",
    "averageBasketMinor": "average_basket_minor",
    "redemptionRate": "redemption_rate",
    "breakageRate": "breakage_rate",
}


class FakeLaurel:
    """The state of the server: members that live day by day, and the answers given so far."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        # The policy is the replay's: the server redeems only when it is told to.
        self.rules = copy.deepcopy(programme)
        self.rules["redemption_policy"]["max_redemptions_per_run"] = 0
        self.zone = ZoneInfo(programme["programme"]["timezone"])
        self.members: dict[str, Member] = {}
        self.today: dict[str, date] = {}
        self.snapshots: dict[str, dict[str, Snapshot]] = {}
        self.answers: dict[str, tuple[str, Json]] = {}
        self.requests: list[tuple[str, str]] = []  # operation and simulated time
        self.keys: list[str] = []
        self.fail_before: set[int] = set()  # requests, counted from 0, that are lost on the way
        self.fail_after: set[int] = set()  # requests whose answers are lost
        self.instead: dict[int, tuple[int, bytes]] = {}  # requests answered by something else
        self.problems: dict[str, Json] = {}  # by basket id or household
        self.url = ""

    # -- HTTP -----------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[FakeLaurel]:
        """Serves on a free port within the block."""
        lock = threading.Lock()
        laurel = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    number = len(laurel.requests)
                    moment = self.headers["Laurel-Simulated-Time"]
                    laurel.requests.append((body["operationName"], moment))
                    if number in laurel.fail_before:
                        self.close_connection = True
                        return
                    instead = laurel.instead.get(number)
                    if instead is not None:
                        self.reply(*instead)
                        return
                    answer = laurel.answer(body["operationName"], body["variables"], moment)
                    if number in laurel.fail_after:
                        self.close_connection = True
                        return
                self.reply(200, json.dumps(answer).encode())

            def reply(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            http.daemon_threads = True
            http.block_on_close = False
            self.url = f"http://127.0.0.1:{http.server_port}"
            thread = threading.Thread(target=http.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield self
            finally:
                http.shutdown()
                thread.join()

    # -- operations -----------------------------------------------------------------------------

    def answer(self, operation: str, variables: Json, moment: str) -> Json:
        """The answer to one request."""
        now = datetime.fromisoformat(moment)
        data: Json
        match operation:
            case "ProgrammeAt":
                data = {"programme": {"digest": checked_data(self.programme).digest}}
            case "RecordPurchases":
                data = self._once(variables["input"], "recordPurchases", self._record)
            case "RedeemPointsForMembers":
                data = self._once(
                    variables["input"],
                    "redeemPointsForMembers",
                    lambda content: self._redeem(content, now),
                )
            case "PointBalances":
                data = {"pointBalances": self._balances(variables["externalIds"], now)}
            case "Members":
                data = {"members": self._page(variables, now)}
            case "Insights":
                data = {"insights": self._insights(now)}
            case "Offers":
                data = {"insights": {"offers": []}}  # nothing was published here
            case _:
                return {"errors": [{"message": f"Unknown operation {operation}."}]}
        return {"data": data}

    def _once(self, content: Json, field: str, do: Any) -> Json:
        key = content["idempotencyKey"]
        self.keys.append(key)
        text = json.dumps(content, sort_keys=True)
        if key not in self.answers:
            self.answers[key] = (text, do(content))
        first, answer = self.answers[key]
        if first != text:
            conflict = {"code": "IDEMPOTENCY_CONFLICT", "message": "Used for something else."}
            return {field: {"__typename": "IdempotencyConflict", **conflict}}
        return {field: answer}

    def _record(self, content: Json) -> Json:
        answers: list[Json] = []
        for purchase in content["purchases"]:
            problem = self.problems.get(purchase["externalId"])
            if problem is None:
                self._purchase(purchase)
                answers.append({"__typename": "RecordedPurchase"})
            else:
                answers.append(problem)
        return {"__typename": "RecordedPurchases", "answers": answers}

    def _purchase(self, purchase: Json) -> None:
        assert purchase["currencyCode"] == self.programme["programme"]["currency"]
        assert purchase["enrolIfUnknown"] is True
        household = purchase["member"]["externalId"]
        day = datetime.fromisoformat(purchase["occurredAt"]).astimezone(self.zone).date()
        if household not in self.members:
            self.members[household] = Member(self.rules, household, day)
            self.today[household] = day
            self.snapshots[household] = {}
        self._live_until(household, day)
        lines = [
            {
                "department": line.get("department", "UNKNOWN"),
                "product_category": line.get("productCategory", "UNKNOWN"),
                "product_type": line.get("productType", "UNKNOWN"),
                "sales_minor": line["salesMinor"],
                "coupon_minor": line.get("couponMinor", 0),
            }
            for line in purchase["lines"]
        ]
        self.members[household].basket(day, amounts_of(self.rules, {"lines": lines}))

    def _live_until(self, household: str, day: date) -> None:
        member = self.members[household]
        assert day >= self.today[household], "time ran backwards"
        while self.today[household] < day:
            self._snapshot(household)
            self.today[household] += timedelta(days=1)
            member.start_of_day(self.today[household])

    def _snapshot(self, household: str) -> None:
        member = self.members[household]
        self.snapshots[household][month_of(self.today[household])] = Snapshot(
            points_outstanding=member.points_available + member.points_pending,
            cashback_outstanding=member.available_cashback + member.cashback_pending,
            tier=member.level["name"],
        )

    def _balances(self, households: list[str], now: datetime) -> list[Json]:
        known = [household for household in households if household in self.members]
        for household in known:
            self._live_until(household, now.astimezone(self.zone).date())
        return [
            {"externalId": household, "available": self.members[household].points_available}
            for household in known
        ]

    def _redeem(self, content: Json, now: datetime) -> Json:
        answers: list[Json] = []
        day = now.astimezone(self.zone).date()
        for redemption in content["redemptions"]:
            household = redemption["member"]["externalId"]
            member = self.members[household]
            self._live_until(household, day)
            if household in self.problems:
                answers.append(self.problems[household])
            elif member.points_available < redemption["points"]:
                problem = {"code": "INSUFFICIENT_POINTS", "message": "Too few."}
                answers.append({"__typename": "InsufficientPoints", **problem})
            else:
                member._redeem(day, redemption["points"])
                left = member.points_available
                answers.append({"__typename": "PointsRedeemed", "pointsAvailableAfter": left})
        return {"__typename": "PointsRedeemedForMembers", "answers": answers}

    def _page(self, variables: Json, now: datetime) -> Json:
        for household in self.members:
            self._live_until(household, now.astimezone(self.zone).date())
        start = int(variables["after"] or 0)
        end = min(start + variables["first"], len(self.members))
        nodes = [self._node(member) for member in list(self.members.values())[start:end]]
        return {
            "edges": [{"node": node} for node in nodes],
            "pageInfo": {"hasNextPage": end < len(self.members), "endCursor": str(end)},
        }

    def _node(self, member: Member) -> Json:
        row = member_row(member)

        def money(field: str) -> Json:
            units = self.programme["programme"]["minor_units_per_major"]
            return {"amount": str(Decimal(row[field]) / units)}

        return {
            "externalId": member.household_id,
            "points": {
                "available": row["points_available"],
                "pending": row["points_pending"],
                "lifetimeEarned": row["points_earned"],
                "lifetimeRedeemed": row["points_redeemed"],
                "lifetimeExpired": row["points_expired"],
            },
            "vouchersIssued": row["vouchers_issued"],
            "cashback": {
                "available": money("cashback_available_minor"),
                "pending": money("cashback_pending_minor"),
                "lifetimeAccrued": money("cashback_earned_minor"),
                "lifetimeCapped": money("cashback_capped_minor"),
            },
            "eligibleSpend": money("eligible_spend_minor"),
            "tier": {"name": row["tier"], "changes": row["tier_changes"]},
            "challenges": [
                {
                    "key": "weekly_visits",
                    "completions": row["weekly_visits_completed"],
                    "streak": {"completions": row["streaks_completed"]},
                },
                {
                    "key": "departments",
                    "completions": row["departments_completed"],
                    "streak": None,
                },
                {
                    "key": "month_spend",
                    "completions": row["month_spend_completed"],
                    "streak": None,
                },
            ],
        }

    def _insights(self, now: datetime) -> Json:
        for household in self.members:
            self._live_until(household, now.astimezone(self.zone).date())
            self._snapshot(household)
        members = list(self.members.values())
        months = sorted({month for member in members for month in months_with_baskets(member)})
        return {
            "months": [self._month(month, members) for month in months],
            "retention": [
                {
                    "cohort": row["cohort"],
                    "month": row["month"],
                    "cohortSize": row["cohort_size"],
                    "activeMembers": row["active_members"],
                    "retention": decimals(row["retention"]),
                }
                for row in retention_rows(months, members)
            ],
        }

    def _month(self, month: str, members: list[Member]) -> Json:
        row = month_row(self.rules, month, members, self.snapshots)
        return {
            "month": month,
            **{name: str(row[field]) for name, field in MONTH_NAMES.items()},
            **{name: row[field] for name, field in MONTH_COUNTS.items()},
            **{name: decimals(row[field]) for name, field in MONTH_RATES.items()},
            "membersByTier": [
                {"tier": level["name"], "members": row[f"members_{level['name'].lower()}"]}
                for level in self.programme["tiers"]["levels"]
            ],
        }


def decimals(rate: float) -> str:
    """A rate as the contract has it: ten decimals."""
    return f"{Decimal(repr(rate)):.10f}"
