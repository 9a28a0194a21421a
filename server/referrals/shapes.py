"""The types in which the schema shows referrals."""

from enum import Enum
from typing import Annotated

import strawberry

from server.clock import Instant
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, OPERATORS, STAFF, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import BigInt, Money
from server.principal import Scope
from server.referrals.rules import Doubt, ReferralState
from server.referrals.views import SeenState

OWN = MEMBER | STAFF
DECIDERS = access(roles=OPERATORS)
TELLERS = access(Scope.PURCHASES_WRITE, members=True, roles=OPERATORS)

described(
    SeenState,
    name="FriendState",
    description="How far it is with a friend.",
    WAITING="The friend's first purchase that counts is waited for.",
    UNDER_REVIEW="Somebody looks at it.",
    PENDING="The rewards are given, and can be used once the time for returns has passed.",
    REWARDED="The rewards can be used.",
    RETURNED="The purchase was returned, and the rewards were taken back.",
    EXPIRED="The friend has bought nothing that counts in time.",
    DECLINED="It does not count.",
)
described(
    ReferralState,
    description="What has become of a referral.",
    WAITING="The friend's first purchase that counts is waited for, or did not come in time.",
    HELD="Staff have to decide.",
    BLOCKED="A doubt was enough to give nothing; staff may decide otherwise.",
    REJECTED="Staff have refused it.",
    REWARDED="What was promised is given.",
    RETURNED="The purchase was returned; not all that was given could be taken back.",
)
described(
    Doubt,
    name="ReferralDoubt",
    description="Why a referral is looked at.",
    SAME_PERSON="Both sign in with one mailbox.",
    SAME_DEVICE="The friend shares a device with the inviter or another of their friends.",
    SAME_PAYMENT="The friend shares a means of payment with one of them.",
    SAME_ADDRESS="The friend shares an address with one of them.",
    SAME_HOUSEHOLD="Both are in one household of the programme.",
    RING="The friend has brought the inviter, or whoever brought them.",
    VELOCITY="Too many friends came through the inviter in too short a time.",
)


@shown_to(OWN)
@strawberry.type(description="What one of the two gets for a referral.")
class ReferralReward:
    """A reward."""

    points: int = strawberry.field(description="Points; 0 for none.")
    cashback: Money = strawberry.field(description="Cashback; 0 for none.")


@shown_to(OWN)
@strawberry.type(description="What counts for friends who come now.")
class ReferralTerms:
    """The terms."""

    inviter_reward: ReferralReward = strawberry.field(
        description="What who brings a friend gets, within `perMonth`, `perYear` and `inTotal`."
    )
    friend_reward: ReferralReward = strawberry.field(description="What the friend gets.")
    minimum_purchase: Money = strawberry.field(
        description="The eligible spend of the friend's first purchase that counts, at least."
    )
    within_days: int = strawberry.field(
        description="Up to so many days after enrolment the purchase may be made."
    )
    accept_within_days: int = strawberry.field(
        description="Up to so many days after enrolment acceptReferral takes a code; 0 is only on "
        "that day."
    )
    return_period_days: int = strawberry.field(
        description="So many days after the purchase the rewards can be used."
    )
    per_month: int | None = strawberry.field(
        description="For how many friends of a month the inviter is rewarded; null for all."
    )
    per_year: int | None = strawberry.field(description="The same for a year.")
    in_total: int | None = strawberry.field(description="The same altogether.")


@shown_to(OWN)
@strawberry.type(description="More points for having brought so many friends.")
class ReferralMilestone:
    """A milestone."""

    friends: int = strawberry.field(description="How many friends.")
    points: int = strawberry.field(description="Points, beside those for each friend.")
    is_reached: bool = strawberry.field(description="Whether the member has got them.")


@shown_to(OWN)
@strawberry.type(description="A friend whom the member brought.")
class ReferredFriend:
    """A friend."""

    id: strawberry.ID = strawberry.field(description="The referral's opaque id.")
    name: str | None = strawberry.field(
        description="The friend's first name, and nothing else of them; null if they gave none."
    )
    state: SeenState = strawberry.field(description="How far it is.")
    came_at: Instant = strawberry.field(description="When the friend took up the code.")
    points: int = strawberry.field(description="What the member got for it: points.")
    cashback: Money = strawberry.field(description="What the member got for it: cashback.")
    available_at: Instant | None = strawberry.field(
        description="From when on that can be used; null while nothing is given."
    )


@shown_to(OWN)
@strawberry.type(description="How a member came who was brought by a friend.")
class OwnReferral:
    """The member as a friend."""

    state: SeenState = strawberry.field(description="How far it is.")
    points: int = strawberry.field(description="What the member got for coming: points.")
    cashback: Money = strawberry.field(description="What the member got for coming: cashback.")
    available_at: Instant | None = strawberry.field(
        description="From when on that can be used; null while nothing is given."
    )


@shown_to(OWN)
@strawberry.type(description="A friend with their place in the list.")
class ReferredFriendEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The friend's place, for `after`.")
    node: ReferredFriend = strawberry.field(description="The friend.")


