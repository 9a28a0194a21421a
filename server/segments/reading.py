"""Reading facts: of one member or of many in one statement, and again from memory for one.

A member's facts stay what they are while nothing of the member and of the programme was written
(`server.storage.versions`) and neither the local day ends nor value becomes available or lapses. So
what was read once serves every question until then, for one short statement, or for none to whoever
knows the versions already.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from tortoise.connection import ConnectionHandler, get_connections

from server.clock import Instant
from server.conditions import Condition
from server.ledger import service as ledger
from server.members import service as members
from server.members.consents import ConsentPurpose
from server.money import POINTS
from server.programme import service as programme
from server.programme.present import Present, present_of
from server.segments import fact_queries as queries
from server.segments import rules
from server.segments.facts import CALLED_NEVER, Source, sources_of
from server.segments.rules import Day, StoreVisits
from server.storage import changes, parts, sql, versions
from server.storage.parts import FIRST_COLUMN, Ask, Found
from server.tiers import service as tiers

MEMBERS_REMEMBERED = 20_000
_PURPOSES = tuple(purpose.value for purpose in ConsentPurpose)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which facts are asked for, and in which versions of segments a member may be listed."""

    names: frozenset[str]
    version_ids: frozenset[int] = frozenset()

    def __or__(self, other: "Asked") -> "Asked":
        return Asked(self.names | other.names, self.version_ids | other.version_ids)

    def __le__(self, other: "Asked") -> bool:
        return self.names <= other.names and self.version_ids <= other.version_ids


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a member, for all instants from `since` until just before `until`."""

    facts: Mapping[str, Any]
    version_ids: frozenset[int]  # those of the versions asked for that list the member
    since: Instant
    until: Instant
    told: dict[Condition, bool] = field(default_factory=dict, compare=False)
    """What conditions said of these facts; filled as they are asked."""


@dataclass(frozen=True, slots=True)
class _Kept:
    known: Known
    asked: Asked
    versions: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Memory:
    kept: "OrderedDict[int, _Kept]" = field(default_factory=OrderedDict)

    def find(self, member_id: int, asked: Asked, current: tuple[int, ...], now: Instant) -> Any:
        """What is known of the member, if it is enough and holds; else what to ask for."""
        kept = self.kept.get(member_id)
        if kept is None or kept.versions != current:
            return asked
        if not kept.known.since <= now < kept.known.until:
            return asked
        self.kept.move_to_end(member_id)
        return kept.known if asked <= kept.asked else asked | kept.asked

    def keep(self, member_id: int, kept: _Kept) -> None:
        """Keep what was read; what was used least recently goes."""
        self.kept[member_id] = kept
        self.kept.move_to_end(member_id)
        if len(self.kept) > MEMBERS_REMEMBERED:
            self.kept.popitem(last=False)


_memories: "WeakKeyDictionary[ConnectionHandler, _Memory]" = WeakKeyDictionary()
"""Of each open database; it goes when the database is closed."""


async def known_of(member_id: int, asked: Asked, now: Instant, current: Sequence[int]) -> Known:
    """What is known of the member at an instant not before their last purchase.

    `current` are the versions of the member and of the programme, read before. Within a
    transaction that has changed the member, memory is neither asked nor told.
    """
    memory = _memories.setdefault(get_connections(), _Memory())
    stands = tuple(current)
    if changes.has_noted(changes.MEMBER) or changes.has_noted(changes.PROGRAMME):
        return (await read([member_id], asked, now))[member_id]
    found = memory.find(member_id, asked, stands, now)
    if isinstance(found, Known):
        return found
    known = (await read([member_id], found, now))[member_id]
    if not sql.in_a_transaction():
        memory.keep(member_id, _Kept(known, found, stands))
    return known


async def current_versions(member_id: int) -> tuple[int, ...]:
    """The versions of the member and of the programme; one short statement."""
    return await versions.current((member_id, changes.PROGRAMME_VERSION_ID))


async def read(
    member_ids: Collection[int], asked: Asked, now: Instant, *, present: Present | None = None
) -> dict[int, Known]:
    """What is known of each of the members, in one statement, and none for what is known anyway."""
    if present is None:
        present = present_of((await programme.rulebook()).at(now), now)
    day = rules.day_of(present.today, present.published.programme.programme.timezone)
    sources = sources_of(asked.names)
    asks = _asks(sources, asked.version_ids, present, day, now)
    if not asks:
        nothing = dict.fromkeys(asked.names, CALLED_NEVER)
        known = Known(nothing, frozenset(), present.starts_at, present.ends_at)
        return dict.fromkeys(member_ids, known)
    found = await parts.read(parts.Question(asks), set(member_ids))
    branch = _listed(asked.version_ids)
    return {
        member_id: _known(found[member_id], asked, sources, branch, present, day, now)
        for member_id in member_ids
    }


def _listed(version_ids: frozenset[int]) -> Ask | None:
    if not version_ids:
        return None
    wanted = sql.padded(version_ids)
    return queries.listed_in(len(wanted)), tuple(wanted)


def _asks(
    sources: frozenset[Source],
    version_ids: frozenset[int],
    present: Present,
    day: Day,
    now: Instant,
) -> tuple[Ask, ...]:
    month, quarter, year = day.since
    by_source: dict[Source, tuple[Ask, ...]] = {
        Source.PROFILE: members.PROFILE,
        Source.LAST_VISIT: ((queries.LAST_VISIT, (day.ends_at,)),),
        Source.VISIT_COUNT: ((queries.VISIT_COUNT, (day.ends_at,)),),
        Source.STORES: ((queries.STORES, (year, day.ends_at, quarter, month)),),
        Source.DEPARTMENTS: ((queries.DEPARTMENTS, (year, day.ends_at, quarter)),),
        Source.TIER: tiers.view_part(present),
        Source.POINTS: ledger.holdings_part(
            now // ledger.DAY_MICROSECONDS, listed=None, summed={POINTS}
        ),
        Source.CONSENTS: ((queries.CONSENTS, ()),),
        Source.HOUSEHOLD: ((queries.HOUSEHOLD, ()),),
        Source.NONE: (),
    }
    asks = [ask for source in Source if source in sources for ask in by_source[source]]
    listed = _listed(version_ids)
    return tuple(asks) if listed is None else (*asks, listed)


def _known(
    found: Found,
    asked: Asked,
    sources: frozenset[Source],
    listed: Ask | None,
    present: Present,
    day: Day,
    now: Instant,
) -> Known:
    facts: dict[str, Any] = {}
    since, until = present.starts_at, present.ends_at
    for source in sources - {Source.POINTS}:
        facts |= _FACTS_OF[source](found, present, day)
    if Source.POINTS in sources:
        holding = ledger.holding_of(found, POINTS, now)
        facts["points_available"] = 0 if holding is None else holding.holding.balance.available
        ends_utc = (now // ledger.DAY_MICROSECONDS + 1) * ledger.DAY_MICROSECONDS
        changes_at = ends_utc if holding is None else min(ends_utc, holding.changes_at)
        since, until = now, Instant(min(until, changes_at))
    version_ids = frozenset(
        row[FIRST_COLUMN] for row in (found.rows(listed[0]) if listed is not None else ())
    )
    return Known({name: facts[name] for name in asked.names}, version_ids, since, until)


def _of_profile(found: Found, _present: Present, day: Day) -> dict[str, Any]:
    profile = members.profile_of(found)
    if profile is None:
        raise LookupError("facts are told of members alone")
    return rules.profile_facts(profile, day)


def _of_last_visit(found: Found, _present: Present, day: Day) -> dict[str, Any]:
    rows = found.rows(queries.LAST_VISIT)
    return rules.last_visit_facts(rows[0][FIRST_COLUMN] if rows else None, day)


def _of_visit_count(found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    rows = found.rows(queries.VISIT_COUNT)
    return {"visits": rows[0][FIRST_COLUMN] if rows else 0}


def _of_stores(found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    text_at = found.text_at
    stores = [
        StoreVisits(row[text_at], (row[2], row[3], row[4]), (row[5], row[6], row[7]))
        for row in found.rows(queries.STORES)
    ]
    return rules.store_facts(stores)


def _of_departments(found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    text_at = found.text_at
    return rules.department_facts(
        (row[text_at], row[FIRST_COLUMN], row[FIRST_COLUMN + 1])
        for row in found.rows(queries.DEPARTMENTS)
    )


def _of_tier(found: Found, present: Present, _day: Day) -> dict[str, Any]:
    view = tiers.view_of(found, present)
    return {"tier": "" if view is None else view.name}


def _of_consents(found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    given = {row[found.text_at]: bool(row[FIRST_COLUMN]) for row in found.rows(queries.CONSENTS)}
    return rules.consent_facts(given, _PURPOSES)


def _of_household(found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    return {"household": bool(found.rows(queries.HOUSEHOLD))}


def _of_nothing(_found: Found, _present: Present, _day: Day) -> dict[str, Any]:
    return {"churn_risk_bps": CALLED_NEVER}


_FACTS_OF = {
    Source.PROFILE: _of_profile,
    Source.LAST_VISIT: _of_last_visit,
    Source.VISIT_COUNT: _of_visit_count,
    Source.STORES: _of_stores,
    Source.DEPARTMENTS: _of_departments,
    Source.TIER: _of_tier,
    Source.CONSENTS: _of_consents,
    Source.HOUSEHOLD: _of_household,
    Source.NONE: _of_nothing,
}
