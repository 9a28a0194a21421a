"""What households look like in the schema: types, inputs and answers."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated

import strawberry

from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.permissions import MEMBER, OPERATORS, STAFF, access, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.households import service
from server.households.service import (
    HouseholdRole,
    HouseholdView,
    StayView,
)
from server.ledger.graphql import holding_of
from server.members import service as members
from server.money import POINTS

_HOUSEHOLD_DATA = MEMBER | STAFF
"""What members of a household see of it; tills don't."""

described(
    HouseholdRole,
    description="What a member of a household may do.",
    OWNER="Spends everybody's points, invites, removes, and gives others their roles.",
    SPENDER="Spends everybody's points.",
    CONTRIBUTOR="Lets the others spend their points, and spends their own alone.",
)


# ---------------------------------------------------------------- types


@shown_to(_HOUSEHOLD_DATA)
@strawberry.type(description="A member of a household.")
class HouseholdMember:
    """A member's place in a household."""

    member_id: strawberry.ID = strawberry.field(description="The member's id.")
    role: HouseholdRole = strawberry.field(description="What they may do.")
    joined_at: Instant = strawberry.field(description="When they joined.")
    stay: strawberry.Private[StayView]

    @computed(description="The name to greet them with, if given.")
    async def name(self, info: Info) -> str | None:
        """The name, looked up where the household was not read with names."""
        if self.stay.name is not None:
            return self.stay.name
        return await info.context.loader(_names).load(self.stay.member_id)


@shown_to(_HOUSEHOLD_DATA)
@strawberry.type(description="The points of all members of a household together.")
class PooledPoints:
    """A household's points."""

    available: int = strawberry.field(
        description="Points that owners and spenders can spend now: what all members have "
        "available, less what any of them owes."
    )
    pending: int = strawberry.field(description="Points that become available later.")


@shown_to(_HOUSEHOLD_DATA)
@strawberry.type(
    description="Members who pool their points. Each keeps their own: nothing moves when someone "
    "joins, and who leaves takes exactly what is left of theirs. Owners and spenders can spend the "
    "points of all; what expires first is spent first, whosever it is, and what is given back "
    "later goes back to whom it came from."
)
class Household:
    """A household, seen from one of its members."""

    id: strawberry.ID = strawberry.field(description="Its opaque id.")
    name: str | None = strawberry.field(description="What its members call it, if anything.")
    role: HouseholdRole = strawberry.field(
        description="The role of the member whose household was asked for."
    )
    founded_at: Instant = strawberry.field(description="When it was founded.")
    members: list[HouseholdMember] = strawberry.field(
        description="Everyone in it, who has been in it longest first."
    )
    view: strawberry.Private[HouseholdView]

    @computed(description="Everybody's points together, exact at the instant of the request.")
    async def pooled_points(self, info: Info) -> PooledPoints:
        """The sum of what the members hold; one statement for all of them."""
        holdings = await asyncio.gather(
            *(holding_of(info.context, stay.member_id, POINTS) for stay in self.view.stays)
        )
        return PooledPoints(
            available=sum(holding.balance.available for holding in holdings),
            pending=sum(holding.balance.pending for holding in holdings),
        )


async def _names(member_ids: list[int]) -> Sequence[str | None]:
    profiles = await members.profiles(member_ids)
    return [profiles[member_id].name if member_id in profiles else None for member_id in member_ids]


def shown_household(household: HouseholdView, role: HouseholdRole) -> Household:
    """A household as the schema shows it to a member in that role."""
    return Household(
        id=nodes.global_id("Household", household.id),
        name=household.name,
        role=role,
        founded_at=household.founded_at,
        members=[
            HouseholdMember(
                member_id=nodes.global_id("Member", stay.member_id),
                role=stay.role,
                joined_at=stay.joined_at,
                stay=stay,
            )
            for stay in household.stays
        ],
        view=household,
    )


async def _households(member_ids: list[int]) -> Sequence[HouseholdView | None]:
    found = await service.households_of(member_ids)
    return [found.get(member_id) for member_id in member_ids]


async def household_of_member(info: Info, member_id: int) -> Household | None:
    """The household that the member is in; one statement for all members asked for."""
    household = await info.context.loader(_households).load(member_id)
    return None if household is None else shown_household(household, household.roles[member_id])


# ---------------------------------------------------------------- inputs


