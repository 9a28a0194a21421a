"""A member in the schema: what the phone shows, joined from every domain."""

from datetime import date
from typing import Annotated, cast

import strawberry

from server.actions.graphql import RewardedAction, actions_of_member
from server.cards.graphql import Card, card_of_member
from server.cashback.graphql import Cashback, cashback_of_member
from server.catalogue.browsing_graphql import (
    Affordable,
    Category,
    drops_of_member,
    orders_of_member,
    rewards_of_member,
)
from server.catalogue.drop_shapes import MemberDrop
from server.catalogue.order_shapes import RewardOrderConnection
from server.catalogue.shapes import MemberRewardConnection
from server.challenges.graphql import ChallengeStatus, challenges_of_member
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Context, Info
from server.edge.fields import computed
from server.edge.nodes import Node
from server.edge.permissions import (
    ALL_STAFF,
    MEMBER,
    MEMBER_DATA,
    STAFF,
    access,
    shown_to,
)
from server.edge.refusing import RequestRefused
from server.edge.scalars import Money
from server.explanations.graphql import BalanceAsset, BalanceExplanation, balance_explained
from server.households.shapes import Household, household_of_member
from server.ledger.graphql import (
    ActivityConnection,
    Points,
    activity_of_member,
    points_of_member,
)
from server.members import service as members
from server.members.consent_changes import ConsentChangeConnection, consent_changes_of_member
from server.members.consent_mutations import Consent, consents_of_member
from server.members.service import Profile
from server.membership.home import read_member
from server.notifications.choice_mutations import (
    MessageChoice,
    MessageChoiceChangeConnection,
    changes_of_member,
    choices_of_member,
)
from server.notifications.device_mutations import Device, devices_of_member
from server.notifications.inbox_mutations import (
    NotificationConnection,
    inbox_of_member,
    unread_count_of_member,
)
from server.notifications.quiet_mutations import QuietHours, quiet_hours_of_member
from server.offers.eligible import OfferState
from server.offers.graphql import MemberOfferConnection, offers_of_member
from server.payments.graphql import (
    Hold,
    PaymentConnection,
    holds_of_member,
    payments_of_member,
)
from server.payouts.graphql import payouts_of_member
from server.payouts.shapes import PayoutConnection
from server.plans.graphql import plan_of_member
from server.plans.shapes import PlanSubscription
from server.principal import PrincipalKind, Scope
from server.purchases.purchase_type import PurchaseConnection, purchases_of_member
from server.referrals.graphql import MemberReferral, referral_of_member
from server.rewards.graphql import VoucherConnection, voucher_count_of_member, vouchers_of_member
from server.segments.graphql import Segment, segments_of_member
from server.tiers.graphql import (
    TierStatus,
    shown_lifetime_spend,
    shown_tier,
    tier_of_member,
)
from server.transfers.graphql import GiftConnection, gifts_of_member

