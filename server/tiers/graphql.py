"""Tiers in the schema: where a member stands, and what is missing to the next one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import strawberry

from server.clock import Instant
from server.edge.context import Context
from server.edge.loading import shown
from server.edge.permissions import MEMBER_DATA, shown_to
from server.edge.scalars import Money
from server.money import PERCENT_PER_UNIT, floor_share
from server.programme.graphql import present_now
from server.programme.present import Present
from server.storage import parts
from server.tiers import service
from server.tiers.service import TierView

_Shown = TypeVar("_Shown")


@shown_to(MEMBER_DATA)
@strawberry.type(description="The next tier, and the way to it.")
class NextTier:
    """The tier above the member's."""

    name: str = strawberry.field(description="Its name in the programme.")
    min_spend: Money = strawberry.field(description="The qualifying spend from which it applies.")
    amount_missing: Money = strawberry.field(
        description="How much more qualifying spend reaches it, if none leaves the window before."
    )
    progress_percent: int = strawberry.field(
        description="Qualifying spend as a share of what is needed, 0 to 99, rounded down."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A member's tier, exact at the instant of the request.")
class TierStatus:
    """The tier of a member."""

    name: str = strawberry.field(description="The tier's name in the programme.")
    rank: int = strawberry.field(description="Its place among the tiers; 1 is the lowest.")
    multiplier_percent: int = strawberry.field(
        description="What base points are multiplied by, in percent: 125 gives a quarter more."
    )
    since: Instant = strawberry.field(description="When the member reached or fell to it.")
    qualifying_spend: Money = strawberry.field(
        description="Eligible spend within the programme's rolling window, which decides the tier."
    )
    next: NextTier | None = strawberry.field(
        description="The next tier; null for a member in the highest."
    )
    changes: int = strawberry.field(description="How often the member's tier has changed so far.")


async def _views(member_ids: list[int], present: Present) -> Sequence[TierView | None]:
    found = await parts.shared(service.view_part(present), member_ids)
    return [service.view_of(found[member_id], present) for member_id in member_ids]


def prime_tier(context: Context, member_id: int, found: parts.Found, *, present: Present) -> None:
    """The request knows the member's tier."""
    context.give(_views, member_id, (service.view_of(found, present), present))


def tier_of_member(
    context: Context, member_id: int, show: Callable[[TierView, Present], _Shown]
) -> _Shown | Awaitable[_Shown]:
    """What is shown of the member's tier; one look-up for all members asked for."""

    def view_shown(view: TierView | None, present: Present) -> _Shown:
        if view is None:
            raise LookupError(f"member {member_id} has no tier")
        # Each day evaluates the tier anew.
        context.changes_at(present.ends_at)
        return show(view, present)

    given: tuple[TierView | None, Present] | None = context.given(_views, member_id)
    if given is not None:
        return view_shown(*given)
    return shown(
        present_now(context),
        lambda present: shown(
            context.loader(_views, present).get(member_id),
            lambda view: view_shown(view, present),
        ),
    )


def shown_lifetime_spend(view: TierView, present: Present) -> Money:
    """The eligible spend over the whole membership."""
    return Money.of(view.lifetime_spend_minor, present.currency, present.digits)


def shown_tier(view: TierView, present: Present) -> TierStatus:
    """A tier as the schema shows it."""
    currency, digits = present.currency, present.digits
    following = None
    if view.next_name is not None and view.next_min_spend_minor is not None:
        needed = view.next_min_spend_minor
        following = NextTier(
            name=view.next_name,
            min_spend=Money.of(needed, currency, digits),
            amount_missing=Money.of(needed - view.qualifying_spend_minor, currency, digits),
            progress_percent=floor_share(view.qualifying_spend_minor, PERCENT_PER_UNIT, needed),
        )
    return TierStatus(
        name=view.name,
        rank=view.rank,
        multiplier_percent=view.multiplier_percent,
        since=view.since,
        qualifying_spend=Money.of(view.qualifying_spend_minor, currency, digits),
        next=following,
        changes=view.change_count,
    )
