"""Why a purchase earned what it did, in the schema and in words."""

import strawberry

from server import messages
from server.edge.enums import described
from server.edge.permissions import PURCHASE_DATA, shown_to
from server.edge.scalars import Money
from server.messages.formatting import shown_money
from server.purchases import explaining
from server.purchases.explaining import ChallengeWhy, LineRule, Why

described(
    LineRule,
    name="LineRule",
    description="A rule of the programme that looks at each line.",
    BASE="Points on eligible spend.",
    TIER="What the member's tier makes of the base points.",
    CATEGORY="Points on spend in some departments.",
    CASHBACK="Cashback on spend in some departments.",
)
described(
    Why,
    name="LineReason",
    description="Why a rule gave a line what it gave, or nothing.",
    EARNED="The line earned its share.",
    RETURNED="All of the line was returned.",
    EXCLUDED="The programme leaves such lines out.",
    NO_SPEND="The line cost nothing, or less, as a coupon does.",
    PAID_WITH_VALUE="All of it was paid with points, cashback or vouchers, which earns nothing.",
    OTHER_DEPARTMENT="The rule looks at other departments.",
    RULE_GIVES_NOTHING="The rule's rate, or the tier's extra, is zero.",
    TAKEN_OFF="Coupons took off all that would have earned.",
    CAP_REACHED="A cap of the programme had been reached.",
    ROUNDED_DOWN="Too little for a whole point or minor unit; rounding is once for the purchase.",
)
described(
    ChallengeWhy,
    name="ChallengeReason",
    description="What a purchase did for a challenge.",
    COMPLETED="It completed the challenge.",
    WITHDRAWN="It completed the challenge, and a return undid that.",
    COMPLETED_BEFORE="The challenge had been completed in that period by another purchase.",
    NOT_COUNTED="Nothing in it counts for the challenge.",
    IN_PROGRESS="It counts, and more is needed.",
)


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What a rule gave a line, and why.")
class LineShare:
    """A share."""

    rule: LineRule = strawberry.field(description="The rule.")
    amount: int = strawberry.field(
        description="The line's part of what the rule gave the purchase: points, or minor units of "
        "cashback. All lines' parts add up to the whole; negative for a tier that takes away."
    )
    reason: Why = strawberry.field(description="Why it is that much.")
    text: str = strawberry.field(description="The same in words for the member.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What a line earned, returns taken off, and why.")
class LineExplanation:
    """A line."""

    number: int = strawberry.field(description="Its place in the purchase, from 0.")
    product_id: str = strawberry.field(description="The shop's id of the product.")
    department: str | None = strawberry.field(
        description="The product's department; null if the till named none."
    )
    net: Money = strawberry.field(description="Sales less coupon, as bought.")
    returned: Money = strawberry.field(description="What of it was returned since.")
    paid_with_value: Money = strawberry.field(
        description="What of it was paid with points, cashback or vouchers."
    )
    counted: Money = strawberry.field(
        description="What of it counts now, before the programme's exclusions."
    )
    earned: list[LineShare] = strawberry.field(description="One for each rule, in their order.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What a purchase did for a challenge, and why.")
class ChallengeExplanation:
    """A challenge."""

    challenge: str = strawberry.field(description="The challenge's key in the programme.")
    points: int = strawberry.field(
        description="Points that the purchase earned by it, streaks included and what a return "
        "undid taken off."
    )
    progress: int = strawberry.field(
        description="What is counted now in the period that the purchase lies in."
    )
    target: int = strawberry.field(description="What completes the challenge.")
    reason: ChallengeWhy = strawberry.field(description="What the purchase did for it.")
    text: str = strawberry.field(description="The same in words for the member.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What an offer did for a purchase, returns taken off.")
class OfferExplanation:
    """An offer."""

    offer: str = strawberry.field(description="The offer's key.")
    version: int = strawberry.field(description="The version of the offer that applied.")
    discount: Money = strawberry.field(description="What it took off the lines.")
    points: int = strawberry.field(description="The points that it gave.")
    cashback: Money = strawberry.field(description="The cashback that it gave.")
    text: str = strawberry.field(description="The same in words for the member.")


