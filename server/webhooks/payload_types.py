"""What webhooks say: one type for each event, version 1 of each.

A field may be added to a version; whoever reads them passes over what it does not know. What would
break a reader becomes a new version.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

_Member = Annotated[str, Meta(description="The member's id in the GraphQL API.")]
_Points = Annotated[int, Meta(description="How many points, above 0.")]
_Reason = Annotated[
    str, Meta(description="Why, in capital letters: PURCHASE, WELCOME, REDEMPTION and the like.")
]


class Money(Struct, frozen=True, rename="camel"):
    """An amount of money."""

    amount: Annotated[str, Meta(description="An exact decimal, such as 12.50.")]
    currency_code: Annotated[str, Meta(description="ISO 4217, such as EUR.")]


class MemberCreated(Struct, frozen=True, rename="camel"):
    """Somebody has become a member."""

    member_id: _Member


class MemberUpdated(Struct, frozen=True, rename="camel"):
    """A member's profile has changed: ask for it by the id."""

    member_id: _Member


class MemberMerged(Struct, frozen=True, rename="camel"):
    """A duplicate was merged: what was its own is another member's."""

    member_id: Annotated[str, Meta(description="The duplicate's id.")]
    into_member_id: Annotated[str, Meta(description="Whose everything is now.")]


class ConsentChanged(Struct, frozen=True, rename="camel"):
    """A member has agreed to something, or does so no more."""

    member_id: _Member
    is_given: Annotated[bool, Meta(description="Whether it is agreed to from now on.")]
    purpose: Annotated[
        str | None, Meta(description="What it is about, such as EMAIL or PROFILING.")
    ] = None
    channel: Annotated[
        str | None, Meta(description="PUSH, EMAIL or IN_APP, if it is about messages.")
    ] = None
    category: Annotated[
        str | None, Meta(description="OFFERS, POINTS or CHALLENGES, if it is about messages.")
    ] = None


class PurchaseRecorded(Struct, frozen=True, rename="camel"):
    """A purchase was recorded, with what it brought."""

    member_id: _Member
    purchase_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]
    external_id: Annotated[str, Meta(description="The till's own id of it.")]
    partner: Annotated[str, Meta(description="Whose till or shop it was.")]
    net: Annotated[Money, Meta(description="Sales less coupons of all lines.")]
    eligible: Annotated[Money, Meta(description="What of it counts.")]
    points: Annotated[int, Meta(description="All points that it brought.")]
    cashback: Annotated[Money, Meta(description="All cashback that it brought.")]


class PurchaseReturned(Struct, frozen=True, rename="camel"):
    """Goods of a purchase came back."""

    member_id: _Member
    purchase_id: Annotated[str, Meta(description="The purchase's id in the GraphQL API.")]
    return_id: Annotated[str, Meta(description="The return's id in the GraphQL API.")]
    external_id: Annotated[str, Meta(description="The till's own id of the return.")]
    partner: Annotated[str, Meta(description="Whose till or shop it was.")]
    points: Annotated[int, Meta(description="Points that were undone.")]
    cashback: Annotated[Money, Meta(description="Cashback that was undone.")]
    refund: Annotated[Money | None, Meta(description="The money that is paid back.")] = None


class PointsEarned(Struct, frozen=True, rename="camel"):
    """A member was given points."""

    member_id: _Member
    points: _Points
    reason: _Reason
    purchase_id: Annotated[
        str | None, Meta(description="The purchase that gave them, if one did.")
    ] = None
    available_at: Annotated[
        datetime | None, Meta(description="From when on the first of them can be spent.")
    ] = None
    expires_at: Annotated[
        datetime | None, Meta(description="When the first of them lapse; null if none ever do.")
    ] = None


class PointsRedeemed(Struct, frozen=True, rename="camel"):
    """A member has spent points."""

    member_id: _Member
    points: _Points
    reason: _Reason


class PointsReversed(Struct, frozen=True, rename="camel"):
    """Points were taken back, because what had given them was undone."""

    member_id: _Member
    points: _Points
    reason: _Reason
    purchase_id: Annotated[
        str | None, Meta(description="The purchase that had given them, if one had.")
    ] = None


class PointsExpired(Struct, frozen=True, rename="camel"):
    """Points lapsed unused, at the timestamp; told within about an hour."""

    member_id: _Member
    points: _Points


class CashbackAccrued(Struct, frozen=True, rename="camel"):
    """A member was given cashback."""

    member_id: _Member
    amount: Annotated[Money, Meta(description="How much.")]
    available_at: Annotated[
        datetime | None, Meta(description="From when on the first of it can be used.")
    ] = None


class TierChanged(Struct, frozen=True, rename="camel"):
    """A member has another tier."""

    member_id: _Member
    before: Annotated[str, Meta(description="The name of the tier until then.")]
    after: Annotated[str, Meta(description="The name of the tier from then on.")]


class ChallengeCompleted(Struct, frozen=True, rename="camel"):
    """A member has completed a challenge."""

    member_id: _Member
    challenge: Annotated[str, Meta(description="The challenge's key.")]
    points: Annotated[int, Meta(description="The points that it gave.")]
    times: Annotated[int, Meta(description="How often they have completed it by now.")]


class VoucherIssued(Struct, frozen=True, rename="camel"):
    """A member has a new voucher; its code is theirs alone."""

    member_id: _Member
    voucher_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]
    value: Annotated[Money, Meta(description="What it is worth.")]


class OrderChanged(Struct, frozen=True, rename="camel"):
    """An order of a reward was placed, or is further on."""

    member_id: _Member
    order_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]
    reward: Annotated[str, Meta(description="The reward's key.")]
    state: Annotated[str, Meta(description="ISSUED, READY, DELIVERED or CANCELLED.")]


class ReferralRewarded(Struct, frozen=True, rename="camel"):
    """A referral has brought a member something."""

    member_id: _Member
    referral_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]
    role: Annotated[str, Meta(description="What the member is in it, in capital letters.")]
    points: Annotated[int, Meta(description="The points that it brought them.")]


class DefinitionPublished(Struct, frozen=True, rename="camel"):
    """An offer, a campaign or another document of the shop's was published."""

    kind: Annotated[str, Meta(description="What it is, such as offer.")]
    key: Annotated[str, Meta(description="Its key.")]
    version: Annotated[int, Meta(description="Which version of it.")]


class NotificationOpened(Struct, frozen=True, rename="camel"):
    """A member has opened a message."""

    member_id: _Member
    notification_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]


class WebhookDisabled(Struct, frozen=True, rename="camel"):
    """Another webhook was disabled, for its endpoint has failed for too long or is gone."""

    webhook_id: Annotated[str, Meta(description="Its id in the GraphQL API.")]


class Ping(Struct, frozen=True, rename="camel"):
    """What `testWebhook` sends."""

    webhook_id: Annotated[str, Meta(description="The webhook that is tested.")]
