"""The same schema as a newcomer writes it: Strawberry and Tortoise by their documentation, under
uvicorn, with nothing of Laurel's but its tables.

    python -m bench.peers.stock_strawberry CONFIG --url URL --port PORT

Of the operations it answers all alike, with the simplifications that `node/rules.mjs` names.
"""

import base64
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jwt
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from tortoise import Tortoise, connections, fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from server.cards import models as cards
from server.cashback import models as cashback
from server.challenges import models as challenges
from server.ledger import models as ledger
from server.members import models as members
from server.tiers import models as tiers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OWN = ("member", "held", "owed")
_NEVER = 2**63 - 1
_told: dict[str, Any] = {}  # what the server was told at its start
Info = strawberry.Info[dict[str, Any], None]


class PeerAccount(Model):
    """The peers' own ledger account."""

    id = fields.BigIntField(primary_key=True)
    member_id = fields.BigIntField()
    external_id = fields.CharField(64)
    last_sequence = fields.IntField()
    balance = fields.BigIntField()

    class Meta:
        """Table."""

        table = "peer_accounts"


def _now() -> int:
    return time.time_ns() // 1000


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _shown(microseconds: int) -> str:
    return _instant(microseconds).isoformat().replace("+00:00", "Z")


def _today() -> date:
    return datetime.now(ZoneInfo(_told["timeZone"])).date()  # noqa: TID251 - no part of Laurel


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
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(_told["timeZone"]))
    return midnight.astimezone(UTC).isoformat().replace("+00:00", "Z")


@strawberry.type
class Money:
    """Money."""

    amount: str
    currency_code: str


def _money(minor: int) -> Money:
    return Money(amount=f"{minor / 100:.2f}", currency_code=_told["currency"])


@strawberry.type
class Card:
    """A card."""

    number: str
    status: str
    issued_at: str


@strawberry.type
class ExpiringPoints:
    """Points that expire together."""

    points: int
    expires_at: str


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
        return self._expiries(_now() + within_days * 86_400_000_000)

    def _expiries(self, until: int) -> list[ExpiringPoints]:
        by_instant: dict[int, int] = {}
        for lot in self.lots:
            if _now() < lot.expires_at <= until and lot.expires_at != _NEVER:
                by_instant[lot.expires_at] = by_instant.get(lot.expires_at, 0) + lot.remaining
        return [
            ExpiringPoints(points=points, expires_at=_shown(at))
            for at, points in sorted(by_instant.items())
        ]


def _available(lots: Sequence[ledger.Lot]) -> int:
    now = _now()
    return sum(lot.remaining for lot in lots if lot.available_at <= now < lot.expires_at)


def _pending(lots: Sequence[ledger.Lot]) -> int:
    return sum(lot.remaining for lot in lots if lot.available_at > _now())


@strawberry.type
class NextTier:
    """The next tier."""

    name: str
    progress_percent: int
    min_spend: Money
    amount_missing: Money


@strawberry.type
class TierStatus:
    """A tier."""

    name: str
    rank: int
    multiplier_percent: int
    since: str
    changes: int
    qualifying_spend: Money
    next: NextTier | None


@strawberry.type
class Cashback:
    """Cashback."""

    available: Money
    pending: Money
    held: Money
    lifetime_accrued: Money
    month_accrued: Money
    month_cap: Money


@strawberry.type
class ChallengeStreak:
    """A streak."""

    current: int
    target: int
    reward_points: int
    completions: int


@strawberry.type
class ChallengeStatus:
    """A challenge."""

    key: str
    title: str
    metric: str
    period: str
    progress: int
    target: int
    progress_percent: int
    reward_points: int
    period_start: str
    period_end: str
    completed_at: str | None
    completions: int
    streak: ChallengeStreak | None


@strawberry.type
class Activity:
    """A line of the statement."""

    kind: str
    title: str
    points: int
    balance_after: int
    occurred_at: str


