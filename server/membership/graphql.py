"""The member in the schema: what the phone shows, joined from every domain."""

from datetime import date
from typing import Annotated, cast

import strawberry

from server.cards import service as cards
from server.cards.graphql import Card, MemberReference, card_of_member, member_reference
from server.cashback.graphql import Cashback, cashback_of_member
from server.challenges.graphql import ChallengeStatus, challenges_of_member
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Context, Info
from server.edge.fields import computed, exact
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import (
    ALL_STAFF,
    EVERYONE,
    MEMBER,
    MEMBER_DATA,
    STAFF,
    access,
    query,
    shown_to,
)
from server.edge.refusing import RequestRefused
from server.edge.scalars import Money
from server.errors import DomainError
from server.explanations.graphql import BalanceAsset, BalanceExplanation, balance_explained
from server.households.shapes import Household, household_of_member
from server.ledger import service as ledger
from server.ledger.graphql import (
    ActivityConnection,
    Points,
    activity_of_member,
    points_of_member,
)
from server.members import service as members
from server.members.service import Profile
from server.membership.home import read_member, read_members
from server.money import POINTS
from server.payments.graphql import (
    Hold,
    PaymentConnection,
    holds_of_member,
    payments_of_member,
)
from server.payouts.graphql import payouts_of_member
from server.payouts.shapes import PayoutConnection
from server.principal import PrincipalKind, Scope
from server.purchases.purchase_type import PurchaseConnection, purchases_of_member
from server.rewards.graphql import VoucherConnection, voucher_count_of_member, vouchers_of_member
from server.tiers.graphql import (
    TierStatus,
    shown_lifetime_spend,
    shown_tier,
    tier_of_member,
)
from server.transfers.graphql import GiftConnection, gifts_of_member

_READERS = access(Scope.MEMBERS_READ, roles=ALL_STAFF)
_BALANCE_READERS = _READERS | access(Scope.POINTS_REDEEM)
_NOT_OF_TILLS = MEMBER | STAFF
"""For what no till needs to know of a member: other people, and the day of birth."""

MAXIMUM_BALANCES = 500
First = Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")]
After = Annotated[
    str | None,
    strawberry.argument(description="The `endCursor` of the page before; null for the first page."),
]


