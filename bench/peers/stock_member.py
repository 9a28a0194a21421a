"""A member as the stock peer shows them, reckoned from the rows that its models find."""

import base64
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from bench.peers.stock_types import (
    Activity,
    ActivityConnection,
    Card,
    Cashback,
    ChallengeStatus,
    ChallengeStreak,
    ExpiringPoints,
    Money,
    NextTier,
    PageInfo,
    TierStatus,
)
from server.cards import models as cards
from server.cashback import models as cashback
from server.challenges import models as challenges
from server.ledger import models as ledger
from server.members import models as members
from server.tiers import models as tiers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OWN = ("member", "held", "owed")
_NEVER = 2**63 - 1
told: dict[str, Any] = {}
"""What the server was told at its start."""


def now() -> int:
    """The present instant, in microseconds."""
    return time.time_ns() // 1000


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _shown(microseconds: int) -> str:
    return _instant(microseconds).isoformat().replace("+00:00", "Z")


def _today() -> date:
    return datetime.now(ZoneInfo(told["timeZone"])).date()  # noqa: TID251 - no part of Laurel


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _period(name: str) -> tuple[date, date]:
    """The first day of the present period, and the first one after it."""
    today = _today()
    if name == "CALENDAR_WEEK":
        monday = today - timedelta(days=today.weekday())
        return monday, monday + timedelta(days=7)
    first = today.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _start(day: date) -> str:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(told["timeZone"]))
    return midnight.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _money(minor: int) -> Money:
    return Money(amount=f"{minor / 100:.2f}", currency_code=told["currency"])


@strawberry.type
class Points:
    """Points."""

    account: strawberry.Private[ledger.LedgerAccount]
    lots: strawberry.Private[Sequence[ledger.Lot]]
    held: int
    owed: int
    lifetime_earned: int
    lifetime_redeemed: int
    lifetime_expired: int

    @strawberry.field
    def available(self) -> int:
        """What can be spent."""
        return _available(self.lots) - self.owed

    @strawberry.field
    def pending(self) -> int:
        """What can be spent later."""
        return _pending(self.lots)

    @strawberry.field
    def next_expiry(self) -> ExpiringPoints | None:
        """What expires next."""
        return next(iter(self._expiries(_NEVER)), None)

    @strawberry.field
    def expiring(self, within_days: int = 30) -> list[ExpiringPoints]:
        """What expires within the next days."""
        return self._expiries(now() + within_days * 86_400_000_000)

    def _expiries(self, until: int) -> list[ExpiringPoints]:
        by_instant: dict[int, int] = {}
        for lot in self.lots:
            if now() < lot.expires_at <= until and lot.expires_at != _NEVER:
                by_instant[lot.expires_at] = by_instant.get(lot.expires_at, 0) + lot.remaining
        return [
            ExpiringPoints(points=points, expires_at=_shown(at))
            for at, points in sorted(by_instant.items())
        ]


def _available(lots: Sequence[ledger.Lot]) -> int:
    at = now()
    return sum(lot.remaining for lot in lots if lot.available_at <= at < lot.expires_at)


def _pending(lots: Sequence[ledger.Lot]) -> int:
    return sum(lot.remaining for lot in lots if lot.available_at > now())


async def _holding(member_id: int, asset: str) -> tuple[ledger.LedgerAccount, list[ledger.Lot]]:
    account = await ledger.LedgerAccount.get(member_id=member_id, asset=asset)
    return account, await ledger.Lot.filter(account_id=account.id, remaining__gt=0)


