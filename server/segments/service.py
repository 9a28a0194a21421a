"""The verbs of segments: who is in which, what is known of a member, how large a segment is.

One member costs at most three short statements whatever the number of members and segments, and
one, or none, while nothing of them has changed. All members are gone through in pages, one
statement each.
"""

import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from server.clock import Instant
from server.conditions import Condition, Facts, InvalidCondition
from server.definitions import service as definitions
from server.definitions.service import Live as LiveSet
from server.definitions.service import Published
from server.errors import InvalidInput, NotFound, phrase
from server.segments import fact_queries, listing, models, reading
from server.segments.documents import Frozen, Listed, Live, Segment
from server.segments.facts import FACTS, VOCABULARY, Fact
from server.segments.kinds import SEGMENT, condition_of
from server.segments.listing import Progress
from server.segments.reading import Asked, Known
from server.storage import changes

__all__ = [
    "FACTS",
    "SEGMENT",
    "VOCABULARY",
    "Fact",
    "Frozen",
    "Listed",
    "Live",
    "Preview",
    "Progress",
    "Published",
    "Segment",
    "Size",
    "Standing",
    "finish_listings",
    "live_segments",
    "member_count",
    "members_of",
    "memberships",
    "move",
    "move_back",
    "preview",
    "sample_condition",
    "shopper",
    "shopper_facts",
    "size",
    "sizes",
]
PAGE_SIZE = 512
"""Members to a statement where all are gone through."""
SAMPLE_SIZE = 10
member_count = fact_queries.member_count
"""How many members there are."""
move = models.move
"""When members are merged: the receiver stands in the giver's lists."""
move_back = models.move_rows
"""And when they are parted."""


class Standing(msgspec.Struct, frozen=True):
    """A member's facts, and those of the segments asked for that they are in."""

    facts: Mapping[str, Any]
    segments: frozenset[str]


class Size(msgspec.Struct, frozen=True):
    """How many members a segment has, of those who were looked at."""

    members: int
    looked_at: int
    is_complete: bool  # all were


class Preview(msgspec.Struct, frozen=True):
    """How many members a condition holds of, and the first of them."""

    size: Size
    sample: tuple[int, ...]  # members' ids


# ---------------------------------------------------------------- one member


async def shopper(
    member_id: int,
    *,
    names: Collection[str],
    segments: Collection[str],
    now: Instant,
    versions: Sequence[int] | None = None,
) -> Standing:
    """The facts of these names, and which of the segments the member is in, at an instant not
    before their last purchase; both from one reading.

    `versions` are those of the member and of the programme (`Principal.as_of`), if they were read
    for this request already; otherwise they cost a statement.
    """
    current = await reading.current_versions(member_id) if versions is None else tuple(versions)
    wanted = await _wanted(segments, now, marker=current[1])
    asked = Asked(frozenset(names), frozenset()) | wanted.asked
    known = await reading.known_of(member_id, asked, now, current)
    facts = {name: known.facts[name] for name in names}
    return Standing(facts, wanted.segments_of(member_id, known))


async def shopper_facts(
    member_id: int, names: Collection[str], now: Instant, *, versions: Sequence[int] | None = None
) -> dict[str, Any]:
    """What the facts of these names are of the member; all names are those of `FACTS`."""
    standing = await shopper(member_id, names=names, segments=(), now=now, versions=versions)
    return dict(standing.facts)


async def memberships(
    member_ids: Iterable[int], keys: Collection[str], now: Instant
) -> dict[int, frozenset[str]]:
    """In which of these segments each of the members is; keys that no segment has are left out.

    One member is answered from memory while nothing has changed; of several, one statement a page.
    """
    wanted_ids = list(dict.fromkeys(member_ids))
    if len(wanted_ids) == 1:
        standing = await shopper(wanted_ids[0], names=(), segments=keys, now=now)
        return {wanted_ids[0]: standing.segments}
    wanted = await _wanted(keys, now)
    found: dict[int, frozenset[str]] = {}
    for start in range(0, len(wanted_ids), PAGE_SIZE):
        page = wanted_ids[start : start + PAGE_SIZE]
        known = await reading.read(page, wanted.asked, now)
        found |= {one: wanted.segments_of(one, known[one]) for one in page}
    return found


