"""Flash drops in the schema: the line, and a member's place in it."""

from typing import Annotated

import strawberry

from server.catalogue import service
from server.catalogue.order_shapes import RewardOrdered
from server.catalogue.problems import NotInAudience, NotYetOpen
from server.catalogue.service import PlaceStatus, PlaceView
from server.catalogue.shapes import Reward, shown_reward
from server.clock import NEVER, Instant
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.permissions import EVERYONE, MEMBER, MEMBER_DATA, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)

described(
    PlaceStatus,
    name="DropPlaceStatus",
    description="What has become of a place in line.",
    WAITING="Others come first.",
    YOUR_TURN="A unit is offered to the member, until `turnEndsAt`.",
    TAKEN="The member has ordered the unit.",
    LEFT="The member has left the line, or cancelled what they had ordered.",
    LAPSED="The turn has passed unused; the unit went on to the next in line.",
    CLOSED="The drop has ended before it was the member's turn.",
)


@shown_to(EVERYONE)
@strawberry.type(description="Units of a reward that are offered, one by one, to those in line.")
class Drop:
    """A flash drop."""

    key: str = strawberry.field(description="What the mutations name it by.")
    opens_at: Instant = strawberry.field(
        description="When the line opens; earlier for members of some tiers."
    )
    closes_at: Instant | None = strawberry.field(
        description="When it ends, turns included; null if that is open."
    )
    units: int = strawberry.field(description="How many units are offered.")
    hold_seconds: int = strawberry.field(
        description="For how long a unit is offered to one member before it passes on."
    )
    per_member: int = strawberry.field(description="How many units one member may take.")
    shown: strawberry.Private[service.Drop]

    @computed(description="What is offered; null once it is withdrawn.")
    async def reward(self, info: Info) -> Reward | None:
        """The reward."""
        key = self.shown.document.reward
        found = await info.context.loader(_rewards, info.context.at).load(key)
        return None if found is None else shown_reward(found, info.context.language)

    @computed(description="How many units are ordered and not cancelled.")
    async def units_taken(self, info: Info) -> int:
        """The units that are gone."""
        return await info.context.loader(_taken).load(self.shown.key)


async def _rewards(keys: list[str], at: Instant) -> list[service.Shown | None]:
    found = {one.key: one for one in await service.published(at)}
    return [found.get(key) for key in keys]


async def _taken(keys: list[str]) -> list[int]:
    found = await service.taken_units(keys)
    return [found.get(key, 0) for key in keys]


def shown_drop(drop: service.Drop) -> Drop:
    """A drop as the schema shows it."""
    return Drop(
        key=drop.key,
        opens_at=drop.opens_at,
        closes_at=None if drop.closes_at == NEVER else drop.closes_at,
        units=drop.document.units,
        hold_seconds=drop.document.hold_seconds,
        per_member=drop.document.per_member,
        shown=drop,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(
    description="A member's place in the line of a drop. Whose turn it is follows from the places "
    "and the clock: ask again, or follow `memberChanged`."
)
class DropPlace:
    """A place in line."""

    status: PlaceStatus = strawberry.field(description="What has become of it.")
    position: int | None = strawberry.field(
        description="Which place among those who wait; 1 is the next whose turn comes. Null once "
        "it has come."
    )
    ahead: int | None = strawberry.field(
        description="How many wait before it; null once its turn has come."
    )
    is_your_turn: bool = strawberry.field(
        description="Whether a unit is offered to the member: `takeDropPlace` orders it."
    )
    turn_ends_at: Instant | None = strawberry.field(
        description="Until when it is offered; null if it is not the member's turn."
    )
    joined_at: Instant = strawberry.field(description="When the member joined the line.")


def shown_place(place: PlaceView) -> DropPlace:
    """A place as the schema shows it."""
    return DropPlace(
        status=place.status,
        position=None if place.ahead is None else place.ahead + 1,
        ahead=place.ahead,
        is_your_turn=place.status is PlaceStatus.YOUR_TURN,
        turn_ends_at=place.turn_ends_at,
        joined_at=place.joined_at,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A drop, for a member.")
class MemberDrop:
    """How a member stands to a drop."""

    drop: Drop = strawberry.field(description="The drop.")
    opens_at: Instant = strawberry.field(
        description="When the line opens for the member, by their tier."
    )
    place: DropPlace | None = strawberry.field(
        description="The member's place in line, the last if there were several; null if they have "
        "not joined."
    )


# ---------------------------------------------------------------- inputs and results

_DROP_KEY = "Which drop: its `key`."


@strawberry.input(description="Which line to join.")
class JoinDropInput:
    """Input of joinDrop."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    drop_key: str = strawberry.field(description=_DROP_KEY)


@strawberry.input(description="Which line to leave.")
class LeaveDropInput:
    """Input of leaveDrop."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    drop_key: str = strawberry.field(description=_DROP_KEY)


@strawberry.input(description="Whose unit to order.")
class TakeDropPlaceInput:
    """Input of takeDropPlace."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    drop_key: str = strawberry.field(description=_DROP_KEY)
    from_household: bool = strawberry.field(
        default=False,
        description="Whether to use the points of the member's whole household.",
    )


@shown_to(MEMBER)
@strawberry.type(description="The member's place in line, as this request left it.")
class DropPlaceChanged:
    """Success of joining and leaving."""

    drop_key: str = strawberry.field(description="Which drop.")
    place: DropPlace = strawberry.field(description="The place.")


def shown_change(place: PlaceView) -> DropPlaceChanged:
    """A place after a mutation, as the schema shows it."""
    return DropPlaceChanged(drop_key=place.drop_key, place=shown_place(place))


JoinDropResult = Annotated[
    DropPlaceChanged
    | InvalidInput
    | NotFound
    | NotYetOpen
    | NotInAudience
    | AlreadyDecided
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("JoinDropResult", description="The place in line, or why there is none."),
]
LeaveDropResult = Annotated[
    DropPlaceChanged | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("LeaveDropResult", description="The place that was left, or why it is not."),
]
TakeDropPlaceResult = Annotated[
    RewardOrdered
    | InvalidInput
    | NotFound
    | NotYetOpen
    | NotInAudience
    | NotAllowed
    | AlreadyDecided
    | LimitReached
    | InsufficientPoints
    | IdempotencyConflict,
    strawberry.union("TakeDropPlaceResult", description="The order, or why there is none."),
]
