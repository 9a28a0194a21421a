"""Points in the schema: balances, what expires when, and the statement."""

from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache
from typing import Annotated, cast

import strawberry

from server import messages
from server.clock import NEVER, Instant
from server.edge import pages
from server.edge.context import Context, Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.loading import shown
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER_DATA, shown_to
from server.ledger import service
from server.ledger.rules import Balance, ExpiringValue, Holding, Reason
from server.ledger.service import Beginning, HoldingNow, Page
from server.money import POINTS
from server.storage import parts
from server.storage.parts import Ask

MAXIMUM_EXPIRY_DAYS = 36_500
_TOP = -1
"""In the place of the line before which a page ends: the page from the top of the statement."""

described(
    Reason,
    name="ActivityKind",
    description="Why points came or went.",
    PURCHASE="Earned on a purchase: base, tier and category points together.",
    WELCOME="Given at enrolment.",
    CHALLENGE="Given for a completed challenge.",
    STREAK="Given for a challenge completed in enough periods in a row.",
    CASHBACK="Cashback accrued on a purchase; stands in no statement of points.",
    OFFER="Given by an offer, on a purchase.",
    REFERRAL="Given for bringing a friend, or for having been brought by one.",
    ACTION="Given for a review, a survey or another rewarded action.",
    REDEMPTION="Exchanged for a voucher.",
    ORDER="Exchanged for a reward of the catalogue.",
    PAYMENT="Taken off a basket at the till.",
    EXPIRY="Lapsed unused.",
    RETURN="Taken back because a purchase was returned.",
    RECALL="Taken back from other points because a purchase was returned after its own were used; "
    "what was not there is owed.",
    RESTORED="Given back because what it had been used for was undone.",
    SETTLEMENT="Filled what was owed; stands in no statement, for it changes no one's worth.",
    HOLD="Reserved; stands in no statement.",
    RELEASE="No longer reserved; stands in no statement.",
    GIFT_SENT="Given to another member.",
    GIFT_RECEIVED="Received from another member.",
    PAYOUT="Paid out in money; stands in no statement of points.",
    ADJUSTMENT="Given or taken by the shop's staff, with a stated reason.",
    OPENING="Brought along from the system that was used before.",
    MERGE="Moved between two memberships of one person.",
)


@shown_to(MEMBER_DATA)
@strawberry.type(description="Points that expire together if they are not used before.")
class ExpiringPoints:
    """Points that expire at one instant."""

    points: int = strawberry.field(description="How many, pending ones included.")
    expires_at: Instant = strawberry.field(
        description="The instant at which they lapse: the start of a local day of the programme."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="Points at one instant.")
class PointsAt:
    """A balance at an instant."""

    available: int = strawberry.field(
        description="Points that could be spent then, less what was owed: below 0 if more was owed."
    )
    pending: int = strawberry.field(description="Points earned by then but not usable yet.")
    held: int = strawberry.field(description="Points that were reserved then.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A member's points, exact at the instant of the request.")