READERS = access(Scope.MEMBERS_READ, roles=ALL_STAFF)
"""Who may read all members."""
_NOT_OF_TILLS = MEMBER | STAFF
"""For what no till needs to know of a member: other people, and the day of birth."""
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

    @computed(
        description="The rewards that can be ordered now, the cheapest in points first: what is "
        "for everybody, for a tier, or for a segment that the member is in."
    )
    async def rewards(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        category: Category = None,
        affordable: Affordable = False,
    ) -> MemberRewardConnection:
        """A page of the catalogue."""
        return await rewards_of_member(
            info,
            self.number,
            first=first,
            after=after,
            category=category,
            affordable=affordable,
        )

    @computed(
        description="The offers that are for the member and have begun for them, early access "
        "included, the newest first."
    )
    async def offers(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        state: Annotated[
            OfferState | None,
            strawberry.argument(description="Only those that stand so; all if null."),
        ] = OfferState.AVAILABLE,
        is_activated: Annotated[
            bool | None,
            strawberry.argument(
                description="Only those that the member has activated, or has not; all if null."
            ),
        ] = None,
    ) -> MemberOfferConnection:
        """A page of offers."""
        return await offers_of_member(
            info,
            self.number,
            first=first,
            after=after,
            state=state,
            is_activated=is_activated,
        )

    @computed(description="What the member ordered from the catalogue, the newest first.")
    async def reward_orders(
        self, info: Info, first: First = 20, after: After = None
    ) -> RewardOrderConnection:
        """A page of orders."""
        return await orders_of_member(info, self.number, first=first, after=after)

    @computed(
        description="The flash drops that have not ended, the first to open first, and the "
        "member's place in the line of each."
    )
    async def drops(self, info: Info) -> list[MemberDrop]:
        """The drops."""
        return await drops_of_member(info, self.number)

    @computed(
        description="The membership plan that the member has, or has asked for and is to pay; null "
        "without one."
    )
    async def plan(self, info: Info) -> PlanSubscription | None:
        """The plan."""
        return await plan_of_member(info, self.number)

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
        description="How the member brings friends, and what they got for it.", rule=_NOT_OF_TILLS
    )
    async def referral(self, info: Info) -> MemberReferral:
        """The referral."""
        return await referral_of_member(info, self.number)

    @computed(
        description="What the member is rewarded for beside buying, in the order of the keys."
    )
    async def actions(self, info: Info) -> list[RewardedAction]:
        """The actions."""
        return await actions_of_member(info, self.number)

    @computed(
        description="The household that the member pools points with; null if in none.",
        rule=_NOT_OF_TILLS,
    )
    async def household(self, info: Info) -> Household | None:
        """The household."""
        return await household_of_member(info, self.number)

    @computed(
        description="What the member agrees to that their data are used for, each use once.",
        rule=_NOT_OF_TILLS,
    )
    async def consents(self, info: Info) -> list[Consent]:
        """The consents."""
        return await consents_of_member(info, self.number)

    @computed(
        description="What was stated of the member's consents (setConsent), the newest first: the "
        "evidence, which is kept for ever.",
        rule=_NOT_OF_TILLS,
    )
    async def consent_changes(
        self, info: Info, first: First = 20, after: After = None
    ) -> ConsentChangeConnection:
        """A page of the evidence."""
        return await consent_changes_of_member(info, self.number, first=first, after=after)

    @computed(
        description="The apps that push messages to the member reach, the one that was seen last "
        "first; at most 20.",
        rule=_NOT_OF_TILLS,
    )
    async def devices(self, info: Info) -> list[Device]:
        """The devices."""
        return await devices_of_member(info, self.number)

    @computed(
        description="Which messages the member gets: each category on each channel once, 12 in "
        "all.",
        rule=_NOT_OF_TILLS,
    )
    async def message_choices(self, info: Info) -> list[MessageChoice]:
        """The choices."""
        return await choices_of_member(info, self.number)

    @computed(
        description="What was stated of the member's message choices, the newest first: the "
        "evidence, which is kept for ever.",
        rule=_NOT_OF_TILLS,
    )
    async def message_choice_changes(
        self, info: Info, first: First = 20, after: After = None
    ) -> MessageChoiceChangeConnection:
        """A page of the evidence."""
        return await changes_of_member(info, self.number, first=first, after=after)

    @computed(
        description="When the member gets no marketing by push or e-mail; null if at any time.",
        rule=_NOT_OF_TILLS,
    )
    async def quiet_hours(self, info: Info) -> QuietHours | None:
        """The quiet hours."""
        return await quiet_hours_of_member(info, self.number)

    @computed(
        description="The messages to the member that have not expired, the newest first.",
        rule=_NOT_OF_TILLS,
    )
    async def inbox(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        unread_only: Annotated[
            bool, strawberry.argument(description="Only those that the member has not read.")
        ] = False,
    ) -> NotificationConnection:
        """A page of the inbox."""
        return await inbox_of_member(
            info, self.number, first=first, after=after, unread_only=unread_only
        )

    @computed(
        description="How many messages of the inbox the member has not read, at least 0.",
        rule=_NOT_OF_TILLS,
    )
    async def unread_count(self, info: Info) -> int:
        """The number of unread messages."""
        return await unread_count_of_member(info, self.number)

    @computed(
        description="The segments that the member is in now, in the order of their keys.",
        rule=STAFF,
    )
    async def segments(self, info: Info) -> list[Segment]:
        """The segments."""
        return await segments_of_member(info, self.number)

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


def shown(profile: Profile) -> Member:
    """The member in the schema."""
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


async def member_shown(info: Info, member_id: int) -> Member | None:
    """The member with the id; None if there is none."""
    profile = await read_member(info.context, member_id)
    return None if profile is None else shown(profile)


async def own_member(context: Context) -> Member:
    """The signed-in member. Raises RequestRefused for an account that belongs to none."""
    profile = await read_member(context, context.principal.member_id or 0)
    if profile is None:
        raise RequestRefused("FORBIDDEN", "account.no_member", status=403)
    return shown(profile)


@nodes.fetches("Member")
async def _member_node(info: Info, member_id: int) -> Member | None:
    principal = info.context.principal
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    if not is_own:
        # The id of a duplicate that was merged leads to the member whom it was merged into.
        member_id = (await members.survivors([member_id])).get(member_id, member_id)
        is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == member_id
    return await member_shown(info, member_id) if is_own or READERS.allows(principal) else None