@shown_to(OWN)
@strawberry.type(description="A page of the friends whom a member brought, the newest first.")
class ReferredFriendConnection:
    """Relay's connection."""

    edges: list[ReferredFriendEdge] = strawberry.field(description="The friends, with places.")
    nodes: list[ReferredFriend] = strawberry.field(description="The friends alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(STAFF)
@strawberry.type(description="That a member has brought another one, as staff see it.")
class Referral:
    """A referral."""

    id: strawberry.ID = strawberry.field(description="The referral's opaque id.")
    inviter_id: strawberry.ID = strawberry.field(description="The id of who brought the friend.")
    friend_id: strawberry.ID = strawberry.field(description="The friend's id as a member.")
    programme: str = strawberry.field(description="The key of the referral programme.")
    version: int = strawberry.field(description="Its version when the friend came, which counts.")
    state: ReferralState = strawberry.field(description="What has become of it.")
    doubts: list[Doubt] = strawberry.field(description="Why it is or was looked at.")
    accepted_at: Instant = strawberry.field(description="When the friend took up the code.")
    purchase_id: strawberry.ID | None = strawberry.field(
        description="The friend's purchase that counts; null if there is none."
    )
    granted_at: Instant | None = strawberry.field(
        description="When the rewards count as earned; null while nothing is given."
    )
    available_at: Instant | None = strawberry.field(
        description="From when on they can be used; null while nothing is given."
    )
    is_capped: bool = strawberry.field(
        description="Whether the inviter has got nothing because of a cap."
    )
    inviter_points: int = strawberry.field(description="Points that the inviter got.")
    inviter_cashback: Money = strawberry.field(description="Cashback that the inviter got.")
    friend_points: int = strawberry.field(description="Points that the friend got.")
    friend_cashback: Money = strawberry.field(description="Cashback that the friend got.")
    decided_by: BigInt | None = strawberry.field(
        description="The number of the account of who decided; null if nobody had to."
    )
    decided_at: Instant | None = strawberry.field(description="When that was; null likewise.")
    note: str | None = strawberry.field(description="Why; null likewise.")


@shown_to(STAFF)
@strawberry.type(description="A referral with its place in the list.")
class ReferralEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The referral's place, for `after`.")
    node: Referral = strawberry.field(description="The referral.")


@shown_to(STAFF)
@strawberry.type(description="A page of referrals, the newest first.")
class ReferralConnection:
    """Relay's connection."""

    edges: list[ReferralEdge] = strawberry.field(description="The referrals, with places.")
    nodes: list[Referral] = strawberry.field(description="The referrals alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


# ---------------------------------------------------------------- inputs and results

_MARK = (
    "any text of 1 to 200 printable characters, always the same for the same one; it is kept as a "
    "keyed hash alone"
)


@strawberry.input(description="Through whom the signed-in member came.")
class AcceptReferralInput:
    """Input of acceptReferral."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    referral_code: str = strawberry.field(
        description="The other member's code; case, spaces and dashes do not matter."
    )
    device_id: str | None = strawberry.field(
        default=None, description=f"What the app knows the device by: {_MARK}."
    )
    payment_fingerprint: str | None = strawberry.field(
        default=None, description=f"What a means of payment is known by: {_MARK}."
    )
    address_fingerprint: str | None = strawberry.field(
        default=None, description=f"What an address is known by: {_MARK}."
    )


@strawberry.input(description="What a member uses, to tell people apart.")
class NoteMemberMarksInput:
    """Input of noteMemberMarks."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Whose they are; the signed-in member, if left out. Members may name no one.",
    )
    device_id: str | None = strawberry.field(default=None, description=f"A device: {_MARK}.")
    payment_fingerprint: str | None = strawberry.field(
        default=None, description=f"A means of payment: {_MARK}."
    )
    address_fingerprint: str | None = strawberry.field(
        default=None, description=f"An address: {_MARK}."
    )


@strawberry.enum(description="What staff decide about a referral.")
class ReferralDecision(Enum):
    """A decision."""

    APPROVE = strawberry.enum_value(
        "approve",
        description="It counts: both are rewarded now if the friend's purchase is there, and else "
        "once it is.",
    )
    REJECT = strawberry.enum_value("reject", description="Nothing is given.")


@strawberry.input(description="What to decide about which referral.")
class DecideReferralInput:
    """Input of decideReferral."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    referral_id: strawberry.ID = strawberry.field(description="The referral's id.")
    decision: ReferralDecision = strawberry.field(description="The decision.")
    reason: str = strawberry.field(description="Why, for colleagues: 3 to 500 characters.")


@shown_to(MEMBER)
@strawberry.type(description="It is noted through whom the member came.")
class ReferralAccepted:
    """Success of acceptReferral."""

    referral: OwnReferral = strawberry.field(description="How far it is.")


@shown_to(TELLERS)
@strawberry.type(description="It is noted what the member uses.")
class MemberMarksNoted:
    """Success of noteMemberMarks."""

    member_id: strawberry.ID = strawberry.field(description="The member's id.")


@shown_to(DECIDERS)
@strawberry.type(description="Staff have decided about a referral.")
class ReferralDecided:
    """Success of decideReferral."""

    referral: Referral = strawberry.field(
        description="The referral, decided.", directives=[DECIDERS.directive]
    )


AcceptReferralResult = Annotated[
    ReferralAccepted | InvalidInput | NotAllowed | AlreadyDecided | IdempotencyConflict,
    strawberry.union("AcceptReferralResult", description="How far it is, or why it's not noted."),
]
NoteMemberMarksResult = Annotated[
    MemberMarksNoted | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("NoteMemberMarksResult", description="The member, or why it's not noted."),
]
DecideReferralResult = Annotated[
    ReferralDecided | InvalidInput | NotFound | NotAllowed | AlreadyDecided | IdempotencyConflict,
    strawberry.union("DecideReferralResult", description="The referral, or why it's undecided."),
]
