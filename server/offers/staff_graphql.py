"""Offers as staff see them: all of them, with what was used, and their results."""

from collections.abc import Awaitable, Sequence
from enum import Enum
from typing import Annotated

import strawberry

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Shelf, Shelves
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import STAFF, query, shown_to
from server.edge.scalars import BigInt, Money
from server.offers import results
from server.offers.eligible import key_of, number_of
from server.offers.engine import Prepared, prepared
from server.offers.graphql import TYPE, OfferContent, content, member_offer
from server.offers.kinds import OFFER
from server.offers.preparing import LiveOffer
from server.offers.results import Tally
from server.offers.schedules import BEGINNING, Phase
from server.offers.wording import Wording
from server.principal import PrincipalKind
from server.programme.graphql import present_now
from server.programme.present import Present

LOOKING_SECONDS = 5.0
"""How long members are gone through to see whom an offer is for."""


class OfferStatus(Enum):
    """Where an offer stands in its schedule."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    PAUSED = "paused"
    ENDED = "ended"


described(
    OfferStatus,
    description="Where an offer stands in its schedule, for members without early access.",
    SCHEDULED="It has not begun.",
    LIVE="It counts.",
    PAUSED="It has begun, and counts again at another hour, on another day or in another season.",
    ENDED="It is over.",
)
_STATUS = {
    Phase.BEFORE: OfferStatus.SCHEDULED,
    Phase.OPEN: OfferStatus.LIVE,
    Phase.PAUSED: OfferStatus.PAUSED,
    Phase.AFTER: OfferStatus.ENDED,
}


@shown_to(STAFF)
@strawberry.type(
    description="What was used of an offer so far, less what returns gave back; baskets that are "
    "open count as held only."
)
class OfferTally:
    """Counters of an offer."""

    uses: BigInt = strawberry.field(description="Purchases with the offer that were kept.")
    members: BigInt = strawberry.field(description="Members with such a purchase.")
    held: BigInt = strawberry.field(description="Open baskets that it is reserved for.")
    activations: BigInt = strawberry.field(description="Members who have it activated now.")
    discount: Money = strawberry.field(description="What came off lines.")
    shipping: Money = strawberry.field(description="What came off shipping.")
    points: BigInt = strawberry.field(description="Points on top.")
    cashback: Money = strawberry.field(description="Cashback on top.")
    budget_used: Money = strawberry.field(description="What is used of its budget of money.")
    budget_points_used: BigInt = strawberry.field(
        description="What is used of its budget of points."
    )


@shown_to(STAFF)
@strawberry.type(description="An offer as it is published, with what was used of it.")
class Offer(OfferContent):
    """An offer for staff."""

    version: int = strawberry.field(description="The version of its document that counts.")
    status: OfferStatus = strawberry.field(description="Where it stands in its schedule.")
    starts_at: Instant | None = strawberry.field(description="When it begins; null: always.")
    ends_at: Instant | None = strawberry.field(
        description="When it is over, not included; null if no end is planned."
    )
    present: strawberry.Private[Present]

    @computed(description="What was used of it so far.")
    async def tally(self, info: Info) -> OfferTally:
        """The counters."""
        found = await info.context.loader(_tallies, info.context.at).load(self.key)
        return _tally_shown(found, self.present)


async def _tallies(keys: list[str], at: Instant) -> Sequence[Tally]:
    found = await results.tallies(keys, at)
    return [found[key] for key in keys]


def _tally_shown(tally: Tally, present: Present) -> OfferTally:
    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, present.currency, present.digits)

    return OfferTally(
        uses=BigInt(tally.uses),
        members=BigInt(tally.members),
        held=BigInt(tally.held),
        activations=BigInt(tally.activations),
        discount=money(tally.discount_minor),
        shipping=money(tally.shipping_minor),
        points=BigInt(tally.points),
        cashback=money(tally.cashback_minor),
        budget_used=money(tally.budget_minor),
        budget_points_used=BigInt(tally.budget_points),
    )


@shown_to(STAFF)
@strawberry.type(description="An offer with its place in the list.")
class OfferEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The offer's place, for `after`.")
    node: Offer = strawberry.field(description="The offer.")


@shown_to(STAFF)
@strawberry.type(description="A page of offers, the newest first.")
class OfferConnection:
    """Relay's connection."""

    edges: list[OfferEdge] = strawberry.field(description="The offers with their places.")
    nodes: list[Offer] = strawberry.field(description="The offers alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(STAFF)
@strawberry.type(description="What an offer has done among the members whom it is for.")
class OfferResults:
    """Results of an offer."""

    offer: Offer = strawberry.field(description="The offer.")
    targeted_members: BigInt = strawberry.field(
        description="Members whom it is for today, of those who were looked at."
    )
    members_looked_at: BigInt = strawberry.field(description="How many were looked at.")
    is_complete: bool = strawberry.field(
        description="Whether all members were looked at within the time that there is for it."
    )
    conversion_basis_points: int | None = strawberry.field(
        description="Of 10,000 members whom it is for, how many used it, rounded down; null if "
        "not all were looked at, or it is for nobody."
    )


def _shown(
    offer: LiveOffer, number: int, ready: Prepared, info: Info, present: Present, at: Instant
) -> Offer:
    timetable, context = ready.timetable(offer.key), info.context
    wording = Wording(context.language, currency=present.currency, digits=present.digits)
    return Offer(
        **content(
            number,
            offer.key,
            offer.document,
            context,
            locale=None,
            money=lambda amount_minor: Money.of(amount_minor, present.currency, present.digits),
            wording=wording,
        ),
        version=offer.version,
        status=_STATUS[timetable.phase(at)],
        starts_at=timetable.starts if timetable.starts > BEGINNING else None,
        ends_at=None if timetable.ends == clock.NEVER else timetable.ends,
        present=present,
    )


async def _published(info: Info, at: Instant) -> tuple[Shelves, Prepared, Present]:
    found = present_now(info.context)
    present = await found if isinstance(found, Awaitable) else found
    shelves = await definitions.shelves()
    return shelves, prepared(shelves, present.published.programme, at), present


def _numbered(shelf: Shelf, ready: Prepared) -> list[tuple[int, LiveOffer]]:
    """The offers by number, the newest first."""
    numbered = [(number_of(shelf, offer.key), offer) for offer in ready.offers]
    return sorted(numbered, key=lambda one: -one[0])


async def _staff_offer(info: Info, number: int) -> Offer | None:
    at = info.context.at
    shelves, ready, present = await _published(info, at)
    offer = ready.by_key.get(key_of(shelves, number) or "")
    if offer is None:
        return None
    return _shown(offer, number, ready, info, present, at)


@nodes.fetches(TYPE)
async def _offer(info: Info, number: int) -> Node | None:
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER and principal.member_id is not None:
        return await member_offer(info, principal.member_id, number)
    return await _staff_offer(info, number) if STAFF.allows(principal) else None


@strawberry.type
class OfferQueries:
    """The root fields that read offers."""

    @query(STAFF, description="All published offers that are not withdrawn, the newest first.")
    async def offers(
        self,
        info: Info,
        status: Annotated[
            OfferStatus | None,
            strawberry.argument(description="Only those that stand so; all if left out."),
        ] = None,
        at: Annotated[
            Instant | None,
            strawberry.argument(
                description="As they are at this instant, past or future; now if left out. What "
                "was used is always that of now."
            ),
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> OfferConnection:
        """A page of offers; what is published is in memory."""
        limit, position = pages.page(first, after)
        before = pages.before(position)
        instant = info.context.at if at is None else at
        shelves, ready, present = await _published(info, instant)
        wanted = [
            (number, offer)
            for number, offer in _numbered(shelves.of(OFFER.name), ready)
            if number < before
            and status in (None, _STATUS[ready.timetable(offer.key).phase(instant)])
        ]
        return pages.connected(
            OfferConnection,
            OfferEdge,
            [
                (number, _shown(offer, number, ready, info, present, instant))
                for number, offer in wanted[:limit]
            ],
            has_next=len(wanted) > limit,
            after=after,
        )

    @query(
        STAFF,
        description="What an offer has done among the members whom it is for; null for an id that "
        "no offer has. Members are looked at for 5 seconds at most.",
    )
    async def offer_results(
        self,
        info: Info,
        offer_id: Annotated[strawberry.ID, strawberry.argument(description="The offer's id.")],
    ) -> OfferResults | None:
        """The results of an offer."""
        offer = await _staff_offer(info, nodes.number_of(offer_id, TYPE))
        if offer is None:
            return None
        at = info.context.at
        target = await results.targeted(offer.key, offer.present, at, seconds=LOOKING_SECONDS)
        tally = await info.context.loader(_tallies, at).load(offer.key)
        return OfferResults(
            offer=offer,
            targeted_members=BigInt(target.members),
            members_looked_at=BigInt(target.looked_at),
            is_complete=target.is_complete,
            conversion_basis_points=results.conversion_bps(tally, target),
        )
