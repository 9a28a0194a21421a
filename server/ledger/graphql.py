"""Points in the schema: balances, what expires when, and the statement."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from server import clock, messages
from server.clock import Instant
from server.edge import pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER_DATA, shown_to
from server.ledger import service
from server.ledger.rules import Balance, Holding, Reason
from server.money import POINTS

MAXIMUM_EXPIRY_DAYS = 36_500
_DAY_MICROSECONDS = 86_400 * clock.MICROSECONDS_PER_SECOND

described(
    Reason,
    name="ActivityKind",
    description="Why points came or went.",
    PURCHASE="Earned on a purchase: base, tier and category points together.",
    WELCOME="Given at enrolment.",
    CHALLENGE="Given for a completed challenge.",
    STREAK="Given for a challenge completed in enough periods in a row.",
    CASHBACK="Cashback accrued on a purchase; stands in no statement of points.",
    REDEMPTION="Exchanged for a voucher.",
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

    @computed(description="What expires next; null if nothing is held.")
    def next_expiry(self) -> ExpiringPoints | None:
        """The first expiry to come."""
        return _shown_expiry(self.holding)[0] if self.holding.expiring else None

    @computed(description="What expires within the next days, the first first.")
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
        until = info.context.at + within_days * _DAY_MICROSECONDS
        return [each for each in _shown_expiry(self.holding) if each.expires_at <= until]

    @computed(
        description="The balance at any instant, past or future: in the past what had been earned "
        "and spent by then, in the future what is held now and neither spent nor added to."
    )
    async def balance_at(
        self,
        at: Annotated[Instant, strawberry.argument(description="The instant.")],
    ) -> PointsAt:
        """The balance at an instant."""
        balance = await service.balance_at(self.member_id, POINTS, at)
        return PointsAt(available=balance.available, pending=balance.pending, held=balance.held)


def _shown_expiry(holding: Holding) -> list[ExpiringPoints]:
    return [
        ExpiringPoints(points=one.amount, expires_at=one.expires_at) for one in holding.expiring
    ]


_NO_HOLDING = Holding(Balance())


async def _holdings(member_ids: list[int], at: Instant) -> Sequence[dict[str, Holding]]:
    found = await service.holdings(member_ids, at)
    by_member: dict[int, dict[str, Holding]] = {member_id: {} for member_id in member_ids}
    for (member_id, asset), holding in found.items():
        by_member[member_id][asset] = holding
    return [by_member[member_id] for member_id in member_ids]


async def holding_of(info: Info, member_id: int, asset: str) -> Holding:
    """What the member holds of the asset; one statement for all members and assets asked for."""
    assets = await info.context.loader(_holdings, info.context.at).load(member_id)
    return assets.get(asset, _NO_HOLDING)


async def points_of_member(info: Info, member_id: int) -> Points:
    """The member's points."""
    holding = await holding_of(info, member_id, POINTS)
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


async def activity_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> ActivityConnection:
    """A page of the member's statement of points; one statement."""
    limit, before = pages.page(first, after)
    lines = await service.activity(
        member_id, POINTS, at=info.context.at, before=before, limit=limit + 1
    )
    language = info.context.language
    return pages.connected(
        ActivityConnection,
        ActivityEdge,
        [(line.sequence, _shown_line(line, language)) for line in lines[:limit]],
        has_next=len(lines) > limit,
        after=after,
    )


def _shown_line(line: service.StatementLine, language: str) -> Activity:
    facts: dict[str, str] = {}
    if line.reason in (Reason.CHALLENGE, Reason.STREAK):
        facts["title"] = messages.text(f"challenge.{line.rule}.title", language)
    title = messages.text(f"statement.{line.reason.value}", language, **facts)
    return Activity(
        kind=line.reason,
        title=title,
        points=line.amount,
        balance_after=line.balance_after,
        occurred_at=line.occurred_at,
    )
