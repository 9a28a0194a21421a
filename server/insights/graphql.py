"""Reports in the schema, for staff and for keys that may read them."""

from decimal import Decimal

import strawberry

from server.clock import Instant
from server.edge.context import Info
from server.edge.permissions import access, query, shown_to
from server.edge.scalars import BigInt
from server.insights import offers, service
from server.insights.offers import OfferResult
from server.insights.service import Cell, Month
from server.principal import Scope, StaffRole

_READERS = access(
    Scope.INSIGHTS_READ,
    roles=frozenset({StaffRole.MARKETER, StaffRole.MANAGER, StaffRole.AUDITOR}),
)


@shown_to(_READERS)
@strawberry.type(description="How many members have a tier.")
class TierCount:
    """A tier's members."""

    tier: str = strawberry.field(description="The tier's name in the programme.")
    members: int = strawberry.field(description="How many members have it.")


@shown_to(_READERS)
@strawberry.type(
    description="What the programme did in one calendar month of its time zone. In the month in "
    "progress, everything is as of now. Amounts are in minor units of the programme's currency; "
    "rates are exact quotients rounded to 10 decimals, and 0 where there is nothing to divide by."
)
class ProgrammeMonth:
    """A month."""

    month: str = strawberry.field(description="The month as year and month: 2026-01.")
    new_members: int = strawberry.field(description="Members who enrolled in the month.")
    active_members: int = strawberry.field(
        description="Members with at least one purchase in the month, whatever it was."
    )
    repeat_members: int = strawberry.field(
        description="Members with at least two purchases in the month."
    )
    purchases: int = strawberry.field(description="Purchases of the month.")
    net_minor: BigInt = strawberry.field(
        description="Net spend of the month: sales less coupons over all lines. May be negative."
    )
    eligible_minor: BigInt = strawberry.field(
        description="Eligible spend of the month: net spend over lines that are not excluded, at "
        "least 0 for each purchase."
    )
    repeat_purchase_rate: Decimal = strawberry.field(
        description="`repeatMembers` / `activeMembers`."
    )
    purchase_frequency: Decimal = strawberry.field(description="`purchases` / `activeMembers`.")
    average_basket_minor: Decimal = strawberry.field(description="`netMinor` / `purchases`.")
    points_earned: BigInt = strawberry.field(
        description="Points granted in the month, pending or not."
    )
    points_redeemed: BigInt = strawberry.field(
        description="Points exchanged for vouchers in the month."
    )
    points_expired: BigInt = strawberry.field(description="Points that lapsed unused in the month.")
    points_outstanding: BigInt = strawberry.field(
        description="Available and pending points of all members at the month's last instant."
    )
    vouchers_issued: int = strawberry.field(description="Vouchers issued in the month.")
    cashback_accrued_minor: BigInt = strawberry.field(
        description="Cashback accrued on purchases of the month."
    )
    cashback_capped_minor: BigInt = strawberry.field(
        description="Cashback on purchases of the month that was lost to the monthly cap."
    )
    cashback_outstanding_minor: BigInt = strawberry.field(
        description="Available and pending cashback of all members at the month's last instant."
    )
    liability_minor: BigInt = strawberry.field(
        description="What the outstanding points and cashback are worth at the month's last "
        "instant; the points' worth is rounded down once."
    )
    redemption_rate: Decimal = strawberry.field(
        description="Points redeemed / points earned, both from the start of the programme up to "
        "the month's last instant."
    )
    breakage_rate: Decimal = strawberry.field(
        description="Points expired / points earned, both from the start of the programme up to "
        "the month's last instant."
    )
    members_by_tier: list[TierCount] = strawberry.field(
        description="Members by their tier at the month's last instant, the lowest tier first, "
        "tiers without members included."
    )


@shown_to(_READERS)
@strawberry.type(
    description="How many of the members who enrolled in one month made a purchase in another."
)
class RetentionCell:
    """A cell of the retention table."""

    cohort: str = strawberry.field(description="The month of enrolment: 2026-01.")
    month: str = strawberry.field(description="The month looked at: 2026-03.")
    cohort_size: int = strawberry.field(description="Members who enrolled in `cohort`.")
    active_members: int = strawberry.field(
        description="Those of them with at least one purchase in `month`."
    )
    retention: Decimal = strawberry.field(
        description="`activeMembers` / `cohortSize`, exact, rounded to 10 decimals."
    )