@shown_to(MEMBER_DATA)
@strawberry.type(description="A member of the programme, and all that is theirs.")
class Member(Node):
    """A member."""

    external_id: str | None = strawberry.field(
        description="The member's id in the operator's systems; null if they have none."
    )
    name: str | None = strawberry.field(description="The name to greet with, if given.")
    birthday: date | None = strawberry.field(
        description="The day of birth, if given.", directives=[_NOT_OF_TILLS.directive]
    )
    locale: str = strawberry.field(description="The member's language, as a BCP 47 tag.")
    time_zone: str = strawberry.field(description="The member's time zone, as an IANA name.")
    enrolled_at: Instant = strawberry.field(description="Since when they are a member.")
    number: strawberry.Private[int]

    @computed(description="The member's card.", is_exact=True)
    def card(self, info: Info) -> Card:
        """The current card."""
        return cast(Card, card_of_member(info.context, self.number))

    @computed(description="The member's points.", is_exact=True)
    def points(self, info: Info) -> Points:
        """The points."""
        return cast(Points, points_of_member(info.context, self.number))

    @computed(description="The member's tier.", is_exact=True)
    def tier(self, info: Info) -> TierStatus:
        """The tier."""
        return cast(TierStatus, tier_of_member(info.context, self.number, shown_tier))

    @computed(description="Eligible spend over the whole membership.", is_exact=True)
    def eligible_spend(self, info: Info) -> Money:
        """The lifetime spend."""
        return cast(Money, tier_of_member(info.context, self.number, shown_lifetime_spend))

    @computed(description="The member's cashback.", is_exact=True)
    def cashback(self, info: Info) -> Cashback:
        """The cashback."""
        return cast(Cashback, cashback_of_member(info.context, self.number))

    @computed(
        description="How the member stands in each challenge of the programme.", is_exact=True
    )
    def challenges(self, info: Info) -> list[ChallengeStatus]:
        """The challenges."""
        return cast(list[ChallengeStatus], challenges_of_member(info.context, self.number))

    @computed(
        description="What the member bought, the newest recorded first. Keys see what their own "
        "partner sold."
    )
    async def purchases(
        self, info: Info, first: First = 20, after: After = None
    ) -> PurchaseConnection:
        """A page of purchases."""
        return await purchases_of_member(info, self.number, first=first, after=after)

    @computed(description="The vouchers that the member bought, the newest first.")
    async def vouchers(
        self, info: Info, first: First = 20, after: After = None
    ) -> VoucherConnection:
        """A page of vouchers."""
        return await vouchers_of_member(info, self.number, first=first, after=after)

    @computed(description="How many vouchers the member has bought so far.", is_exact=True)
    def vouchers_issued(self, info: Info) -> int:
        """The number of vouchers."""
        return cast(int, voucher_count_of_member(info.context, self.number))

    @computed(description="The cashback that the member asked to be paid, the newest first.")
    async def payouts(self, info: Info, first: First = 20, after: After = None) -> PayoutConnection:
        """A page of payouts."""
        return await payouts_of_member(info, self.number, first=first, after=after)

    @computed(
        description="The gifts of points that the member sent or received, newest first.",
        rule=_NOT_OF_TILLS,
    )
    async def gifts(self, info: Info, first: First = 20, after: After = None) -> GiftConnection:
        """A page of gifts."""
        return await gifts_of_member(info, self.number, first=first, after=after)

    @computed(
        description="The household that the member pools points with; null if in none.",
        rule=_NOT_OF_TILLS,
    )
    async def household(self, info: Info) -> Household | None:
        """The household."""
        return await household_of_member(info, self.number)

    @computed(
        description="What the member paid at tills with points, cashback and vouchers, the "
        "newest first."
    )
    async def payments(
        self, info: Info, first: First = 20, after: After = None
    ) -> PaymentConnection:
        """A page of payments."""
        return await payments_of_member(info, self.number, first=first, after=after)

    @computed(description="What is reserved at tills for the member now, the newest first.")
    async def holds(self, info: Info) -> list[Hold]:
        """The open holds."""
        return await holds_of_member(info, self.number)

    @computed(description="The member's statement of points, the newest line first.", is_exact=True)
    def activity(self, info: Info, first: First = 20, after: After = None) -> ActivityConnection:
        """A page of the statement."""
        page = activity_of_member(info.context, self.number, first=first, after=after)
        return cast(ActivityConnection, page)

    @computed(
        description="Why a balance is what it is: at any instant, past or future, the lots, the "
        "rule and programme version behind each, what used them and what expires when; in words of "
        "the caller's language, or of the member's where the caller states none."
    )
    async def explain_balance(
        self,
        info: Info,
        asset: Annotated[
            BalanceAsset, strawberry.argument(description="Points or cashback.")
        ] = BalanceAsset.POINTS,
        at: Annotated[
            Instant | None,
            strawberry.argument(description="The instant; now if left out."),
        ] = None,
    ) -> BalanceExplanation:
        """The balance, explained."""
        return await balance_explained(info, self.number, asset=asset, at=at, locale=self.locale)


def _shown(profile: Profile) -> Member:
    return Member(
        id=nodes.global_id("Member", profile.id),
        external_id=profile.external_id,
        name=profile.name,
        birthday=None if profile.birthday is None else date.fromisoformat(profile.birthday),
        locale=profile.locale,
        time_zone=profile.time_zone,
        enrolled_at=profile.enrolled_at,
        number=profile.id,
    )


async def _member(info: Info, member_id: int) -> Member | None:
    profile = await read_member(info.context, member_id)
    return None if profile is None else _shown(profile)


async def own_member(context: Context) -> Member:
    """The signed-in member. Raises RequestRefused for an account that belongs to none."""
    profile = await read_member(context, context.principal.member_id or 0)
    if profile is None:
        raise RequestRefused("FORBIDDEN", "account.no_member", status=403)
    return _shown(profile)