@strawberry.input(description="A household to found.")
class FoundHouseholdInput:
    """Input of foundHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    name: str | None = strawberry.field(
        default=None, description="What to call it: up to 120 characters on one line."
    )


@strawberry.input(description="Whom to invite, by their role.")
class InviteToHouseholdInput:
    """Input of inviteToHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    role: HouseholdRole = strawberry.field(description="What who joins may do.")


@strawberry.input(description="Which household to join.")
class JoinHouseholdInput:
    """Input of joinHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    code: str = strawberry.field(
        description="The invitation's code; spaces, hyphens and small letters don't matter."
    )


@strawberry.input(description="That the caller leaves their household.")
class LeaveHouseholdInput:
    """Input of leaveHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    household_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Which household is meant, so that no other is left by mistake; the one that "
        "the caller is in, if left out.",
    )


@strawberry.input(description="Whom to remove from the household.")
class RemoveFromHouseholdInput:
    """Input of removeFromHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member_id: strawberry.ID = strawberry.field(
        description="Who: `memberId` of one of the household's members."
    )


@strawberry.input(description="Who gets which role.")
class ChangeHouseholdRoleInput:
    """Input of changeHouseholdRole."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member_id: strawberry.ID = strawberry.field(
        description="Who: `memberId` of one of the household's members."
    )
    role: HouseholdRole = strawberry.field(description="The role that they get.")


@strawberry.input(description="That the caller's household ends.")
class DissolveHouseholdInput:
    """Input of dissolveHousehold."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    household_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Which household is meant, so that no other is left by mistake; the one that "
        "the caller is in, if left out.",
    )


# ---------------------------------------------------------------- answers


@shown_to(MEMBER)
@strawberry.type(description="The household was founded, joined or changed.")
class HouseholdChanged:
    """Success of founding, joining and changing roles."""

    household: Household = strawberry.field(
        description="The household directly afterwards, as the caller sees it."
    )


@shown_to(MEMBER)
@strawberry.type(description="An invitation to a household was made.")
class HouseholdInvitation:
    """Success of an invitation."""

    invitation_code: str = strawberry.field(
        description="What the other one enters to join, once. It is shown in this answer alone."
    )
    role: HouseholdRole = strawberry.field(description="What who joins may do.")
    expires_at: Instant = strawberry.field(description="Until when it can be taken up.")


@shown_to(MEMBER)
@strawberry.type(description="The caller is in no household any more.")
class HouseholdLeft:
    """Success of leaving and dissolving."""

    is_dissolved: bool = strawberry.field(
        description="Whether the household has ended, for it was dissolved or nobody is left."
    )
    rejoin_from: date = strawberry.field(
        description="The first local day of the programme on which the caller may join or found a "
        "household again."
    )


@shown_to(MEMBER | access(roles=OPERATORS))
@strawberry.type(description="A member was removed from their household.")
class RemovedFromHousehold:
    """Success of a removal."""

    household: Household | None = strawberry.field(
        description="The household directly afterwards; null if nobody is left in it, and for staff"
        "."
    )


FoundHouseholdResult = Annotated[
    HouseholdChanged | InvalidInput | NotAllowed | IdempotencyConflict,
    strawberry.union("FoundHouseholdResult", description="The household, or why there is none."),
]
InviteToHouseholdResult = Annotated[
    HouseholdInvitation | InvalidInput | NotAllowed | LimitReached | IdempotencyConflict,
    strawberry.union(
        "InviteToHouseholdResult", description="The invitation, or why there is none."
    ),
]
JoinHouseholdResult = Annotated[
    HouseholdChanged
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | NotAllowed
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("JoinHouseholdResult", description="The household, or why it was not joined."),
]
LeaveHouseholdResult = Annotated[
    HouseholdLeft | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "LeaveHouseholdResult", description="That the household was left, or why not."
    ),
]
RemoveFromHouseholdResult = Annotated[
    RemovedFromHousehold | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "RemoveFromHouseholdResult", description="That the member was removed, or why not."
    ),
]
ChangeHouseholdRoleResult = Annotated[
    HouseholdChanged | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "ChangeHouseholdRoleResult", description="The household, or why the role stays."
    ),
]
DissolveHouseholdResult = Annotated[
    HouseholdLeft | InvalidInput | NotFound | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "DissolveHouseholdResult", description="That the household has ended, or why not."
    ),
]