@shown_to(_READERS)
@strawberry.type(
    description="What became of an offer, up to now. Uses that were returned or cancelled are left "
    "out."
)
class OfferFigures:
    """An offer's line in the reports."""

    offer_key: str = strawberry.field(description="The offer's key.")
    targeted_members: int | None = strawberry.field(
        description="How many members it is for: those of its segment, or all members; null where "
        "more than one segment decides."
    )
    redemptions: int = strawberry.field(
        description="How often it was used: with coupons, if it needs one, or in baskets."
    )
    redeeming_members: int = strawberry.field(description="How many members used it.")
    coupons_redeemed: int = strawberry.field(
        description="How many different coupon codes were redeemed; 0 for an offer without any."
    )
    conversion_rate: Decimal | None = strawberry.field(
        description="`redeemingMembers` / `targetedMembers`, exact, rounded to 10 decimals; null "
        "where that is."
    )


def _offer_shown(result: OfferResult) -> OfferFigures:
    return OfferFigures(
        offer_key=result.offer,
        targeted_members=result.targeted_members,
        redemptions=result.redemptions,
        redeeming_members=result.redeeming_members,
        coupons_redeemed=result.coupons_redeemed,
        conversion_rate=result.conversion_rate,
    )


def _month_name(local_month: int) -> str:
    year, month = divmod(local_month, 100)
    return f"{year:04}-{month:02}"


def _month_shown(month: Month) -> ProgrammeMonth:
    return ProgrammeMonth(
        month=_month_name(month.local_month),
        new_members=month.new_members,
        active_members=month.active_members,
        repeat_members=month.repeat_members,
        purchases=month.purchases,
        net_minor=BigInt(month.net_minor),
        eligible_minor=BigInt(month.eligible_minor),
        repeat_purchase_rate=month.repeat_purchase_rate,
        purchase_frequency=month.purchase_frequency,
        average_basket_minor=month.average_basket_minor,
        points_earned=BigInt(month.points_earned),
        points_redeemed=BigInt(month.points_redeemed),
        points_expired=BigInt(month.points_expired),
        points_outstanding=BigInt(month.points_outstanding),
        vouchers_issued=month.vouchers_issued,
        cashback_accrued_minor=BigInt(month.cashback_accrued_minor),
        cashback_capped_minor=BigInt(month.cashback_capped_minor),
        cashback_outstanding_minor=BigInt(month.cashback_outstanding_minor),
        liability_minor=BigInt(month.liability_minor),
        redemption_rate=month.redemption_rate,
        breakage_rate=month.breakage_rate,
        members_by_tier=[
            TierCount(tier=count.tier, members=count.members) for count in month.members_by_tier
        ],
    )


def _cell_shown(cell: Cell) -> RetentionCell:
    return RetentionCell(
        cohort=_month_name(cell.cohort),
        month=_month_name(cell.local_month),
        cohort_size=cell.cohort_size,
        active_members=cell.active_members,
        retention=cell.retention,
    )


async def _months(root: strawberry.Parent["Insights"]) -> list[ProgrammeMonth]:
    return [_month_shown(month) for month in await service.months(root.at)]


async def _retention(root: strawberry.Parent["Insights"]) -> list[RetentionCell]:
    return [_cell_shown(cell) for cell in await service.retention(root.at)]


async def _offers(root: strawberry.Parent["Insights"]) -> list[OfferFigures]:
    return [_offer_shown(each) for each in await offers.offers(root.at)]


@shown_to(_READERS)
@strawberry.type(description="Reports on the whole programme, as of the instant of the request.")
class Insights:
    """The reports; each is made only if it is asked for."""

    at: strawberry.Private[Instant]
    months: list[ProgrammeMonth] = strawberry.field(
        resolver=_months, description="Every month that has a purchase, the earliest first."
    )
    retention: list[RetentionCell] = strawberry.field(
        resolver=_retention,
        description="A cell for each month with enrolments and each month from it on that has a "
        "purchase, in this order.",
    )
    offers: list[OfferFigures] = strawberry.field(
        resolver=_offers, description="Every offer that has been published, by its key."
    )


@strawberry.type
class InsightsQueries:
    """The reports' root field."""

    @query(
        _READERS,
        description="Reports on the whole programme, for the back office.",
    )
    async def insights(self, info: Info) -> Insights:
        """The reports as of the request's instant."""
        return Insights(at=info.context.at)