# ---------------------------------------------------------------- which segments


class _Wanted:
    """Segments to tell of some members, with what has to be known for it."""

    __slots__ = ("_conditions", "_listed", "_listing", "asked")

    def __init__(self, published: Iterable[Published], after_ids: Mapping[int, int]) -> None:
        self._conditions: list[tuple[str, Condition]] = []
        self._listed: list[tuple[str, int]] = []
        self._listing: list[tuple[str, int, int, Condition]] = []
        for one in published:
            who = one.document.members
            if isinstance(who, Live):
                self._conditions.append((one.key, condition_of(who)))
            elif isinstance(who, Frozen) and one.id in after_ids:
                self._listing.append((one.key, one.id, after_ids[one.id], condition_of(who)))
            else:
                self._listed.append((one.key, one.id))
        conditions = [each for _key, each in self._conditions]
        conditions += [each for _key, _id, _after, each in self._listing]
        names = frozenset(name for each in conditions for name in each.names)
        versions = [number for _key, number in self._listed]
        versions += [number for _key, number, _after, _condition in self._listing]
        self.asked = Asked(names, frozenset(versions))

    def segments_of(self, member_id: int, known: Known) -> frozenset[str]:
        """The keys of those that the member is in."""
        told = known.told
        unknown = [each for _key, each in self._conditions if each not in told]
        facts = VOCABULARY.facts_of(known.facts) if unknown or self._listing else None
        if facts is not None:
            told.update((each, each.holds(facts)) for each in unknown)
        found = [key for key, condition in self._conditions if told[condition]]
        found += [key for key, number in self._listed if number in known.version_ids]
        for key, number, after_id, condition in self._listing:
            is_in = number in known.version_ids
            if member_id > after_id and facts is not None:
                is_in = is_in or condition.holds(facts)
            if is_in:
                found.append(key)
        return frozenset(found)


async def _wanted(keys: Collection[str], now: Instant, *, marker: int | None = None) -> _Wanted:
    if not keys:
        return _NOTHING
    shelf = (await definitions.shelves(marker)).of(SEGMENT.name)
    live = shelf.live(now)
    chosen = [live.by_key[key] for key in sorted(set(keys)) if key in live.by_key]
    frozen = [one.id for one in chosen if isinstance(one.document.members, Frozen)]
    return _Wanted(chosen, await _after_ids(live, frozen))


_NOTHING = _Wanted((), {})


def _complete(_live: LiveSet) -> set[int]:
    return set()


async def _after_ids(live: LiveSet, version_ids: Sequence[int]) -> dict[int, int]:
    """How far those of the frozen versions are listed that are not complete."""
    complete: set[int] = definitions.derived(live, _complete)
    unsure = [number for number in version_ids if number not in complete]
    if not unsure:
        return {}
    rows = await models.listings(unsure)
    if not changes.has_noted(changes.PROGRAMME):
        complete |= {row[0] for row in rows if row[3]}
    return {row[0]: row[2] for row in rows if not row[3]}


# ---------------------------------------------------------------- all members


def sample_condition(text: str) -> Condition:
    """The condition that the text says. Raises InvalidInput with the place of what is wrong."""
    try:
        return VOCABULARY.condition(text)
    except InvalidCondition as error:
        raise InvalidInput(
            "segment.condition",
            path=("condition",),
            value=text,
            accepted=phrase("accepted.condition", problem=str(error)),
        ) from None


async def preview(text: str, now: Instant, *, seconds: float) -> Preview:
    """How many members the condition holds of, looking for at most about so long; nothing is
    saved. Raises InvalidInput."""
    condition = sample_condition(text)
    sample: list[int] = []
    count = looked_at = 0
    ends_at = time.monotonic() + seconds
    async for known in _everybody(condition.names, now):
        found = [member_id for member_id, facts in known.items() if condition.holds(facts)]
        looked_at += len(known)
        count += len(found)
        sample += found[: SAMPLE_SIZE - len(sample)]
        if time.monotonic() >= ends_at:
            break
    is_complete = looked_at >= await fact_queries.member_count()
    return Preview(Size(count, looked_at, is_complete), tuple(sample))


