"""The root fields of members: one's own, one, all, and what several can spend."""

from typing import Annotated, cast

import strawberry

from server.cards import service as cards
from server.cards.graphql import MemberReference, member_reference
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.fields import exact
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import (
    EVERYONE,
    MEMBER,
    access,
    query,
    shown_to,
)
from server.edge.refusing import RequestRefused
from server.errors import DomainError
from server.ledger import service as ledger
from server.members import service as members
from server.membership.home import read_members
from server.membership.member_type import (
    READERS,
    After,
    First,
    Member,
    member_shown,
    own_member,
    shown,
)
from server.money import POINTS
from server.principal import Scope

_BALANCE_READERS = READERS | access(Scope.POINTS_REDEEM)
MAXIMUM_BALANCES = 500


@shown_to(READERS)
@strawberry.type(description="A member with their place in the list.")
class MemberEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The member's place, for `after`.")
    node: Member = strawberry.field(description="The member.")


@shown_to(READERS)
@strawberry.type(description="A page of members, in the order in which they joined.")
class MemberConnection:
    """Relay's connection."""

    edges: list[MemberEdge] = strawberry.field(description="The members with their places.")
    nodes: list[Member] = strawberry.field(description="The members alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(_BALANCE_READERS)
@strawberry.type(description="What a member whom another system knows by an id can spend.")
class PointBalance:
    """One balance of several."""

    external_id: str = strawberry.field(description="The member's id in the operator's systems.")
    available: int = strawberry.field(description="Points that can be spent now.")
    pending: int = strawberry.field(description="Points that become available later.")


@strawberry.type
class MembershipQueries:
    """The root fields that read members."""

    @exact
    @query(MEMBER, description="The signed-in member: the home screen in one round trip.")
    async def me(self, info: Info) -> Member:
        """The caller."""
        return await own_member(info.context)

    @query(
        READERS,
        description="One member, found by id, external id or card number; null if none is found. A "
        "blocked or replaced card finds no one.",
    )
    async def member(
        self,
        info: Info,
        by: Annotated[MemberReference, strawberry.argument(description="Who is meant.")],
    ) -> Member | None:
        """A member by reference."""
        try:
            reference = member_reference(by)
            assert reference is not None, "the schema requires it"
            return await member_shown(info, await cards.member_of(reference, path=("by",)))
        except DomainError:
            return None

    @query(READERS, description="All members, in the order in which they joined.")
    async def members(self, info: Info, first: First = 20, after: After = None) -> MemberConnection:
        """A page of members."""
        limit, position = pages.page(first, after)
        page = await members.page_of_members(first=limit, after_id=position or 0)
        if page.members and info.context.asked is not None:
            await read_members(info.context, [profile.id for profile in page.members])
        return pages.connected(
            MemberConnection,
            MemberEdge,
            [(profile.id, shown(profile)) for profile in page.members],
            has_next=page.has_next,
            after=after,
        )

    @query(
        _BALANCE_READERS,
        description="What several members can spend, in the order asked; unknown ids are left out.",
    )
    async def point_balances(
        self,
        info: Info,
        external_ids: Annotated[
            list[str],
            strawberry.argument(description="Ids of the operator's systems: up to 500."),
        ],
    ) -> list[PointBalance]:
        """Balances by external id."""
        if len(external_ids) > MAXIMUM_BALANCES:
            raise RequestRefused(
                "INVALID_INPUT",
                "argument.ids",
                name="externalIds",
                given=len(external_ids),
                maximum=MAXIMUM_BALANCES,
            )
        found = await members.members_by_external_id(external_ids)
        balances = await ledger.balances(found.values(), info.context.at) if found else {}
        return [
            _balance(external_id, balances.get((found[external_id], POINTS)))
            for external_id in external_ids
            if external_id in found
        ]

    @query(
        EVERYONE,
        description="The thing with this id, as far as the caller may see it; null if there is "
        "none, or none for this caller.",
    )
    async def node(
        self,
        info: Info,
        opaque_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="A global id.")
        ],
    ) -> Node | None:
        """Relay's node."""
        return cast(Node | None, await nodes.find(info, opaque_id))


def _balance(external_id: str, balance: ledger.Balance | None) -> PointBalance:
    usable = balance or ledger.Balance()
    return PointBalance(external_id=external_id, available=usable.available, pending=usable.pending)
