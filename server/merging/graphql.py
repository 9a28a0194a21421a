"""Merging in the schema: two memberships of one person become one, and two again."""

from typing import Annotated, cast

import strawberry

from server import clock
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.pages import PageInfo
from server.edge.permissions import access, mutation, query, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.errors import DomainError
from server.merging import service
from server.merging.service import Merged, MergeView, MovedValue, Parted, Wish
from server.money import POINTS
from server.principal import StaffRole

_READERS = access(roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER, StaffRole.AUDITOR}))
_MERGERS = access(roles=frozenset({StaffRole.MANAGER}))

# ---------------------------------------------------------------- types


@shown_to(_READERS)
@strawberry.type(description="Two memberships of one person that were joined.")
class Merge:
    """A merge."""

    id: strawberry.ID = strawberry.field(description="Its id, to undo it.")
    duplicate_id: strawberry.ID = strawberry.field(
        description="The member who was joined into the other. Until it is undone, this id leads "
        "to the survivor, and so do its external id, its cards and its sign-in."
    )
    survivor_id: strawberry.ID = strawberry.field(description="The member who goes on.")
    reason: str = strawberry.field(description="Why they were joined.")
    merged_at: Instant = strawberry.field(description="When.")
    merged_by: strawberry.ID = strawberry.field(description="By whose account.")
    undone_at: Instant | None = strawberry.field(
        description="When it was undone; null while it stands."
    )
    undone_by: strawberry.ID | None = strawberry.field(
        description="By whose account it was undone; null while it stands."
    )
    purchases: int = strawberry.field(description="How many purchases moved.")
    vouchers: int = strawberry.field(description="How many vouchers moved.")


@shown_to(_READERS)
@strawberry.type(description="A merge with its place in the list.")
class MergeEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The merge's place, for `after`.")
    node: Merge = strawberry.field(description="The merge.")