async def members_of(key: str, now: Instant) -> AsyncIterator[tuple[int, list[int]]]:
    """All members of the segment, in pages: how many were looked at, and those who are in it.

    Raises NotFound if there is no such segment now.
    """
    await published(key, now)
    after_id = 0
    while page := await fact_queries.page_of_ids(after_id=after_id, limit=PAGE_SIZE):
        found = await memberships(page, [key], now)
        yield len(page), [one for one in page if found[one]]
        after_id = page[-1]


async def live_segments(now: Instant) -> list[Published]:
    """The versions of all segments that count at the instant, in the order of their keys."""
    live = (await definitions.shelves()).of(SEGMENT.name).live(now)
    return list(live.by_key.values())


async def published(key: str, now: Instant) -> Published:
    """The version of the segment that counts. Raises NotFound."""
    found = (await definitions.shelves()).of(SEGMENT.name).at(key, now)
    if found is None:
        raise NotFound("not_found", path=("key",))
    return found


async def size(key: str, now: Instant, *, seconds: float) -> Size:
    """How many members the segment has. Raises NotFound."""
    await published(key, now)
    return (await sizes([key], now, seconds=seconds))[key]


async def sizes(keys: Collection[str], now: Instant, *, seconds: float) -> dict[str, Size]:
    """How many members each of the segments has: counted from its list, or, of all live ones
    together, by looking at all members for at most about so long; keys of none are left out."""
    live = (await definitions.shelves()).of(SEGMENT.name).live(now)
    chosen = [live.by_key[key] for key in sorted(set(keys)) if key in live.by_key]
    listed = [one for one in chosen if not isinstance(one.document.members, Live)]
    found: dict[str, Size] = {}
    if listed:
        ids = [one.id for one in listed]
        counts, unfinished = await models.sizes(ids), await models.unfinished(ids)
        for one in listed:
            count = counts.get(one.id, 0)
            found[one.key] = Size(count, count, one.id not in unfinished)
    conditions = {
        one.key: condition_of(one.document.members)
        for one in chosen
        if isinstance(one.document.members, Live)
    }
    return found | (await _counted(conditions, now, seconds=seconds) if conditions else {})


async def _counted(
    conditions: Mapping[str, Condition], now: Instant, *, seconds: float
) -> dict[str, Size]:
    counts = dict.fromkeys(conditions, 0)
    looked_at = 0
    names = frozenset(name for condition in conditions.values() for name in condition.names)
    ends_at = time.monotonic() + seconds
    async for known in _everybody(names, now):
        looked_at += len(known)
        for facts in known.values():
            for key, condition in conditions.items():
                counts[key] += condition.holds(facts)
        if time.monotonic() >= ends_at:
            break
    is_complete = looked_at >= await fact_queries.member_count()
    return {key: Size(count, looked_at, is_complete) for key, count in counts.items()}


async def _everybody(names: frozenset[str], now: Instant) -> AsyncIterator[dict[int, Facts]]:
    """The facts of all members, in pages in the order of their ids."""
    after_id = 0
    while page := await fact_queries.page_of_ids(after_id=after_id, limit=PAGE_SIZE):
        known = await reading.read(page, Asked(names), now)
        yield {one: VOCABULARY.facts_of(known[one].facts) for one in page}
        after_id = page[-1]


async def finish_listings(progress: Progress = listing.silent) -> int:
    """List the rest of all frozen versions that were published; how many there were."""
    open_ids = await models.open_listings()
    if not open_ids:
        return 0
    shelves = await definitions.shelves()
    for version_id in open_ids:
        one = shelves.by_id.get(version_id)
        if one is not None and isinstance(one.document.members, Frozen):
            await listing.go_on(version_id, condition_of(one.document.members), progress)
    return len(open_ids)
