"""Gifts of points in the schema."""

from collections.abc import Sequence
from typing import Annotated, cast

import strawberry

from server import clock
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, OPERATORS, STAFF, access, mutation, shown_to
from server.edge.problems import (
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.members import service as members
from server.principal import PrincipalKind, Scope
from server.transfers import service
from server.transfers.service import GiftDirection, GiftView, Given, MemberGift, Present

_GIVERS = access(Scope.POINTS_REDEEM, members=True, roles=OPERATORS)
_GIFT_DATA = MEMBER | STAFF | _GIVERS

described(
    GiftDirection,
    description="Which way a gift went, seen from the member in whose list it stands.",
    SENT="The member gave it.",
    RECEIVED="The member was given it.",
)


@shown_to(_GIFT_DATA)
@strawberry.type(description="Points that one member gave to another.")
class Gift:
    """A gift, seen from one of its two members."""

    id: strawberry.ID = strawberry.field(
        description="The gift's opaque id, the same for both of its members."
    )
    direction: GiftDirection = strawberry.field(description="Whether it was sent or received.")
    points: int = strawberry.field(description="How many points.")
    message: str | None = strawberry.field(
        description="The words that go with it, as the giver wrote them; null without any."
    )
    other_name: str | None = strawberry.field(
        description="The other member's first name: the first word of the name to greet them with, "
        "and nothing else of them; null if they gave none."
    )
    given_at: Instant = strawberry.field(description="When it was given.")


@shown_to(MEMBER | STAFF)
@strawberry.type(description="A gift with its place in the list.")
class GiftEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The gift's place, for `after`.")
    node: Gift = strawberry.field(description="The gift.")


@shown_to(MEMBER | STAFF)
@strawberry.type(description="A page of the gifts that a member sent or received, newest first.")
class GiftConnection:
    """Relay's connection."""

    edges: list[GiftEdge] = strawberry.field(description="The gifts with their places.")
    nodes: list[Gift] = strawberry.field(description="The gifts alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def _shown(seen: MemberGift) -> Gift:
    return Gift(
        id=nodes.global_id("Gift", seen.gift.id),
        direction=seen.direction,
        points=seen.gift.amount,
        message=seen.gift.message,
        other_name=seen.other_name,
        given_at=seen.gift.given_at,
    )


async def _gifts(member_ids: list[int], limit: int, before: int) -> list[list[MemberGift]]:
    found = await service.gifts(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def gifts_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> GiftConnection:
    """A page of the gifts that the member sent or received; one statement for all members asked
    for."""
    limit, before = pages.page(first, after)
    found = await info.context.loader(_gifts, limit + 1, pages.before(before)).load(member_id)
    return pages.connected(
        GiftConnection,
        GiftEdge,
        [(seen.gift.id, _shown(seen)) for seen in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


# ---------------------------------------------------------------- giving


@strawberry.input(description="Points to give to another member.")
class GivePointsInput:
    """Input of givePoints."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    to: MemberReference = strawberry.field(
        description="Who gets them. A member names the other one by `cardNumber`, and by nothing "
        "else."
    )
    points: int = strawberry.field(
        description="How many points: at least `transfers.minimumPoints` of the programme's terms. "
        "Only what is available can be given; what expires first goes first, and keeps its expiry."
    )
    message: str | None = strawberry.field(
        default=None, description="A few words: up to 200 printable characters on one line."
    )
    from_: MemberReference | None = strawberry.field(
        name="from",
        default=strawberry.UNSET,
        description="Who gives them; the signed-in member, if left out. Members may name no one.",
    )


@shown_to(_GIVERS)
@strawberry.type(description="Points were given.")
class PointsGiven:
    """Success of a gift."""

    gift: Gift = strawberry.field(description="The gift, as the giver sees it.")
    points_available_after: int = strawberry.field(
        description="Points that the giver could spend directly after this gift."
    )


GivePointsResult = Annotated[
    PointsGiven
    | InvalidInput
    | NotFound
    | CardUnusable
    | InsufficientPoints
    | LimitReached
    | NotAllowed
    | IdempotencyConflict,
    strawberry.union("GivePointsResult", description="The gift, or why there is none."),
]


def _present_of(info: Info, input: GivePointsInput) -> Present:
    from_path, to_path = ("input", "from"), ("input", "to")
    giver = member_reference(input.from_ or None)
    receiver = member_reference(input.to)
    assert receiver is not None, "the schema requires it"
    principal = info.context.principal
    if principal.kind is PrincipalKind.MEMBER:
        if giver is not None:
            raise InvalidInputError(
                "transfer.from", path=from_path, accepted=phrase("accepted.nothing")
            )
        if receiver.card_number is None:
            raise InvalidInputError(
                "transfer.to", path=to_path, accepted=phrase("accepted.others_card")
            )
        giver = service.MemberReference(id=principal.member_id)
    elif giver is None:
        raise InvalidInputError(
            "input.required", path=from_path, accepted=phrase("accepted.member")
        )
    return Present(giver, receiver, input.points, input.message)


async def _names(member_ids: list[int]) -> Sequence[str | None]:
    profiles = await members.profiles(member_ids)
    return [profiles[member_id].name if member_id in profiles else None for member_id in member_ids]


async def _seen_by_giver(info: Info, gift: GiftView) -> Gift:
    name = await info.context.loader(_names).load(gift.receiver_id)
    return _shown(MemberGift(gift, GiftDirection.SENT, service.shown_name(name)))


@strawberry.type
class TransferMutations:
    """The mutations of gifts, for the schema's root."""

    @mutation(
        _GIVERS,
        description="Give points to another member, within the limits of the programme's "
        "`transfers`. A gift is final: only the other member can give points back.",
    )
    async def give_points(
        self,
        info: Info,
        input: Annotated[GivePointsInput, strawberry.argument(description="What to give to whom.")],
    ) -> GivePointsResult:
        """Give points."""

        async def work() -> Given:
            present = _present_of(info, input)
            try:
                return await service.give(present, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        async def present(given: Given) -> PointsGiven:
            return PointsGiven(
                gift=await _seen_by_giver(info, given.gift),
                points_available_after=given.points_available_after,
            )

        answer = await write_once(info, input, work=work, result=Given, present=present)
        return cast(GivePointsResult, answer)