@shown_to(_READERS)
@strawberry.type(description="A page of merges, the newest first.")
class MergeConnection:
    """Relay's connection."""

    edges: list[MergeEdge] = strawberry.field(description="The merges with their places.")
    nodes: list[Merge] = strawberry.field(description="The merges alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(_MERGERS)
@strawberry.type(description="Value that passed from one of the two members to the other.")
class MergedValue:
    """Value in one asset."""

    points: int | None = strawberry.field(
        description="The points, pending ones included; null for cashback."
    )
    amount: Money | None = strawberry.field(
        description="The cashback, pending one included; null for points."
    )
    owed_points: int | None = strawberry.field(
        description="The points that are owed and passed on as well; null for cashback."
    )
    owed_amount: Money | None = strawberry.field(
        description="The cashback that is owed and passed on as well; null for points."
    )


@shown_to(_MERGERS)
@strawberry.type(description="The duplicate was joined into the survivor.")
class MembersMerged:
    """Success of mergeMembers."""

    merge: Merge = strawberry.field(description="The merge.")
    values: list[MergedValue] = strawberry.field(description="What the survivor got.")


@shown_to(_MERGERS)
@strawberry.type(description="The two members are apart again.")
class MergeUndone:
    """Success of undoMerge."""

    merge: Merge = strawberry.field(description="The merge, undone.")
    values: list[MergedValue] = strawberry.field(
        description="What went back: of what had come, what is left."
    )


def _account(number: int) -> strawberry.ID:
    return nodes.global_id("Account", number)


def _shown(view: MergeView) -> Merge:
    return Merge(
        id=nodes.global_id("Merge", view.id),
        duplicate_id=nodes.global_id("Member", view.duplicate_id),
        survivor_id=nodes.global_id("Member", view.survivor_id),
        reason=view.reason,
        merged_at=view.merged_at,
        merged_by=_account(view.merged_by),
        undone_at=view.undone_at,
        undone_by=None if view.undone_by is None else _account(view.undone_by),
        purchases=view.purchases,
        vouchers=view.vouchers,
    )


def _value(value: MovedValue, digits: int) -> MergedValue:
    if value.asset == POINTS:
        return MergedValue(
            points=value.amount, amount=None, owed_points=value.owed, owed_amount=None
        )
    return MergedValue(
        points=None,
        amount=Money.of(value.amount, value.asset, digits),
        owed_points=None,
        owed_amount=Money.of(value.owed, value.asset, digits),
    )


def _merged(done: Merged) -> MembersMerged:
    values = [_value(value, done.digits) for value in done.values]
    return MembersMerged(merge=_shown(done.merge), values=values)


def _parted(done: Parted) -> MergeUndone:
    values = [_value(value, done.digits) for value in done.values]
    return MergeUndone(merge=_shown(done.merge), values=values)


@strawberry.type
class MergingQueries:
    """The root fields that read merges."""

    @query(
        _READERS,
        description="The memberships that were joined, the newest first, undone ones included.",
    )
    async def merges(
        self,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> MergeConnection:
        """A page of merges; one statement."""
        limit, before = pages.page(first, after)
        found = await service.page(before=before, limit=limit + 1)
        return pages.connected(
            MergeConnection,
            MergeEdge,
            [(view.id, _shown(view)) for view in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


# ---------------------------------------------------------------- mutations


@strawberry.input(description="Whom to join into whom.")
class MergeMembersInput:
    """Input of mergeMembers."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    duplicate: MemberReference = strawberry.field(description="Who is joined into the other.")
    survivor: MemberReference = strawberry.field(description="Who goes on.")
    reason: str = strawberry.field(
        description="Why they are the same person, for colleagues: 3 to 500 characters."
    )


@strawberry.input(description="Which merge to undo.")
class UndoMergeInput:
    """Input of undoMerge."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    merge_id: strawberry.ID = strawberry.field(description="The merge's id.")
    reason: str = strawberry.field(
        description="Why they are not the same person, for colleagues: 3 to 500 characters."
    )


MergeMembersResult = Annotated[
    MembersMerged
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union("MergeMembersResult", description="The merge, or why there is none."),
]
UndoMergeResult = Annotated[
    MergeUndone | InvalidInput | NotFound | NotAllowed | AlreadyDecided | IdempotencyConflict,
    strawberry.union("UndoMergeResult", description="The undone merge, or why it stands."),
]


def _wish(input: MergeMembersInput) -> Wish:
    duplicate = member_reference(input.duplicate)
    survivor = member_reference(input.survivor)
    assert duplicate is not None, "the schema requires it"
    assert survivor is not None, "the schema requires it"
    return Wish(duplicate, survivor, input.reason)


@strawberry.type
class MergingMutations:
    """The mutations of merging, for the schema's root."""

    @mutation(
        _MERGERS,
        description="Join a duplicate membership into another: points, cashback (pending and owed "
        "too), purchases, returns, payments and vouchers move; cards, sign-in and external id of "
        "both lead to the survivor; tier, challenges and cashback limits are counted anew from all "
        "purchases, and nothing new is granted for what they complete together. Refused while "
        "something of the duplicate is reserved.",
    )
    async def merge_members(
        self,
        info: Info,
        input: Annotated[MergeMembersInput, strawberry.argument(description="Whom to join.")],
    ) -> MergeMembersResult:
        """Join two members."""

        async def work() -> Merged:
            wish = _wish(input)
            try:
                return await service.merge(wish, by=info.context.principal.id, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Merged, present=_merged)
        return cast(MergeMembersResult, answer)

    @mutation(
        _MERGERS,
        description="Undo a merge: what moved goes back as far as it is left, and what was earned "
        "since stays with the survivor. Later merges of the survivor are undone first.",
    )
    async def undo_merge(
        self,
        info: Info,
        input: Annotated[UndoMergeInput, strawberry.argument(description="Which merge to undo.")],
    ) -> UndoMergeResult:
        """Part two members."""

        async def work() -> Parted:
            number = nodes.number_of(input.merge_id, "Merge")
            by = info.context.principal.id
            try:
                return await service.part(number, input.reason, by=by, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(info, input, work=work, result=Parted, present=_parted)
        return cast(UndoMergeResult, answer)
