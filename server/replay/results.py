"""The operations that read a replay's results, and the shapes of their answers."""

from decimal import Decimal

from msgspec import Struct

from server.replay.operations import Operation


class Money(Struct):
    """An amount in major units."""

    amount: Decimal


class Points(Struct, rename="camel"):
    """A member's points."""

    available: int
    pending: int
    lifetime_earned: int
    lifetime_redeemed: int
    lifetime_expired: int


class Cashback(Struct, rename="camel"):
    """A member's cashback."""

    available: Money
    pending: Money
    lifetime_accrued: Money
    lifetime_capped: Money


class Tier(Struct):
    """A member's tier."""

    name: str
    changes: int


class Streak(Struct):
    """A challenge's streak."""

    completions: int


class Challenge(Struct):
    """A member's progress in a challenge."""

    key: str
    completions: int
    streak: Streak | None = None


class Member(Struct, rename="camel"):
    """A member; those of other origin have no external id."""

    external_id: str | None
    points: Points
    vouchers_issued: int
    cashback: Cashback
    eligible_spend: Money
    tier: Tier
    challenges: list[Challenge]


class MemberEdge(Struct):
    """A member's place in a page."""

    node: Member


class PageInfo(Struct, rename="camel"):
    """Whether and where there is more."""

    has_next_page: bool
    end_cursor: str | None


class MemberPage(Struct, rename="camel"):
    """Some of the members."""

    edges: list[MemberEdge]
    page_info: PageInfo


class MembersData(Struct):
    """Data of MEMBERS."""

    members: MemberPage


MEMBERS = Operation(
    "Members",
    """query Members($first: Int!, $after: String) {
  members(first: $first, after: $after) {
    edges {
      node {
        externalId
        points { available pending lifetimeEarned lifetimeRedeemed lifetimeExpired }
        vouchersIssued
        cashback {
          available { amount } pending { amount }
          lifetimeAccrued { amount } lifetimeCapped { amount }
        }
        eligibleSpend { amount }
        tier { name changes }
        challenges { key completions streak { completions } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}""",
    MembersData,
)


class TierCount(Struct):
    """How many members are in a tier."""

    tier: str
    members: int


class Month(Struct, rename="camel"):
    """A month of the programme; BigInt and Decimal come as texts."""

    month: str
    new_members: int
    active_members: int
    repeat_members: int
    purchases: int
    net_minor: str
    eligible_minor: str
    repeat_purchase_rate: Decimal
    purchase_frequency: Decimal
    average_basket_minor: Decimal
    points_earned: str
    points_redeemed: str
    points_expired: str
    points_outstanding: str
    vouchers_issued: int
    cashback_accrued_minor: str
    cashback_capped_minor: str
    cashback_outstanding_minor: str
    liability_minor: str
    redemption_rate: Decimal
    breakage_rate: Decimal
    members_by_tier: list[TierCount]


class RetentionCell(Struct, rename="camel"):
    """How many of a month's new members were active in a month."""

    cohort: str
    month: str
    cohort_size: int
    active_members: int
    retention: Decimal


class Insights(Struct):
    """The programme's figures."""

    months: list[Month]
    retention: list[RetentionCell]


class InsightsData(Struct):
    """Data of INSIGHTS."""

    insights: Insights


INSIGHTS = Operation(
    "Insights",
    """query Insights {
  insights {
    months {
      month newMembers activeMembers repeatMembers purchases netMinor eligibleMinor
      repeatPurchaseRate purchaseFrequency averageBasketMinor
      pointsEarned pointsRedeemed pointsExpired pointsOutstanding vouchersIssued
      cashbackAccruedMinor cashbackCappedMinor cashbackOutstandingMinor liabilityMinor
      redemptionRate breakageRate
      membersByTier { tier members }
    }
    retention { cohort month cohortSize activeMembers retention }
  }
}""",
    InsightsData,
)


class OfferFigures(Struct, rename="camel"):
    """What became of an offer."""

    offer_key: str
    targeted_members: int | None
    redemptions: int
    redeeming_members: int
    coupons_redeemed: int
    conversion_rate: Decimal | None


class OfferInsights(Struct):
    """The offers' figures."""

    offers: list[OfferFigures]


class OffersData(Struct):
    """Data of OFFERS."""

    insights: OfferInsights


OFFERS = Operation(
    "Offers",
    """query Offers {
  insights {
    offers {
      offerKey targetedMembers redemptions redeemingMembers couponsRedeemed conversionRate
    }
  }
}""",
    OffersData,
)
