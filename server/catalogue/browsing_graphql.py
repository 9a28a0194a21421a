"""Reading the catalogue, its orders and drops through the schema."""

from typing import Annotated

import strawberry

from server.catalogue import rules, service
from server.catalogue.drop_shapes import Drop, MemberDrop, shown_drop, shown_place
from server.catalogue.order_shapes import (
    RewardOrder,
    RewardOrderConnection,
    RewardOrderEdge,
    shown_order,
)
from server.catalogue.service import MemberReward as Standing
from server.catalogue.service import OrderStatus, OrderView
from server.catalogue.shapes import (
    MemberRewardConnection,
    MemberRewardEdge,
    RewardConnection,
    RewardEdge,
    shown_reward,
    shown_standing,
)
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.permissions import ALL_STAFF, EVERYONE, MEMBER_DATA, STAFF, query
from server.principal import PrincipalKind

First = Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")]
After = Annotated[
    str | None,
    strawberry.argument(description="The `endCursor` of the page before; null for the first page."),
]
Category = Annotated[
    str | None,
    strawberry.argument(description="Only what the shop has put there; all, if left out."),
]
Affordable = Annotated[
    bool,
    strawberry.argument(description="Whether only what the member has the points for is shown."),
]


# ---------------------------------------------------------------- a member's


async def _standings(member_ids: list[int], at: Instant) -> list[list[Standing]]:
    found = await service.rewards_of_members(member_ids, at)
    return [found[member_id] for member_id in member_ids]


async def rewards_of_member(
    info: Info,
    member_id: int,
    *,
    first: int,
    after: str | None,
    category: str | None,
    affordable: bool,
) -> MemberRewardConnection:
    """A page of the catalogue for the member; as many statements for many members as for one."""
    limit, position = pages.page(first, after)
    found = await info.context.loader(_standings, info.context.at).load(member_id)
    chosen = [
        (place, one)
        for place, one in enumerate(found, 1)
        if (category is None or category in one.shown.document.categories)
        and not (affordable and one.short_by)
        and place > (position or 0)
    ]
    language = info.context.language
    return pages.connected(
        MemberRewardConnection,
        MemberRewardEdge,
        [(place, shown_standing(one, language)) for place, one in chosen[:limit]],
        has_next=len(chosen) > limit,
        after=after,
    )


def _orders(found: list[OrderView], limit: int, after: str | None) -> RewardOrderConnection:
    return pages.connected(
        RewardOrderConnection,
        RewardOrderEdge,
        [(order.id, shown_order(order)) for order in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _order_pages(member_ids: list[int], limit: int, before: int) -> list[list[OrderView]]:
    found = await service.orders_of_members(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def orders_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> RewardOrderConnection:
    """A page of the member's orders; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    loader = info.context.loader(_order_pages, limit + 1, pages.before(before))
    return _orders(await loader.load(member_id), limit, after)


async def _drops(member_ids: list[int], at: Instant) -> list[list[MemberDrop]]:
    drops = await service.live_drops(at)
    if not drops:
        return [[] for _ in member_ids]
    asked = await service.audiences_of(drops.values(), at)
    standings = await service.standing_of(member_ids, asked.values(), at, with_tiers=True)
    places = await service.places_of(member_ids, drops, at)
    return [
        [
            MemberDrop(
                drop=shown_drop(drop),
                opens_at=drop.opens_for(standings[member_id].tier),
                place=shown_place(place) if (place := places[member_id].get(key)) else None,
            )
            for key, drop in sorted(drops.items(), key=lambda item: (item[1].opens_at, item[0]))
            if key in places[member_id]
            or rules.is_shown(asked[key], segments=standings[member_id].segments)
        ]
        for member_id in member_ids
    ]


async def drops_of_member(info: Info, member_id: int) -> list[MemberDrop]:
    """The drops for the member; as many statements for many members as for one."""
    return await info.context.loader(_drops, info.context.at).load(member_id)


# ---------------------------------------------------------------- anybody's


async def _found_orders(order_ids: list[int]) -> list[OrderView | None]:
    found = await service.find_orders(order_ids)
    return [found.get(order_id) for order_id in order_ids]


@nodes.fetches("RewardOrder")
async def _order(info: Info, order_id: int) -> RewardOrder | None:
    order = await info.context.loader(_found_orders).load(order_id)
    principal = info.context.principal
    if order is None:
        return None
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == order.member_id
    is_reader = principal.kind is not PrincipalKind.MEMBER and MEMBER_DATA.allows(principal)
    return shown_order(order) if is_own or is_reader else None


@strawberry.type
class CatalogueQueries:
    """The root fields that read the catalogue."""

    @query(
        EVERYONE,
        description="The rewards that can be ordered now, the cheapest in points first. What is "
        "for a segment of the members is shown to the staff, and to those in it as "
        "`me { rewards }`.",
    )
    async def rewards(
        self, info: Info, first: First = 20, after: After = None, category: Category = None
    ) -> RewardConnection:
        """A page of the catalogue."""
        limit, position = pages.page(first, after)
        is_staff = info.context.principal.staff_role in ALL_STAFF
        chosen = [
            (place, one)
            for place, one in enumerate(await service.catalogue(info.context.at), 1)
            if (category is None or category in one.document.categories)
            and (is_staff or not one.document.audience.segments)
            and place > (position or 0)
        ]
        language = info.context.language
        return pages.connected(
            RewardConnection,
            RewardEdge,
            [(place, shown_reward(one, language)) for place, one in chosen[:limit]],
            has_next=len(chosen) > limit,
            after=after,
        )

    @query(
        EVERYONE,
        description="The flash drops that have not ended, the first to open first. Those of what "
        "is for a segment of the members are shown to the staff, and to those in it as "
        "`me { drops }`.",
    )
    async def drops(self, info: Info) -> list[Drop]:
        """The drops."""
        at = info.context.at
        is_staff = info.context.principal.staff_role in ALL_STAFF
        live = (await service.live_drops(at)).values()
        audiences = await service.audiences_of(live, at)
        drops = [one for one in live if is_staff or not audiences[one.key].segments]
        return [shown_drop(one) for one in sorted(drops, key=lambda one: (one.opens_at, one.key))]

    @query(STAFF, description="The orders of all members, the newest first.")
    async def reward_orders(
        self,
        status: Annotated[
            OrderStatus | None,
            strawberry.argument(description="Only those with this status; all, if left out."),
        ] = None,
        first: First = 20,
        after: After = None,
    ) -> RewardOrderConnection:
        """A page of orders."""
        limit, before = pages.page(first, after)
        found = await service.orders(status, before=pages.before(before), limit=limit + 1)
        return _orders(found, limit, after)