class Points:
    """The points of a member."""

    available: int = strawberry.field(
        description="Points that can be spent now, less what is owed: below 0 while more is owed "
        "than there is, until later points have filled the hole."
    )
    pending: int = strawberry.field(description="Points earned that become available later.")
    held: int = strawberry.field(
        description="Points that are reserved, for a payment at a till that is under way."
    )
    owed: int = strawberry.field(
        description="Points that were taken back for a return after they had been used, and that "
        "later points have not made up for yet; they are taken off `available`."
    )
    lifetime_earned: int = strawberry.field(
        description="All points ever granted. Always lifetimeEarned + lifetimeMoved = "
        "lifetimeRedeemed + lifetimeExpired + lifetimeReversed + available + pending + held."
    )
    lifetime_redeemed: int = strawberry.field(
        description="All points ever exchanged for rewards or money off, less those given back."
    )
    lifetime_expired: int = strawberry.field(description="All points that ever lapsed unused.")
    lifetime_reversed: int = strawberry.field(
        description="All points ever taken back because of returns, owed ones included."
    )
    lifetime_moved: int = strawberry.field(
        description="Points that came by gift, adjustment, import or merging, less those that went."
    )
    member_id: strawberry.Private[int]
    holding: strawberry.Private[Holding]

    @computed(description="What expires next; null if nothing is held.", is_exact=True)
    def next_expiry(self) -> ExpiringPoints | None:
        """The first expiry to come."""
        expiring = self.holding.expiring
        return _shown_expiry(expiring[0]) if expiring else None

    @computed(description="What expires within the next days, the first first.", is_exact=True)
    def expiring(
        self,
        info: Info,
        within_days: Annotated[
            int,
            strawberry.argument(description="How many times 24 hours to look ahead: 1 to 36500."),
        ] = 30,
    ) -> list[ExpiringPoints]:
        """The expiries to come."""
        if not 1 <= within_days <= MAXIMUM_EXPIRY_DAYS:
            raise pages.outside("withinDays", within_days, minimum=1, maximum=MAXIMUM_EXPIRY_DAYS)
        ahead = within_days * service.DAY_MICROSECONDS
        until = info.context.at + ahead
        shown_ones: list[ExpiringPoints] = []
        for each in self.holding.expiring:
            if each.expires_at > until:
                info.context.changes_at(Instant(each.expires_at - ahead))
                break
            shown_ones.append(_shown_expiry(each))
        return shown_ones

    @computed(
        description="The balance at any instant, past or future: in the past what had been earned "
        "and spent by then, in the future what is held now and neither spent nor added to.",
        is_exact=True,
    )
    async def balance_at(
        self,
        info: Info,
        at: Annotated[Instant, strawberry.argument(description="The instant.")],
    ) -> PointsAt:
        """The balance at an instant."""
        balance = await info.context.loader(_balances_at, POINTS, at).load(self.member_id)
        return PointsAt(available=balance.available, pending=balance.pending, held=balance.held)


def _shown_expiry(one: ExpiringValue) -> ExpiringPoints:
    return ExpiringPoints(points=one.amount, expires_at=one.expires_at)


async def _balances_at(member_ids: list[int], asset: str, at: Instant) -> Sequence[Balance]:
    balances = await service.balances_at(member_ids, asset, at)
    return [balances[member_id] for member_id in member_ids]


# ---------------------------------------------------------------- what is held

_NO_HOLDING = HoldingNow(Holding(Balance()), NEVER)


async def _found_holdings(member_ids: list[int]) -> Sequence[parts.Found]:
    found = await parts.shared(service.HOLDINGS, member_ids)
    return [found[member_id] for member_id in member_ids]


def prime_holdings(
    context: Context, member_id: int, found: parts.Found, assets: Iterable[str]
) -> None:
    """The request knows what the member holds of the assets; where `service.holdings_part` has
    summed them, nobody asks for their expiries."""
    for asset in assets:
        context.give(asset, member_id, found)


def held_by(context: Context, member_id: int, asset: str) -> parts.Found | Awaitable[parts.Found]:
    """What `holding_in` tells from; one statement for all members and assets asked for."""
    given: parts.Found | None = context.given(asset, member_id)
    return context.loader(_found_holdings).get(member_id) if given is None else given


def holding_in(context: Context, found: parts.Found, asset: str) -> Holding:
    """What is held of the asset; when that changes by time alone is told to the context."""
    now = service.holding_of(found, asset, context.at) or _NO_HOLDING
    context.changes_at(now.changes_at)
    return now.holding


async def holding_of(context: Context, member_id: int, asset: str) -> Holding:
    """What the member holds of the asset; one statement for all members and assets asked for."""
    found = held_by(context, member_id, asset)
    if not isinstance(found, parts.Found):
        found = await found
    return holding_in(context, found, asset)


def points_of_member(context: Context, member_id: int) -> Points | Awaitable[Points]:
    """The member's points."""
    found = held_by(context, member_id, POINTS)
    return shown(found, lambda known: _points(context, member_id, known))