@shown_to(PURCHASE_DATA)
@strawberry.type(
    description="Why a purchase earned what it did, by the rules of its own time and with returns "
    "taken off."
)
class PurchaseExplanation:
    """A purchase, explained."""

    programme_version: int = strawberry.field(description="Whose rules were applied.")
    tier: str = strawberry.field(description="The tier that applied to the purchase.")
    multiplier_percent: int = strawberry.field(
        description="What that tier makes of base points, in percent."
    )
    eligible: Money = strawberry.field(description="What counts of the purchase, at least 0.")
    cut_by_caps: Money = strawberry.field(description="Cashback that caps cut off.")
    lines: list[LineExplanation] = strawberry.field(description="The lines, in their order.")
    challenges: list[ChallengeExplanation] = strawberry.field(
        description="The programme's challenges, in their order."
    )
    offers: list[OfferExplanation] = strawberry.field(
        description="The offers that applied, by key, if it is a basket that was quoted."
    )


def shown_explanation(found: explaining.PurchaseExplanation, language: str) -> PurchaseExplanation:
    """An explanation as the schema shows it, its texts in the language."""
    outcome = found.purchase.outcome
    currency, digits = outcome.currency, outcome.digits

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, currency, digits)

    def amount(share: explaining.RuleShare) -> str:
        if share.rule is LineRule.CASHBACK:
            return shown_money(share.amount, currency, digits=digits, language=language)
        return messages.text("explain.points", language, points=share.amount)

    def text(share: explaining.RuleShare) -> str:
        rule = messages.text(f"explain.rule.{share.rule.value.lower()}", language)
        why = f"explain.why.{share.why.value.lower()}"
        if share.why is Why.EARNED:
            return messages.text(why, language, rule=rule, amount=amount(share))
        return messages.text(why, language, rule=rule)

    return PurchaseExplanation(
        programme_version=found.programme_version,
        tier=found.tier,
        multiplier_percent=found.multiplier_percent,
        eligible=money(found.amounts.eligible_minor),
        cut_by_caps=money(found.capped_minor),
        lines=[
            LineExplanation(
                number=line.number,
                product_id=line.product_id,
                department=line.department,
                net=money(line.net_minor),
                returned=money(line.returned_minor),
                paid_with_value=money(line.paid_minor),
                counted=money(line.earning_minor),
                earned=[
                    LineShare(
                        rule=share.rule, amount=share.amount, reason=share.why, text=text(share)
                    )
                    for share in line.shares
                ],
            )
            for line in found.lines
        ],
        challenges=[_shown_challenge(one, language) for one in found.challenges],
        offers=[_shown_offer(one, found, language) for one in found.offers],
    )


def _shown_offer(
    one: explaining.ExplainedOffer, found: explaining.PurchaseExplanation, language: str
) -> OfferExplanation:
    outcome, kept = found.purchase.outcome, one.kept
    currency, digits = outcome.currency, outcome.digits
    given = [
        shown_money(kept.discount_minor, currency, digits=digits, language=language)
        if kept.discount_minor
        else "",
        messages.text("explain.points", language, points=kept.points) if kept.points else "",
        shown_money(kept.cashback_minor, currency, digits=digits, language=language)
        if kept.cashback_minor
        else "",
    ]
    text = [
        messages.text(f"explain.offer.{what}", language, offer=one.offer, amount=amount)
        for what, amount in zip(("discount", "points", "cashback"), given, strict=True)
        if amount
    ]
    return OfferExplanation(
        offer=one.offer,
        version=one.version,
        discount=Money.of(kept.discount_minor, currency, digits),
        points=kept.points,
        cashback=Money.of(kept.cashback_minor, currency, digits),
        text=" ".join(text) or messages.text("explain.offer.nothing", language, offer=one.offer),
    )


def _shown_challenge(one: explaining.ExplainedChallenge, language: str) -> ChallengeExplanation:
    title = messages.text(f"challenge.{one.challenge}.title", language)
    facts: dict[str, str | int] = {"title": title}
    if one.why is ChallengeWhy.COMPLETED:
        facts["amount"] = messages.text("explain.points", language, points=one.points)
    elif one.why is ChallengeWhy.IN_PROGRESS:
        facts |= {"progress": one.progress, "target": one.target}
    return ChallengeExplanation(
        challenge=one.challenge,
        points=one.points,
        progress=one.progress,
        target=one.target,
        reason=one.why,
        text=messages.text(f"explain.challenge.{one.why.value.lower()}", language, **facts),
    )
