"""The membership plans that the shop offers, in the schema."""

import strawberry

from server.definitions.service import Published
from server.edge.enums import described
from server.edge.permissions import EVERYONE, shown_to
from server.edge.scalars import Money
from server.plans.documents import Cancellation, Interval, Plan
from server.plans.wording import text_of, words_of

described(
    Interval,
    name="PlanInterval",
    description="How long one payment is good for.",
    MONTH="A month of the calendar.",
    YEAR="A year of the calendar.",
)
described(
    Cancellation,
    name="PlanCancellation",
    description="When a plan ends that is cancelled.",
    AT_PERIOD_END="With what is paid for, or with the trial.",
    AT_ONCE="At once.",
)


@shown_to(EVERYONE)
@strawberry.type(description="A price of products for those who have a plan.")
class PlanPrice:
    """A member price."""

    price: Money = strawberry.field(description="Of one unit.")
    product_ids: list[str] = strawberry.field(description="The products; at most 5,000.")


@shown_to(EVERYONE)
@strawberry.type(description="A membership plan that the shop offers, in the caller's language.")
class MembershipPlan:
    """A plan."""

    key: str = strawberry.field(description="Its key.")
    language: str = strawberry.field(description="The language of its texts, a BCP 47 tag.")
    title: str = strawberry.field(description="The plan in a few words.")
    description: str | None = strawberry.field(description="What it is about.")
    terms: str | None = strawberry.field(description="The small print.")
    price: Money = strawberry.field(description="Of one interval.")
    interval: Interval = strawberry.field(description="How long one payment is good for.")
    trial_days: int = strawberry.field(
        description="Free days at the beginning, once for each member; 0 for none."
    )
    grace_days: int = strawberry.field(
        description="So many days the benefits go on when a payment is missing."
    )
    cancellation: Cancellation = strawberry.field(description="When it ends once cancelled.")
    has_free_shipping: bool = strawberry.field(description="Whether shipping is free with it.")
    points_multiplier_percent: int | None = strawberry.field(
        description="How much of their usual points baskets earn: 200 is twice; null if as usual."
    )
    prices: list[PlanPrice] = strawberry.field(description="Prices for who has it; at most 50.")
    guarantee_days: int | None = strawberry.field(
        description="For how many days its guarantee holds; null without one."
    )
    guarantee: str | None = strawberry.field(description="What is guaranteed; null if nothing.")


def shown_plan(published: Published, language: str, currency: str, digits: int) -> MembershipPlan:
    """A plan as the schema shows it."""
    plan: Plan = published.document
    tag, text = text_of(plan, language)
    benefits, guarantee = plan.benefits, plan.benefits.guarantee
    return MembershipPlan(
        key=published.key,
        language=tag,
        title=text.title,
        description=text.description,
        terms=text.terms,
        price=Money.of(plan.price_minor, currency, digits),
        interval=plan.interval,
        trial_days=plan.trial_days,
        grace_days=plan.grace_days,
        cancellation=plan.cancellation,
        has_free_shipping=benefits.free_shipping,
        points_multiplier_percent=benefits.points_multiplier_percent,
        prices=[
            PlanPrice(
                price=Money.of(one.price_minor, currency, digits), product_ids=list(one.products)
            )
            for one in benefits.member_prices
        ],
        guarantee_days=None if guarantee is None else guarantee.days,
        guarantee=None if guarantee is None else words_of(plan, guarantee.texts, language),
    )
