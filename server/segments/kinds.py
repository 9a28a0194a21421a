"""The kind of definition that a segment is, and what its documents are checked for."""

from collections.abc import Sequence

from server.conditions import Condition, InvalidCondition
from server.definitions import service as definitions
from server.definitions.rules import Version
from server.definitions.service import Kind, Misfits, Surroundings
from server.errors import Path
from server.members import service as members
from server.segments import listing
from server.segments.documents import Frozen, Listed, Live, Segment
from server.segments.facts import VOCABULARY

UNKNOWN_SHOWN = 10
MEMBERS_PER_STATEMENT = 2_000
_CONDITION: Path = ("members", "condition")
_IDS: Path = ("members", "external_ids")


def _misfits(segment: Segment, _surroundings: Surroundings) -> Misfits:
    who = segment.members
    if isinstance(who, Live | Frozen):
        try:
            VOCABULARY.condition(who.condition)
        except InvalidCondition as error:
            yield _CONDITION, f"a condition over the facts of a member; {error}"
        return
    seen: set[str] = set()
    for place, external_id in enumerate(who.external_ids):
        if external_id in seen:
            yield (*_IDS, place), "each member once"
        seen.add(external_id)


async def _stored_misfits(segment: Segment) -> Misfits:
    """Nobody who is named may be missed silently: the first ids that no member has, and how many
    there are."""
    if not isinstance(segment.members, Listed):
        return ()
    named = segment.members.external_ids
    known = await members_named(named)
    unknown = [place for place, one in enumerate(named) if one not in known]
    count = len(unknown)
    said = f"ids that members have; {count} of {len(named)} are of nobody"
    return [((*_IDS, place), said) for place in unknown[:UNKNOWN_SHOWN]]


async def members_named(external_ids: Sequence[str]) -> dict[str, int]:
    """The members with these ids of the operator's; a duplicate leads to the one it is part of."""
    found: dict[str, int] = {}
    for start in range(0, len(external_ids), MEMBERS_PER_STATEMENT):
        found |= await members.members_by_external_id(
            external_ids[start : start + MEMBERS_PER_STATEMENT]
        )
    return found


async def _on_published(version: Version, segment: Segment) -> None:
    who = segment.members
    if isinstance(who, Listed):
        await listing.fill(version.id, sorted((await members_named(who.external_ids)).values()))
    elif isinstance(who, Frozen):
        await listing.begin(version.id, condition_of(who))


def condition_of(who: Live | Frozen) -> Condition:
    """The condition, which was checked when it was written."""
    return VOCABULARY.condition(who.condition)


SEGMENT = definitions.register(
    Kind(
        "segment",
        Segment,
        misfits=_misfits,
        stored_misfits=_stored_misfits,
        on_published=_on_published,
    )
)
