"""Explanations in the schema: a balance at any instant, lot by lot."""

from enum import Enum
from typing import Annotated

import strawberry

from server import messages
from server.clock import NEVER, Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER_DATA, shown_to
from server.edge.scalars import Money
from server.explanations import service
from server.explanations.rules import LotState
from server.explanations.service import BalanceExplanation as Found
from server.explanations.telling import Teller
from server.ledger.rules import Reason
from server.money import POINTS
from server.programme.graphql import programme_now

described(
    LotState,
    description="How a lot stands at an instant.",
    PENDING="Something is left of it, and can be used later.",
    AVAILABLE="Something is left of it, and can be used.",
    HELD="All that is left of it is reserved.",
    USED="Nothing is left of it.",
    EXPIRED="What was left of it has lapsed unused.",
)


@strawberry.enum(description="What a balance is made of.")
class BalanceAsset(Enum):
    """What a member holds."""

    POINTS = strawberry.enum_value("points", description="Points.")
    CASHBACK = strawberry.enum_value(
        "cashback", description="Cashback, in minor units of the programme's currency."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="What left a lot, or came back to it.")
class LotMovement:
    """A movement."""

    amount: int = strawberry.field(
        description="Points or minor units; negative for what left the lot."
    )
    kind: Reason = strawberry.field(description="Why it left or came back.")
    occurred_at: Instant = strawberry.field(description="When it counts.")
    text: str = strawberry.field(description="The movement in words for the member.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="Value that was granted at one time, and what became of it.")
class LotExplanation:
    """A lot."""

    amount: int = strawberry.field(description="What was granted, in points or minor units.")
    remaining: int = strawberry.field(
        description="What is left of it at the instant and not reserved, in points or minor units."
    )
    held: int = strawberry.field(
        description="What of it is reserved at the instant, in points or minor units."
    )
    state: LotState = strawberry.field(description="How it stands at the instant.")
    kind: Reason = strawberry.field(description="Why it was granted.")
    rule: str = strawberry.field(description="The rule of the programme that made it.")
    programme_version: int = strawberry.field(
        description="The version of the programme whose rule it was."
    )
    purchase_id: strawberry.ID | None = strawberry.field(
        description="The purchase that earned it; null for what no purchase earned."
    )
    earned_at: Instant = strawberry.field(description="When it was earned.")
    available_at: Instant = strawberry.field(description="From when on it can be used.")
    expires_at: Instant | None = strawberry.field(
        description="When what is left of it lapses; null if never."
    )
    movements: list[LotMovement] = strawberry.field(
        description="What used it, took it back or gave it back by the instant, oldest first. "
        "`amount` plus all movements is `remaining`."
    )
    text: str = strawberry.field(
        description="Where it came from, what is left of it and until when, for the member."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A lot, with its place in the list.")
class LotExplanationEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The lot's place, for `after`.")
    node: LotExplanation = strawberry.field(description="The lot.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of lots, the newest first.")
class LotExplanationConnection:
    """Relay's connection."""

    edges: list[LotExplanationEdge] = strawberry.field(description="The lots with their places.")
    nodes: list[LotExplanation] = strawberry.field(description="The lots alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(MEMBER_DATA)
@strawberry.type(
    description="Why a balance is what it is, at an instant. Always available = what is left of "
    "available lots - owed, pending = what is left of pending lots, held = what is held of lots."
)
class BalanceExplanation:
    """A balance, explained."""

    at: Instant = strawberry.field(description="The instant.")
    available: int = strawberry.field(
        description="What could be used then, less what was owed, in points or minor units."
    )
    pending: int = strawberry.field(
        description="What was earned by then but not usable yet, in points or minor units."
    )
    held: int = strawberry.field(description="What was reserved, in points or minor units.")
    owed: int = strawberry.field(description="What was owed, in points or minor units.")
    amount: Money | None = strawberry.field(
        description="`available` as money, for cashback; null for points."
    )
    text: str = strawberry.field(description="The balance in words for the member.")
    found: strawberry.Private[Found]
    teller: strawberry.Private[Teller]

    @computed(description="The lots granted by the instant, the newest first, used ones included.")
    async def lots(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> LotExplanationConnection:
        """A page of lots."""
        limit, before = pages.page(first, after)
        loader = info.context.loader(
            _lots, self.found.asset, self.found.at, limit + 1, pages.before(before)
        )
        found = await loader.load(self.found.member_id)
        return pages.connected(
            LotExplanationConnection,
            LotExplanationEdge,
            [(lot.sequence, _shown(lot, self.teller)) for lot in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


_EARNED_ON_PURCHASES = frozenset(
    {Reason.PURCHASE, Reason.CASHBACK, Reason.CHALLENGE, Reason.STREAK, Reason.OFFER}
)


def _shown(lot: service.ExplainedLot, teller: Teller) -> LotExplanation:
    is_earned = lot.reason in _EARNED_ON_PURCHASES and lot.reference is not None
    return LotExplanation(
        amount=lot.amount,
        remaining=lot.remaining,
        held=lot.held,
        state=lot.state,
        kind=lot.reason,
        rule=lot.rule,
        programme_version=lot.programme_version,
        purchase_id=nodes.global_id("Purchase", lot.reference or 0) if is_earned else None,
        earned_at=lot.earned_at,
        available_at=lot.available_at,
        expires_at=None if lot.expires_at == NEVER else lot.expires_at,
        movements=[
            LotMovement(
                amount=one.amount,
                kind=one.reason,
                occurred_at=one.occurred_at,
                text=teller.movement(one, lot.rule),
            )
            for one in lot.movements
        ],
        text=teller.lot(lot),
    )


async def _balances(
    member_ids: list[int], asset: str, at: Instant
) -> list[service.BalanceExplanation]:
    found = await service.balances(member_ids, asset, at)
    return [found[member_id] for member_id in member_ids]


async def _lots(
    member_ids: list[int], asset: str, at: Instant, limit: int, before: int
) -> list[list[service.ExplainedLot]]:
    found = await service.lots(member_ids, asset, at, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def balance_explained(
    info: Info, member_id: int, *, asset: BalanceAsset, at: Instant | None, locale: str
) -> BalanceExplanation:
    """The member's balance at the instant, in words of the caller's language, or of the member's
    where the caller asks for none."""
    identity = (await programme_now(info)).programme.programme
    language = info.context.asked_language or messages.language_of_locale(locale)
    is_points = asset is BalanceAsset.POINTS
    loader = info.context.loader(
        _balances,
        POINTS if is_points else identity.currency,
        info.context.at if at is None else at,
    )
    found = await loader.load(member_id)
    teller = Teller(
        language=language,
        zone_name=identity.timezone,
        currency=None if is_points else identity.currency,
        digits=identity.minor_unit_digits,
        at=found.at,
    )
    balance = found.balance
    return BalanceExplanation(
        at=found.at,
        available=balance.available,
        pending=balance.pending,
        held=balance.held,
        owed=balance.owed,
        amount=None
        if is_points
        else Money.of(balance.available, identity.currency, identity.minor_unit_digits),
        text=teller.balance(balance),
        found=found,
        teller=teller,
    )