@strawberry.type
class PageInfo:
    """Where a page stands."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class ActivityConnection:
    """A page of the statement."""

    nodes: list[Activity]
    page_info: PageInfo


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
        levels, spent = _told["levels"], state.window_spend_minor
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
        account, lots = await _holding(self.id, _told["currency"])
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
            month_cap=_money(_told["monthCap"]),
        )

    @strawberry.field
    async def challenges(self) -> list[ChallengeStatus]:
        """How they stand in the challenges."""
        return [await _challenge(self.id, one) for one in _told["challenges"]]

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
        if events and events[-1][1] == same and row.reason not in _told["grants"]:
            newer = events[-1][0]
            newer.points += effect
            events[-1] = (newer, same, row.sequence)
            continue
        if len(events) > first:
            break
        titles = _told["titles"]
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


@strawberry.input
class PurchaseLineInput:
    """A line."""

    product_id: str
    quantity: int
    sales_minor: int
    department: str | None = None
    product_category: str | None = None
    product_type: str | None = None


@strawberry.input
class MemberReference:
    """Who bought."""

    external_id: str


@strawberry.input
class PurchaseInput:
    """A purchase."""

    external_id: str
    member: MemberReference
    occurred_at: str
    store_id: str
    currency_code: str
    lines: list[PurchaseLineInput]


@strawberry.input
class RecordPurchaseInput:
    """A request to record a purchase."""

    idempotency_key: str
    purchase: PurchaseInput


@strawberry.type
class RecordedPurchase:
    """What was recorded."""

    external_id: str
    points: int


@strawberry.type
class Query:
    """What is read."""

    @strawberry.field
    def me(self, info: Info) -> Member:
        """The signed-in member."""
        return Member(id=info.context["member"])


@strawberry.type
class Mutation:
    """What is written."""

    @strawberry.mutation
    async def record_purchase(self, input: RecordPurchaseInput) -> RecordedPurchase:
        """Add two rows to the ledger."""
        bought = input.purchase
        points = sum(line.sales_minor for line in bought.lines) // 100 * 10
        async with in_transaction():
            account = await PeerAccount.select_for_update().get(
                external_id=bought.member.external_id
            )
            account.balance += points
            account.last_sequence += 2
            for place, debit in enumerate(("issued", "cashback")):
                await _post(account, place, debit, points)
            await account.save()
        return RecordedPurchase(external_id=bought.external_id, points=points)


async def _post(account: PeerAccount, place: int, debit: str, points: int) -> None:
    # Not by a model: the table is a copy of Laurel's, with a default for the id.
    await connections.get("default").execute_query(
        "INSERT INTO peer_postings (member_id, account_id, sequence, debit, credit, amount,"
        " balance_after, reason, rule, programme_version, occurred_at, recorded_at)"
        " VALUES ($1, $2, $3, $4, 'member', $5, $6, 'purchase', 'purchase', 1, $7, $7)",
        [
            account.member_id,
            account.id,
            account.last_sequence - 1 + place,
            debit,
            points,
            account.balance,
            _now(),
        ],
    )


class _Api(GraphQL[dict[str, Any], None]):
    """The API with its callers."""

    def __init__(self) -> None:
        super().__init__(strawberry.Schema(Query, Mutation), graphql_ide=None)
        self._keys = {one.key_id: one.key for one in jwt.PyJWKSet.from_dict(_told["jwks"]).keys}
        self._known: dict[str, int | None] = {}

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        """Who calls: checked when the token is first seen, then known by its text."""
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token not in self._known:
            self._known[token] = self._member(token)
        return {"member": self._known[token]}

    def _member(self, token: str) -> int | None:
        if hashlib.sha256(token.encode()).hexdigest() == _told["keyHash"]:
            return None
        claims = jwt.decode(
            token,
            self._keys[jwt.get_unverified_header(token)["kid"]],
            algorithms=["EdDSA"],
            audience=_told["audience"],
            issuer=_told["issuer"],
        )
        return int(claims["member"])


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


def main() -> None:
    """Serve until told to stop."""
    file, url, port = sys.argv[1], sys.argv[3], int(sys.argv[5])
    _told.update(json.loads(Path(file).read_text(encoding="utf-8")))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        from server.storage.database import MODELS  # noqa: PLC0415 - the tables alone

        await Tortoise.init(
            db_url=url.replace("postgres://", "asyncpg://", 1),
            modules={"laurel": MODELS, "peers": [__name__]},
            _enable_global_fallback=True,
        )
        yield
        await connections.close_all()

    routes = [Route("/healthz", _healthz), Route("/graphql", _Api())]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
