"""Tiers in the schema: where a member stands, and what is missing to the next one."""

from collections.abc import Sequence

import strawberry

from server.clock import Instant
from server.edge.context import Info
from server.edge.permissions import MEMBER_DATA, shown_to
from server.edge.scalars import Money
from server.money import PERCENT_PER_UNIT, floor_share
from server.programme.document import Programme
from server.programme.graphql import programme_now
from server.programme.service import PublishedProgramme
from server.tiers import service
from server.tiers.service import TierView


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


async def _views(
    member_ids: list[int], published: PublishedProgramme, at: Instant
) -> Sequence[TierView | None]:
    found = await service.views(member_ids, published, at)
    return [found.get(member_id) for member_id in member_ids]


async def tier_view_of_member(info: Info, member_id: int) -> TierView:
    """The member's tier as the service tells it; one look-up for all members asked for."""
    published = await programme_now(info)
    view = await info.context.loader(_views, published, info.context.at).load(member_id)
    if view is None:
        raise LookupError(f"member {member_id} has no tier")
    return view


def shown_tier(view: TierView, programme_now: Programme) -> TierStatus:
    """A tier as the schema shows it."""
    identity = programme_now.programme

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, identity.currency, identity.minor_unit_digits)

    following = None
    if view.next_name is not None and view.next_min_spend_minor is not None:
        needed = view.next_min_spend_minor
        following = NextTier(
            name=view.next_name,
            min_spend=money(needed),
            amount_missing=money(needed - view.qualifying_spend_minor),
            progress_percent=floor_share(view.qualifying_spend_minor, PERCENT_PER_UNIT, needed),
        )
    return TierStatus(
        name=view.name,
        rank=view.rank,
        multiplier_percent=view.multiplier_percent,
        since=view.since,
        qualifying_spend=money(view.qualifying_spend_minor),
        next=following,
        changes=view.change_count,
    )
