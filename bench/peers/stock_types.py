"""The types of the stock peer that hold values alone; the rest is `stock_strawberry`."""

import strawberry


@strawberry.type
class Money:
    """Money."""

    amount: str
    currency_code: str


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
