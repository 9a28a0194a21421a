"""Purchases in the schema: what tills send, and what they are told."""

from typing import Annotated, cast

import strawberry

from server import clock
from server.cards.graphql import CardUnusable
from server.clock import Instant
from server.edge import nodes
from server.edge.batches import answer_each, shown_each
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.idempotency import NothingWritten
from server.edge.mutation import write_once, write_together
from server.edge.permissions import PURCHASE_DATA, access, mutation, shown_to
from server.edge.problems import (
    AlreadyDecided,
    ExternalIdConflict,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.errors import DomainError
from server.principal import Scope
from server.purchases import service
from server.purchases.gathered import RECORDED_TOGETHER
from server.purchases.inputs import RecordPurchaseInput, RecordPurchasesInput, submission_of
from server.purchases.service import EarnedRule, RecordedBatch, Sent
from server.purchases.service import RecordedPurchase as Outcome

_TILLS = access(Scope.PURCHASES_WRITE)

described(
    EarnedRule,
    description="Which rule of the programme gave points.",
    BASE="Eligible spend at the base rate, rounded down.",
    TIER="The tier's multiplier on the base points, rounded down.",
    CATEGORY="The bonus on spend in some departments, rounded down.",
    WELCOME="Enrolment.",
    CHALLENGE="A completed challenge.",
    STREAK="A challenge completed in enough periods in a row.",
    OFFER="An offer of the shop, which a quoted basket got.",
)


# ---------------------------------------------------------------- what tills are told


@shown_to(PURCHASE_DATA)
@strawberry.type(description="Points that one rule gave for a purchase.")
class EarnedPoints:
    """Points by rule."""

    rule: EarnedRule = strawberry.field(description="The rule.")
    points: int = strawberry.field(
        description="How many; negative for a TIER that takes points away, and less for a "
        "challenge whose points the member has kept after it was withdrawn."
    )
    challenge: str | None = strawberry.field(
        description="The key of the challenge, for CHALLENGE and STREAK; null otherwise."
    )
    offer: str | None = strawberry.field(
        description="The key of the offer, for OFFER; null otherwise."
    )
    available_at: Instant = strawberry.field(description="From when on they can be spent.")
    expires_at: Instant = strawberry.field(description="When they lapse if not spent before.")


@shown_to(PURCHASE_DATA)
@strawberry.type(
    description="Cashback of a purchase by the programme's own rule; what offers add to it stands "
    "with them, and no cap of the programme counts it."
)
class CashbackAccrued:
    """Cashback of one purchase."""

    accrued: Money = strawberry.field(description="What it brought.")
    cut_by_cap: Money = strawberry.field(description="What the monthly cap cut off.")
    available_at: Instant = strawberry.field(description="From when on it can be used.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="What an offer did for a purchase, before any return of it.")
class OfferReward:
    """One offer's part."""

    offer: str = strawberry.field(description="The offer's key.")
    version: int = strawberry.field(description="The version of the offer that applied.")
    discount: Money = strawberry.field(
        description="What it took off the lines; a part of their coupons."
    )
    shipping_discount: Money = strawberry.field(description="What it took off the delivery.")
    points: int = strawberry.field(description="The points that it gave; they stand in `earned`.")
    cashback: Money = strawberry.field(
        description="The cashback that it gave, usable from when `cashback.availableAt` says."
    )


@shown_to(_TILLS)
@strawberry.type(
    description="A purchase is recorded. Sent again with the same content it gets the same answer."
)
class RecordedPurchase:
    """Success of recording a purchase. Of a batch, most tills ask for little: each field is made
    when it is asked for."""

    outcome: strawberry.Private[Outcome]

    @computed(description="The purchase's id in this API.")
    def purchase_id(self) -> strawberry.ID:
        """Its id."""
        return nodes.global_id("Purchase", self.outcome.purchase_id)

    @computed(description="The till's id of the purchase.")
    def external_id(self) -> str:
        """The till's id."""
        return self.outcome.external_id

    @computed(description="The member's id in this API.")
    def member_id(self) -> strawberry.ID:
        """Whose it is."""
        return nodes.global_id("Member", self.outcome.member_id)

    @computed(description="Whether this purchase made its buyer a member, by `enrolIfUnknown`.")
    def enrolled(self) -> bool:
        """Whether it enrolled its buyer."""
        return self.outcome.enrolled

    @computed(
        description="The version of the programme whose rules were applied: the one in effect at "
        "`occurredAt`."
    )
    def programme_version(self) -> int:
        """The rules' version."""
        return self.outcome.programme_version

    @computed(description="Sales less coupons of all lines.")
    def net(self) -> Money:
        """Net spend."""
        return _money(self.outcome, self.outcome.net_minor)

    @computed(
        description="Sales less coupons of the lines that count, at least 0; without what value "
        "paid for, unless the programme lets that earn too."
    )
    def eligible(self) -> Money:
        """Eligible spend."""
        return _money(self.outcome, self.outcome.eligible_minor)

    @computed(description="All points that it brought: the sum of `earned`.")
    def points(self) -> int:
        """Its points."""
        return self.outcome.points

    @computed(description="The points by rule.")
    def earned(self) -> list[EarnedPoints]:
        """Its points by rule."""
        return shown_earned(self.outcome)

    @computed(description="The cashback that it brought.")
    def cashback(self) -> CashbackAccrued:
        """Its cashback."""
        return shown_cashback(self.outcome)

    @computed(description="What offers did for it, if it is a basket that was quoted; by key.")
    def offers(self) -> list[OfferReward]:
        """Its offers."""
        return shown_offers(self.outcome)

    @computed(description="The tier that applied to the purchase.")
    def tier_before(self) -> str:
        """The tier before it."""
        return self.outcome.tier_before

    @computed(description="The tier after it.")
    def tier_after(self) -> str:
        """The tier after it."""
        return self.outcome.tier_after


def shown_earned(outcome: Outcome) -> list[EarnedPoints]:
    """The points by rule, as the schema shows them."""
    return [
        EarnedPoints(
            rule=one.rule,
            points=one.points,
            challenge=one.challenge,
            offer=one.offer,
            available_at=one.available_at,
            expires_at=one.expires_at,
        )
        for one in outcome.earned
    ]


def shown_cashback(outcome: Outcome) -> CashbackAccrued:
    """The cashback, as the schema shows it."""
    accrued = outcome.cashback
    return CashbackAccrued(
        accrued=_money(outcome, accrued.accrued_minor),
        cut_by_cap=_money(outcome, accrued.capped_minor),
        available_at=accrued.available_at,
    )


def shown_offers(outcome: Outcome) -> list[OfferReward]:
    """What offers did, as the schema shows it."""
    return [
        OfferReward(
            offer=part.offer,
            version=part.version,
            discount=_money(outcome, part.discount_total_minor),
            shipping_discount=_money(outcome, part.shipping_minor),
            points=part.points_total,
            cashback=_money(outcome, part.cashback_total_minor),
        )
        for part in outcome.offers
    ]


def _money(outcome: Outcome, amount_minor: int) -> Money:
    return Money.of(amount_minor, outcome.currency, outcome.digits)


def _shown(outcome: Outcome) -> RecordedPurchase:
    return RecordedPurchase(outcome=outcome)


RecordPurchaseResult = Annotated[
    RecordedPurchase
    | InvalidInput
    | NotFound
    | CardUnusable
    | AlreadyDecided
    | NotAllowed
    | ExternalIdConflict
    | IdempotencyConflict,
    strawberry.union(
        "RecordPurchaseResult", description="What the purchase brought, or why it is refused."
    ),
]
RecordPurchaseAnswer = Annotated[
    RecordedPurchase
    | InvalidInput
    | NotFound
    | CardUnusable
    | AlreadyDecided
    | NotAllowed
    | ExternalIdConflict,
    strawberry.union(
        "RecordPurchaseAnswer", description="What the purchase brought, or why it is refused."
    ),
]


@shown_to(_TILLS)
@strawberry.type(description="What became of each purchase.")
class RecordedPurchases:
    """Success of recording a batch."""

    answers: list[RecordPurchaseAnswer] = strawberry.field(
        description="One for each purchase, in the order given."
    )


RecordPurchasesResult = Annotated[
    RecordedPurchases | InvalidInput | IdempotencyConflict,
    strawberry.union("RecordPurchasesResult", description="The answers, or why there are none."),
]


def _partner(info: Info) -> str:
    partner = info.context.principal.partner
    assert partner is not None, "only keys record purchases, and every key has a partner"
    return partner


@strawberry.type
class PurchaseMutations:
    """The mutations of purchases, for the schema's root."""

    @mutation(
        _TILLS,
        description="Record a purchase: points, cashback, tier and challenges follow in the same "
        "commit. A purchase is recorded once for each external id.",
    )
    async def record_purchase(
        self,
        info: Info,
        input: Annotated[RecordPurchaseInput, strawberry.argument(description="What was bought.")],
    ) -> RecordPurchaseResult:
        """Record one purchase."""
        partner = _partner(info)

        async def alone() -> Outcome:
            submission = submission_of(input.purchase)
            try:
                return await service.record(submission, partner=partner, now=clock.now())
            except DomainError as error:
                raise error.below("input", "purchase") from None

        try:
            sent = Sent(submission_of(input.purchase), partner)
        except DomainError:  # it is refused, if its key was not answered before
            answer = await write_once(info, input, work=alone, result=Outcome, present=_shown)
        else:
            answer = await write_together(
                info,
                input,
                writes=RECORDED_TOGETHER,
                item=sent,
                apart=[(partner, sent.submission.draft.external_id)],
                alone=alone,
                present=_shown,
            )
        return cast(RecordPurchaseResult, answer)

    @mutation(
        _TILLS,
        description="Record up to 500 purchases in one commit, in the order given. A purchase that "
        "is refused spoils no other.",
    )
    async def record_purchases(
        self,
        info: Info,
        input: Annotated[RecordPurchasesInput, strawberry.argument(description="What was bought.")],
    ) -> RecordPurchasesResult:
        """Record a batch."""
        at_hand: dict[int, Outcome] = {}

        async def work() -> RecordedBatch:
            at_hand.clear()
            try:
                service.check_count(len(input.purchases))
            except DomainError as error:
                raise error.below("input") from None
            answers = await answer_each(
                input.purchases,
                field="purchases",
                wish_of=submission_of,
                do=lambda submissions: service.record_many(
                    submissions, partner=_partner(info), now=clock.now()
                ),
            )
            at_hand.update(
                (answer.purchase_id, answer) for answer in answers if isinstance(answer, Outcome)
            )
            batch = RecordedBatch(
                tuple(
                    answer.purchase_id if isinstance(answer, Outcome) else answer
                    for answer in answers
                )
            )
            if not at_hand:
                raise NothingWritten(batch)
            return batch

        async def present(batch: RecordedBatch) -> RecordedPurchases:
            ids = [answer for answer in batch.answers if isinstance(answer, int)]
            # A repetition has nothing at hand, or what an attempt left that lost a race.
            known = at_hand if at_hand.keys() >= set(ids) else await service.outcomes(ids)
            return RecordedPurchases(
                answers=shown_each(
                    batch.answers, info.context.language, show=lambda id_: _shown(known[id_])
                )
            )

        answer = await write_once(info, input, work=work, result=RecordedBatch, present=present)
        return cast(RecordPurchasesResult, answer)
