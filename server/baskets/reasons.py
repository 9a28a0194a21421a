"""Why an offer does not apply, in the schema."""

from server.edge.enums import described
from server.offers.evaluation import WhyNot as OfferReason

__all__ = ["OfferReason"]

described(
    OfferReason,
    name="OfferReason",
    description="Why an offer does not apply to a basket.",
    SPEND_TOO_LOW="More of the goods is needed, by `shortfall`.",
    QUANTITY_TOO_LOW="More units of the goods are needed, by `shortfallQuantity`.",
    NOT_ACTIVATED="The member has to activate it first.",
    BETTER_OFFER_APPLIED="`winner`, of the same group, saves more.",
    NOT_COMBINABLE="It stands alone, and `winner` or others together save more.",
    CAP_REACHED="Other offers took all that offers may take off the basket.",
    CONDITION_NOT_MET="Its condition is not true of the basket and the member.",
    BUDGET_EXHAUSTED="Less is left of its budget than it would give.",
    MEMBER_LIMIT="The member has used it as often as anybody may.",
    DAY_LIMIT="It is used up for the day, by the member or by all together.",
    TOTAL_LIMIT="All members together have used it up.",
    NOT_AT_THIS_TIME="It counts at other hours, on other days or in other seasons.",
    NOT_STARTED="It begins at `availableAt`.",
    COUPON_NEEDED="A coupon has to be shown.",
    NOTHING_TO_DISCOUNT="What it is for costs nothing any more.",
    NO_MATCHING_PRODUCT="Nothing in the basket is what it is for.",
    WRONG_STORE="It counts in other stores.",
    WRONG_CHANNEL="It counts in other channels.",
    WRONG_PARTNER="It counts with other partners.",
    NOT_IN_AUDIENCE="It is for other members.",
    ENDED="It is over.",
)
