"""What a return did, in the schema."""

import strawberry

from server.clock import Instant
from server.edge import nodes
from server.edge.permissions import PURCHASE_DATA, shown_to
from server.edge.scalars import BigInt, Money
from server.ledger.service import Undone
from server.purchases import service
from server.purchases.service import EarnedRule


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What of one line of a purchase came back.")
class ReturnedLine:
    """A line."""

    number: int = strawberry.field(description="The line's place in the basket, from 0.")
    quantity: BigInt = strawberry.field(description="Units that came back.")
    net: Money = strawberry.field(description="Of sales less coupon, what came back with it.")


@shown_to(PURCHASE_DATA)
@strawberry.type(
    description="What goes back for the goods: the value that had paid for them, and money."
)
class Refund:
    """A refund."""

    net: Money = strawberry.field(description="Sales less coupons of what came back: the sum.")
    points: Money = strawberry.field(description="Of it, what points had taken off the basket.")
    cashback: Money = strawberry.field(description="Of it, what cashback had taken off the basket.")
    voucher: Money = strawberry.field(description="Of it, what vouchers had taken off the basket.")
    money_refund: Money = strawberry.field(
        description="The rest, which the till pays back in money."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Points that one rule had given, undone.")
class ReversedPoints:
    """Points by rule."""

    rule: EarnedRule = strawberry.field(description="The rule.")
    points: int = strawberry.field(
        description="How many; never 0, and negative for a TIER that had taken points away."
    )
    challenge: str | None = strawberry.field(
        description="The key of the challenge, for CHALLENGE and STREAK; null otherwise."
    )
    offer: str | None = strawberry.field(
        description="The key of the offer, for OFFER; null otherwise."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="How undone points were taken; the parts add up to `points`.")
class PointsTaken:
    """Where the points came from."""

    points: int = strawberry.field(description="All of them: the sum of `reversed`.")
    from_lot: int = strawberry.field(description="Were still there, pending or available.")
    lapsed: int = strawberry.field(description="Had lapsed unused: nothing was taken for them.")
    from_balance: int = strawberry.field(
        description="Had been used: taken from the member's other points."
    )
    owed: int = strawberry.field(
        description="Had been used, and nothing else was there: what comes in next fills the hole."
    )
    not_recovered: int = strawberry.field(
        description="Had been used, and the programme's policy lets them go."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="How undone cashback was taken; the parts add up to `cashback`.")
class CashbackTaken:
    """Where the cashback came from."""

    cashback: Money = strawberry.field(description="All of it.")
    from_lot: Money = strawberry.field(description="Was still there, pending or available.")
    lapsed: Money = strawberry.field(description="Had lapsed unused: nothing was taken for it.")
    from_balance: Money = strawberry.field(
        description="Had been used: taken from the member's other cashback."
    )
    owed: Money = strawberry.field(
        description="Had been used, and nothing else was there: what comes in next fills the hole."
    )
    not_recovered: Money = strawberry.field(
        description="Had been used, and the programme's policy lets it go."
    )


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Value that had paid for the goods and is the member's again.")
class RestoredValue:
    """Value given back."""

    points: int = strawberry.field(description="Points, with the expiry that they had.")
    points_with_grace: int = strawberry.field(
        description="Of them, those whose expiry had passed: they live for the programme's days "
        "of grace."
    )
    cashback: Money = strawberry.field(description="Cashback.")
    voucher: Money = strawberry.field(description="What can be used of vouchers again.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="A completed challenge, or a streak of it, that no longer holds.")
class WithdrawnChallenge:
    """A withdrawn completion."""

    challenge: str = strawberry.field(description="The key of the challenge.")
    is_streak: bool = strawberry.field(description="Whether it is a streak of the challenge.")
    period_start: Instant = strawberry.field(
        description="When the period began that is not complete any more."
    )
    points: int = strawberry.field(description="The points of its reward that are undone.")


@shown_to(PURCHASE_DATA)
@strawberry.type(
    description="Goods came back, and what they had brought is undone. Sent again with the same "
    "content it gets the same answer."
)
class ReturnedPurchase:
    """Success of a return."""

    return_id: strawberry.ID = strawberry.field(description="The return's id in this API.")
    external_id: str = strawberry.field(description="The till's id of the return.")
    purchase_id: strawberry.ID = strawberry.field(description="The purchase's id in this API.")
    member_id: strawberry.ID = strawberry.field(description="The buyer's id in this API.")
    lines: list[ReturnedLine] = strawberry.field(description="What came back, line by line.")
    refund: Refund = strawberry.field(description="What goes back for it.")
    reversed: list[ReversedPoints] = strawberry.field(description="The undone points by rule.")
    points_taken: PointsTaken = strawberry.field(description="How the undone points were taken.")
    cashback_taken: CashbackTaken = strawberry.field(
        description="The undone cashback, and how it was taken."
    )
    restored: RestoredValue = strawberry.field(
        description="The value that had paid for the goods and is the member's again."
    )
    tier_before: str = strawberry.field(description="The member's tier just before.")
    tier_after: str = strawberry.field(description="The member's tier just after.")
    withdrawn_challenges: list[WithdrawnChallenge] = strawberry.field(
        description="Challenges and streaks that no longer hold."
    )
    points_available_after: int = strawberry.field(
        description="Points that could be spent directly afterwards; negative if some are owed."
    )
    cashback_available_after: Money = strawberry.field(
        description="Cashback that could be used directly afterwards; negative if some is owed."
    )


def shown_return(outcome: service.ReturnedPurchase) -> ReturnedPurchase:
    """A return as the schema shows it."""

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, outcome.currency, outcome.digits)

    refund, restored = outcome.refund, outcome.restored
    return ReturnedPurchase(
        return_id=nodes.global_id("PurchaseReturn", outcome.return_id),
        external_id=outcome.external_id,
        purchase_id=nodes.global_id("Purchase", outcome.purchase_id),
        member_id=nodes.global_id("Member", outcome.member_id),
        lines=[
            ReturnedLine(
                number=line.number, quantity=BigInt(line.quantity), net=money(line.amount_minor)
            )
            for line in outcome.lines
        ],
        refund=Refund(
            net=money(refund.net_minor),
            points=money(refund.points_minor),
            cashback=money(refund.cashback_minor),
            voucher=money(refund.voucher_minor),
            money_refund=money(refund.money_minor),
        ),
        reversed=[
            ReversedPoints(
                rule=one.rule, points=one.points, challenge=one.challenge, offer=one.offer
            )
            for one in outcome.reversed
        ],
        points_taken=_shown_points(outcome.points_taken),
        cashback_taken=_shown_cashback(outcome),
        restored=RestoredValue(
            points=restored.points,
            points_with_grace=restored.points_with_grace,
            cashback=money(restored.cashback_minor),
            voucher=money(restored.voucher_minor),
        ),
        tier_before=outcome.tier_before,
        tier_after=outcome.tier_after,
        withdrawn_challenges=[
            WithdrawnChallenge(
                challenge=one.challenge,
                is_streak=one.is_streak,
                period_start=one.period_start,
                points=one.points,
            )
            for one in outcome.withdrawn
        ],
        points_available_after=outcome.points_available_after,
        cashback_available_after=money(outcome.cashback_available_after_minor),
    )


def _shown_points(taken: Undone) -> PointsTaken:
    return PointsTaken(
        points=taken.amount,
        from_lot=taken.from_lot,
        lapsed=taken.lapsed,
        from_balance=taken.from_balance,
        owed=taken.owed,
        not_recovered=taken.not_recovered,
    )


def _shown_cashback(outcome: service.ReturnedPurchase) -> CashbackTaken:
    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, outcome.currency, outcome.digits)

    taken = outcome.cashback_taken
    return CashbackTaken(
        cashback=money(taken.amount),
        from_lot=money(taken.from_lot),
        lapsed=money(taken.lapsed),
        from_balance=money(taken.from_balance),
        owed=money(taken.owed),
        not_recovered=money(taken.not_recovered),
    )