@nodes.fetches("Member")
async def _member_node(info: Info, member_id: int) -> Member | None:
    principal = info.context.principal
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    if not is_own:
        # The id of a duplicate that was merged leads to the member whom it was merged into.
        member_id = (await members.survivors([member_id])).get(member_id, member_id)
        is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    return await _member(info, member_id) if is_own or _READERS.allows(principal) else None


@shown_to(_READERS)
@strawberry.type(description="A member with their place in the list.")
class MemberEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The member's place, for `after`.")
    node: Member = strawberry.field(description="The member.")


@shown_to(_READERS)
@strawberry.type(description="A page of members, in the order in which they joined.")
class MemberConnection:
    """Relay's connection."""

    edges: list[MemberEdge] = strawberry.field(description="The members with their places.")
    nodes: list[Member] = strawberry.field(description="The members alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(_BALANCE_READERS)
@strawberry.type(description="What a member whom another system knows by an id can spend.")
class PointBalance:
    """One balance of several."""

    external_id: str = strawberry.field(description="The member's id in the operator's systems.")
    available: int = strawberry.field(description="Points that can be spent now.")
    pending: int = strawberry.field(description="Points that become available later.")


@strawberry.type
class MembershipQueries:
    """The root fields that read members."""

    @exact
    @query(MEMBER, description="The signed-in member: the home screen in one round trip.")
    async def me(self, info: Info) -> Member:
        """The caller."""
        return await own_member(info.context)

    @query(
        _READERS,
        description="One member, found by id, external id or card number; null if none is found. A "
        "blocked or replaced card finds no one.",
    )
    async def member(
        self,
        info: Info,
        by: Annotated[MemberReference, strawberry.argument(description="Who is meant.")],
    ) -> Member | None:
        """A member by reference."""
        try:
            reference = member_reference(by)
            assert reference is not None, "the schema requires it"
            return await _member(info, await cards.member_of(reference, path=("by",)))
        except DomainError:
            return None

    @query(_READERS, description="All members, in the order in which they joined.")
    async def members(self, info: Info, first: First = 20, after: After = None) -> MemberConnection:
        """A page of members."""
        limit, position = pages.page(first, after)
        page = await members.page_of_members(first=limit, after_id=position or 0)
        if page.members and info.context.asked is not None:
            await read_members(info.context, [profile.id for profile in page.members])
        return pages.connected(
            MemberConnection,
            MemberEdge,
            [(profile.id, _shown(profile)) for profile in page.members],
            has_next=page.has_next,
            after=after,
        )

    @query(
        _BALANCE_READERS,
        description="What several members can spend, in the order asked; unknown ids are left out.",
    )
    async def point_balances(
        self,
        info: Info,
        external_ids: Annotated[
            list[str],
            strawberry.argument(description="Ids of the operator's systems: up to 500."),
        ],
    ) -> list[PointBalance]:
        """Balances by external id."""
        if len(external_ids) > MAXIMUM_BALANCES:
            raise RequestRefused(
                "INVALID_INPUT",
                "argument.ids",
                name="externalIds",
                given=len(external_ids),
                maximum=MAXIMUM_BALANCES,
            )
        found = await members.members_by_external_id(external_ids)
        balances = await ledger.balances(found.values(), info.context.at) if found else {}
        return [
            _balance(external_id, balances.get((found[external_id], POINTS)))
            for external_id in external_ids
            if external_id in found
        ]

    @query(
        EVERYONE,
        description="The thing with this id, as far as the caller may see it; null if there is "
        "none, or none for this caller.",
    )
    async def node(
        self,
        info: Info,
        opaque_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="A global id.")
        ],
    ) -> Node | None:
        """Relay's node."""
        return cast(Node | None, await nodes.find(info, opaque_id))


def _balance(external_id: str, balance: ledger.Balance | None) -> PointBalance:
    usable = balance or ledger.Balance()
    return PointBalance(external_id=external_id, available=usable.available, pending=usable.pending)