def _points(context: Context, member_id: int, found: parts.Found) -> Points:
    holding = holding_in(context, found, POINTS)
    balance = holding.balance
    return Points(
        available=balance.available,
        pending=balance.pending,
        lifetime_earned=balance.granted_total,
        lifetime_redeemed=balance.redeemed_total,
        lifetime_expired=balance.expired_total,
        held=balance.held,
        owed=balance.owed,
        lifetime_reversed=balance.reversed_total,
        lifetime_moved=balance.moved_total,
        member_id=member_id,
        holding=holding,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="One line of a member's statement of points.")
class Activity:
    """A line of the statement."""

    kind: Reason = strawberry.field(description="Why the points came or went.")
    title: str = strawberry.field(
        description="What happened, in a few words of the caller's language."
    )
    points: int = strawberry.field(description="Points gained, or lost if negative; never 0.")
    balance_after: int = strawberry.field(
        description="All points, pending and reserved ones included and owed ones taken off, after "
        "this line."
    )
    occurred_at: Instant = strawberry.field(
        description="When it counts: of the purchase, not of its arrival; of the expiry, not of "
        "its booking."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A line of the statement, with its place in the list.")
class ActivityEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The line's place, for `after`.")
    node: Activity = strawberry.field(description="The line.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of a member's statement of points, the newest line first.")
class ActivityConnection:
    """Relay's connection."""

    edges: list[ActivityEdge] = strawberry.field(description="The lines with their places.")
    nodes: list[Activity] = strawberry.field(description="The lines alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the statement.")


async def _activities(
    member_ids: list[int], at: Instant, limit: int, before: int
) -> Sequence[Page | Beginning]:
    above = None if before < 0 else before
    found = await parts.shared(service.activity_part(POINTS, limit=limit, before=above), member_ids)
    return [
        service.activity_from(one, found[one], POINTS, at=at, limit=limit, before=above)
        for one in member_ids
    ]


async def _completed(begun: list[Beginning], limit: int, before: int) -> Sequence[Page]:
    above = None if before < 0 else before
    return await service.completed(begun, POINTS, limit=limit, before=above)


def activity_part(first: int) -> tuple[Ask, ...]:
    """What a page of so many lines from the top of the statement is made from."""
    return service.activity_part(POINTS, limit=first + 1)


def prime_activity(context: Context, member_id: int, found: parts.Found, *, first: int) -> None:
    """The request knows so many lines from the top of the member's statement."""
    page = service.activity_from(member_id, found, POINTS, at=context.at, limit=first + 1)
    context.loader(_activities, context.at, first + 1, _TOP).prime(member_id, page)


def activity_of_member(
    context: Context, member_id: int, *, first: int, after: str | None
) -> ActivityConnection | Awaitable[ActivityConnection]:
    """A page of the member's statement of points; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    above = _TOP if before is None else before

    def page_shown(page: Page | Beginning) -> ActivityConnection | Awaitable[ActivityConnection]:
        if isinstance(page, Beginning):
            return shown(context.loader(_completed, limit + 1, above).get(page), all_shown)
        return all_shown(page)

    def all_shown(page: Page) -> ActivityConnection:
        return _shown_page(context, page, limit=limit, after=after)

    loader = context.loader(_activities, context.at, limit + 1, above)
    found: Awaitable[Page | Beginning] = cast("Awaitable[Page | Beginning]", loader.get(member_id))
    return shown(found, page_shown)


def _shown_page(
    context: Context, page: Page, *, limit: int, after: str | None
) -> ActivityConnection:
    context.changes_at(page.changes_at)
    language = context.language
    return pages.connected(
        ActivityConnection,
        ActivityEdge,
        [
            (
                line.sequence,
                Activity(
                    kind=line.reason,
                    title=_title(line.reason, line.rule, language),
                    points=line.amount,
                    balance_after=line.balance_after,
                    occurred_at=line.occurred_at,
                ),
            )
            for line in page.lines[:limit]
        ],
        has_next=len(page.lines) > limit,
        after=after,
        with_edges=context.asks("ActivityConnection", "edges"),
    )


@lru_cache(maxsize=4096)
def _title(reason: Reason, rule: str, language: str) -> str:
    facts: dict[str, str] = {}
    if reason in (Reason.CHALLENGE, Reason.STREAK):
        facts["title"] = messages.text(f"challenge.{rule}.title", language)
    return messages.text(f"statement.{reason.value}", language, **facts)