@strawberry.type
class Member:
    """A member."""

    id: strawberry.Private[int]

    @strawberry.field
    async def name(self) -> str | None:
        """Their name."""
        return (await members.Member.get(id=self.id)).name

    @strawberry.field
    async def card(self) -> Card:
        """Their card."""
        found = await cards.Card.exclude(status="replaced").get(member_id=self.id)
        return Card(
            number=found.number, status=found.status.upper(), issued_at=_shown(found.issued_at)
        )

    @strawberry.field
    async def points(self) -> Points:
        """Their points."""
        account, lots = await _holding(self.id, "POINTS")
        return Points(
            account=account,
            lots=lots,
            held=account.held,
            owed=account.owed,
            lifetime_earned=account.granted_total,
            lifetime_redeemed=account.redeemed_total,
            lifetime_expired=account.expired_total,
        )

    @strawberry.field
    async def tier(self) -> TierStatus:
        """Their tier."""
        state = await tiers.TierState.get(member_id=self.id)
        levels, spent = told["levels"], state.window_spend_minor
        rank = next(n for n, level in enumerate(levels, 1) if level["name"] == state.level)
        following = next((level for level in levels if level["min"] > spent), None)
        return TierStatus(
            name=state.level,
            rank=rank,
            multiplier_percent=levels[rank - 1]["multiplierPercent"],
            since=_shown(state.since),
            changes=state.change_count,
            qualifying_spend=_money(spent),
            next=following
            and NextTier(
                name=following["name"],
                progress_percent=spent * 100 // following["min"],
                min_spend=_money(following["min"]),
                amount_missing=_money(following["min"] - spent),
            ),
        )

    @strawberry.field
    async def cashback(self) -> Cashback:
        """Their cashback."""
        account, lots = await _holding(self.id, told["currency"])
        today = _today()
        month = await cashback.CashbackMonth.get_or_none(
            member_id=self.id, local_month=today.year * 100 + today.month
        )
        return Cashback(
            available=_money(_available(lots) - account.owed),
            pending=_money(_pending(lots)),
            held=_money(account.held),
            lifetime_accrued=_money(account.granted_total),
            month_accrued=_money(month.accrued_minor if month else 0),
            month_cap=_money(told["monthCap"]),
        )

    @strawberry.field
    async def challenges(self) -> list[ChallengeStatus]:
        """How they stand in the challenges."""
        return [await _challenge(self.id, one) for one in told["challenges"]]

    @strawberry.field
    async def activity(self, first: int = 20) -> ActivityConnection:
        """Their statement."""
        account = await ledger.LedgerAccount.get(member_id=self.id, asset="POINTS")
        rows = await ledger.Posting.filter(account_id=account.id).order_by("-sequence").limit(41)
        return _statement(rows, first)


async def _challenge(member_id: int, one: dict[str, Any]) -> ChallengeStatus:
    start, end = _period(one["period"])
    found = await challenges.ChallengeProgress.get_or_none(
        member_id=member_id, challenge=one["key"], period_start=_number(start)
    )
    total = await challenges.ChallengeTotal.get_or_none(member_id=member_id, challenge=one["key"])
    counted = found.progress if found else 0
    completed = found.completed_at if found else None
    return ChallengeStatus(
        key=one["key"],
        title=one["title"],
        metric=one["metric"],
        period=one["period"],
        progress=counted,
        target=one["target"],
        progress_percent=100 if completed else min(100, counted * 100 // one["target"]),
        reward_points=one["rewardPoints"],
        period_start=_start(start),
        period_end=_start(end),
        completed_at=None if completed is None else _shown(completed),
        completions=total.completion_count if total else 0,
        streak=None if one["streak"] is None else await _streak(member_id, one, start, total),
    )


async def _streak(
    member_id: int, one: dict[str, Any], start: date, total: challenges.ChallengeTotal | None
) -> ChallengeStreak:
    weeks = (_number(start), _number(start) - 7)
    run = await challenges.ChallengeRun.filter(
        member_id=member_id, challenge=one["key"], last_period__in=weeks
    ).first()
    periods = one["streak"]["periods"]
    return ChallengeStreak(
        current=((run.last_period - run.first_period) // 7 + 1) % periods if run else 0,
        target=periods,
        reward_points=one["streak"]["rewardPoints"],
        completions=total.streak_count if total else 0,
    )


def _statement(rows: Sequence[ledger.Posting], first: int) -> ActivityConnection:
    events: list[tuple[Activity, tuple[object, ...], int]] = []
    for row in rows:
        if row.debit in _OWN and row.credit in _OWN:
            continue
        effect = row.amount if row.credit in _OWN else -row.amount
        same = (effect < 0, row.reason, row.reference, row.occurred_at)
        if events and events[-1][1] == same and row.reason not in told["grants"]:
            newer = events[-1][0]
            newer.points += effect
            events[-1] = (newer, same, row.sequence)
            continue
        if len(events) > first:
            break
        titles = told["titles"]
        title = titles.get(f"{row.reason}:{row.rule}") or titles[row.reason]
        line = Activity(
            kind=row.reason.upper(),
            title=title,
            points=effect,
            balance_after=row.balance_after,
            occurred_at=_shown(row.occurred_at),
        )
        events.append((line, same, row.sequence))
    shown = events[:first]
    cursor = base64.urlsafe_b64encode(f"after:{shown[-1][2]}".encode()).decode() if shown else None
    return ActivityConnection(
        nodes=[line for line, _, _ in shown],
        page_info=PageInfo(has_next_page=len(events) > first, end_cursor=cursor),
    )
