"""Segments in the schema: what there are, who is in them, and trying a condition."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, cast

import strawberry

from server.clock import Instant
from server.conditions import FactType
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import STAFF, query, shown_to
from server.edge.problems import InvalidInput, problem_of
from server.errors import DomainError
from server.members import service as members
from server.members.service import Profile
from server.segments import service
from server.segments.service import Frozen, Live, Published, Size

PREVIEW_SECONDS = 5
"""How long members are looked at for one answer; an operation may take ten."""

described(
    FactType,
    name="FactType",
    description="What sort of value a fact is, in the Common Expression Language.",
    WHOLE="A whole number: `int`.",
    TEXT="A text: `string`.",
    TRUTH="True or false: `bool`.",
    TEXTS="A list of texts: `list(string)`.",
    WHOLES_BY_NAME="A whole number for each of some names: `map(string, int)`.",
    INSTANT="An instant: `timestamp`.",
)


@strawberry.enum(description="How it is decided who is in a segment.")
class SegmentKind(Enum):
    """A kind of segment."""

    LIVE = strawberry.enum_value("live", description="Whoever the condition holds of when asked.")
    FROZEN = strawberry.enum_value(
        "frozen", description="Whoever the condition held of when the version was published."
    )
    LIST = strawberry.enum_value("list", description="The members who are named.")


@shown_to(STAFF)
@strawberry.type(description="Something that is known of every member, for conditions.")
class SegmentFact:
    """A fact."""

    name: str = strawberry.field(description="What conditions call it.")
    type: FactType = strawberry.field(description="What sort of value it is.")
    description: str = strawberry.field(description="What it says, in which unit.")


@shown_to(STAFF)
@strawberry.type(description="How many members a segment has.")
class SegmentSize:
    """A size."""

    members: int = strawberry.field(description="The members in it, of those who were looked at.")
    looked_at: int = strawberry.field(
        description="How many members were looked at; of a list, those on it."
    )
    is_complete: bool = strawberry.field(
        description="Whether all were: false if there are too many to look at for one answer, "
        "about five seconds, and while a frozen segment is still being listed."
    )


@shown_to(STAFF)
@strawberry.type(description="A group of members that offers, rewards and messages may be for.")
class Segment:
    """A segment."""

    key: str = strawberry.field(description="What offers and others call it.")
    version: int = strawberry.field(description="The number of the version that counts now.")
    name: str = strawberry.field(description="What staff call it.")
    description: str = strawberry.field(description="What it is for; empty if nothing is said.")
    kind: SegmentKind = strawberry.field(description="How it is decided who is in it.")
    condition: str | None = strawberry.field(
        description="The condition in CEL over the facts of `segmentFacts`; null for a list."
    )
    effective_at: Instant = strawberry.field(description="Since when the version counts.")

    @computed(
        description="How many members it has: of a frozen one and a list as noted, of a live one "
        "by looking at every member."
    )
    async def size(self, info: Info) -> SegmentSize:
        """Count them, those of all segments asked for in one go."""
        context = info.context
        return _size_shown(await context.loader(_sizes, context.at).load(self.key))


@shown_to(STAFF)
@strawberry.type(description="A segment with its place in the list.")
class SegmentEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The segment's place, for `after`.")
    node: Segment = strawberry.field(description="The segment.")


@shown_to(STAFF)
@strawberry.type(description="A page of segments, the newest version first.")
class SegmentConnection:
    """Relay's connection."""

    edges: list[SegmentEdge] = strawberry.field(description="The segments, with places.")
    nodes: list[Segment] = strawberry.field(description="The segments alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(STAFF)
@strawberry.type(description="A member of whom a condition holds.")
class SampledMember:
    """One of a preview's sample."""

    member_id: strawberry.ID = strawberry.field(description="The member's id.")
    external_id: str | None = strawberry.field(
        description="The member's id in the operator's systems; null if they have none."
    )
    name: str | None = strawberry.field(description="The name to greet with, if given.")


@shown_to(STAFF)
@strawberry.type(description="Whom a condition holds of now; nothing was saved.")
class SegmentPreview:
    """Success of previewSegment."""

    size: SegmentSize = strawberry.field(description="How many they are.")
    sample: list[SampledMember] = strawberry.field(
        description="The first of them in the order of joining, ten at most."
    )


PreviewSegmentResult = Annotated[
    SegmentPreview | InvalidInput,
    strawberry.union(
        "PreviewSegmentResult", description="Whom it holds of, or what is wrong with it."
    ),
]


def _size_shown(size: Size) -> SegmentSize:
    return SegmentSize(members=size.members, looked_at=size.looked_at, is_complete=size.is_complete)


def _shown(published: Published) -> Segment:
    document: service.Segment = published.document
    who = document.members
    if isinstance(who, Live):
        kind = SegmentKind.LIVE
    else:
        kind = SegmentKind.FROZEN if isinstance(who, Frozen) else SegmentKind.LIST
    return Segment(
        key=published.key,
        version=published.version,
        name=document.name,
        description=document.description,
        kind=kind,
        condition=who.condition if isinstance(who, Live | Frozen) else None,
        effective_at=published.effective_at,
    )


def _sampled(profile: Profile) -> SampledMember:
    return SampledMember(
        member_id=nodes.global_id("Member", profile.id),
        external_id=profile.external_id,
        name=profile.name,
    )


async def _sizes(keys: list[str], at: Instant) -> Sequence[Size]:
    found = await service.sizes(keys, at, seconds=PREVIEW_SECONDS)
    return [found[key] for key in keys]


async def _segments(member_ids: list[int], at: Instant) -> Sequence[list[Published]]:
    known = {one.key: one for one in await service.live_segments(at)}
    found = await service.memberships(member_ids, known, at)
    return [[known[key] for key in sorted(found[member_id])] for member_id in member_ids]


async def segments_of_member(info: Info, member_id: int) -> list[Segment]:
    """The segments that the member is in, looked up together with other members'."""
    context = info.context
    return [_shown(one) for one in await context.loader(_segments, context.at).load(member_id)]


@strawberry.type
class SegmentQueries:
    """The root fields that read segments."""

    @query(STAFF, description="What is known of every member, for conditions of segments.")
    def segment_facts(self) -> list[SegmentFact]:
        """All facts."""
        return [
            SegmentFact(name=fact.name, type=fact.type, description=fact.meaning)
            for fact in service.FACTS
        ]

    @query(STAFF, description="The segments that there are now, the newest version first.")
    async def segments(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> SegmentConnection:
        """A page of segments."""
        limit, before = pages.page(first, after)
        found = sorted(
            await service.live_segments(info.context.at), key=lambda one: one.id, reverse=True
        )
        rest = [one for one in found if before is None or one.id < before]
        return pages.connected(
            SegmentConnection,
            SegmentEdge,
            [(one.id, _shown(one)) for one in rest[:limit]],
            has_next=len(rest) > limit,
            after=after,
        )

    @query(STAFF, description="One segment by its key; null if there is none now.")
    async def segment(
        self,
        info: Info,
        key: Annotated[str, strawberry.argument(description="Its key.")],
    ) -> Segment | None:
        """A segment."""
        found = {one.key: one for one in await service.live_segments(info.context.at)}
        return _shown(found[key]) if key in found else None

    @query(
        STAFF,
        description="Whom a condition holds of now, tried on every member without saving it. With "
        "more members than can be looked at in about five seconds, it tells of those it came to.",
    )
    async def preview_segment(
        self,
        info: Info,
        condition: Annotated[
            str,
            strawberry.argument(
                description="A condition in CEL over the facts of `segmentFacts`: 1 to 2,000 "
                "characters."
            ),
        ],
    ) -> PreviewSegmentResult:
        """Try a condition."""
        try:
            found = await service.preview(condition, info.context.at, seconds=PREVIEW_SECONDS)
        except DomainError as error:
            return cast(PreviewSegmentResult, problem_of(error, info.context.language))
        profiles = await members.profiles(found.sample)
        return SegmentPreview(
            size=_size_shown(found.size), sample=[_sampled(one) for one in profiles.values()]
        )
