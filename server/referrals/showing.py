"""Referrals as the schema shows them."""

import msgspec

from server import clock
from server.edge import nodes
from server.edge.scalars import BigInt, Money
from server.programme import service as programme
from server.referrals.documents import ReferralProgramme, Reward
from server.referrals.service import ReferralView, SeenReferral, SeenState
from server.referrals.shapes import (
    OwnReferral,
    Referral,
    ReferralReward,
    ReferralTerms,
    ReferredFriend,
)


class Currency(msgspec.Struct, frozen=True):
    """In what money is told."""

    code: str
    digits: int

    def money(self, minor: int) -> Money:
        """An amount."""
        return Money.of(minor, self.code, self.digits)


async def currency_now() -> Currency:
    """The programme's currency now."""
    identity = (await programme.rulebook()).at(clock.now()).programme.programme
    return Currency(identity.currency, identity.minor_unit_digits)


def terms_shown(terms: ReferralProgramme, currency: Currency) -> ReferralTerms:
    """The terms in the schema."""
    return ReferralTerms(
        inviter_reward=reward_shown(terms.inviter, currency),
        friend_reward=reward_shown(terms.friend, currency),
        minimum_purchase=currency.money(terms.minimum_purchase_minor),
        within_days=terms.within_days,
        accept_within_days=terms.accept_within_days,
        return_period_days=terms.return_period_days,
        per_month=terms.caps.per_month,
        per_year=terms.caps.per_year,
        in_total=terms.caps.total,
    )


def reward_shown(reward: Reward, currency: Currency) -> ReferralReward:
    """A reward in the schema."""
    return ReferralReward(points=reward.points, cashback=currency.money(reward.cashback_minor))


def own_shown(seen: SeenReferral, currency: Currency) -> OwnReferral:
    """A referral as the friend sees it."""
    referral = seen.referral
    is_given = seen.state in (SeenState.PENDING, SeenState.REWARDED)
    return OwnReferral(
        state=seen.state,
        points=referral.friend_points if is_given else 0,
        cashback=currency.money(referral.friend_cashback_minor if is_given else 0),
        available_at=referral.available_at if is_given else None,
    )


def friend_shown(seen: SeenReferral, currency: Currency) -> ReferredFriend:
    """A referral as the inviter sees it."""
    referral = seen.referral
    is_given = seen.state in (SeenState.PENDING, SeenState.REWARDED)
    return ReferredFriend(
        id=nodes.global_id("Referral", referral.id),
        name=seen.friend_name,
        state=seen.state,
        came_at=referral.accepted_at,
        points=referral.inviter_points if is_given else 0,
        cashback=currency.money(referral.inviter_cashback_minor if is_given else 0),
        available_at=referral.available_at if is_given else None,
    )


def referral_shown(view: ReferralView, currency: Currency) -> Referral:
    """A referral as staff see it."""
    purchase_id = view.purchase_id
    return Referral(
        id=nodes.global_id("Referral", view.id),
        inviter_id=nodes.global_id("Member", view.inviter_id),
        friend_id=nodes.global_id("Member", view.friend_id),
        programme=view.programme,
        version=view.version,
        state=view.state,
        doubts=list(view.doubts),
        accepted_at=view.accepted_at,
        purchase_id=None if purchase_id is None else nodes.global_id("Purchase", purchase_id),
        granted_at=view.granted_at,
        available_at=view.available_at,
        is_capped=view.is_capped,
        inviter_points=view.inviter_points,
        inviter_cashback=currency.money(view.inviter_cashback_minor),
        friend_points=view.friend_points,
        friend_cashback=currency.money(view.friend_cashback_minor),
        decided_by=None if view.decided_by is None else BigInt(view.decided_by),
        decided_at=view.decided_at,
        note=view.note,
    )
