"""What is published, in memory: read again only when something was published since."""

import weakref
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Struct
from tortoise.connection import ConnectionHandler, get_connections

from server import clock
from server.clock import Instant
from server.definitions import models
from server.definitions.kinds import kind_of, kinds
from server.errors import NotFound
from server.storage import changes

MARKER = models.MARKER
"""What `shelves` needs to know; its answer may be given to it, if it was asked for with others."""


class Published(Struct, frozen=True):
    """A published version of something; `document` is of the type of its kind, None if the version
    withdraws the thing."""

    id: int
    kind: str
    key: str
    version: int  # from 1, drafts counted
    digest: str
    effective_at: Instant
    document: Any
    canonical: str


class Live:
    """What of one kind counts from `starts_at` until just before `ends_at`, by key.

    The same object as long as nothing of it changes, so that what is derived of it can be kept.
    """

    __slots__ = ("__weakref__", "by_key", "ends_at", "starts_at")

    def __init__(
        self, by_key: Mapping[str, Published], starts_at: Instant, ends_at: Instant
    ) -> None:
        self.by_key = by_key
        self.starts_at = starts_at
        self.ends_at = ends_at


class Shelf:
    """All published versions of one kind."""

    def __init__(self, versions: Iterable[Published] = ()) -> None:
        by_key: dict[str, list[Published]] = {}
        for one in sorted(versions, key=lambda one: (one.effective_at, one.version)):
            by_key.setdefault(one.key, []).append(one)
        self._by_key = by_key
        self.ids = {one.id for each in by_key.values() for one in each}
        self._starts = sorted({one.effective_at for each in by_key.values() for one in each})
        self._live: dict[int, Live] = {}

    @property
    def keys(self) -> list[str]:
        """The keys of everything that was ever published, sorted."""
        return sorted(self._by_key)

    def versions(self, key: str) -> Sequence[Published]:
        """The published versions of one thing, in the order in which they take effect."""
        return self._by_key.get(key, ())

    def numbered(self, key: str, version: int) -> Published:
        """One published version. Raises NotFound."""
        for one in self.versions(key):
            if one.version == version:
                return one
        raise NotFound("not_found", path=("version",))

    def has(self, key: str, version: int) -> bool:
        """Whether that version of the thing is here."""
        return any(one.version == version for one in self.versions(key))

    def at(self, key: str, instant: Instant) -> Published | None:
        """The version that counts at the instant; None before the first and when withdrawn."""
        found = self.versions(key)
        place = bisect_right(found, instant, key=lambda one: one.effective_at)
        if not place or found[place - 1].document is None:
            return None
        return found[place - 1]

    def live(self, instant: Instant) -> Live:
        """What counts at the instant."""
        place = bisect_right(self._starts, instant)
        known = self._live.get(place)
        if known is None:
            found = {key: self.at(key, instant) for key in self._by_key}
            known = self._live[place] = Live(
                {key: one for key, one in sorted(found.items()) if one is not None},
                self._starts[place - 1] if place else Instant(-(2**63)),
                self._starts[place] if place < len(self._starts) else clock.NEVER,
            )
        return known


_NOTHING = Shelf()


class Shelves:
    """All that is published, by kind; as of `marker`."""

    def __init__(
        self, marker: int, by_id: Mapping[int, Published], known: "Shelves | None" = None
    ) -> None:
        self.marker = marker
        self.by_id = by_id
        grouped: dict[str, list[Published]] = {}
        for one in by_id.values():
            grouped.setdefault(one.kind, []).append(one)
        before: Mapping[str, Shelf] = {} if known is None else known._shelves
        self._shelves: dict[str, Shelf] = {
            kind: _as_before(before.get(kind), each) or Shelf(each)
            for kind, each in grouped.items()
        }

    @property
    def last_start(self) -> Instant:
        """When the last of what is scheduled takes effect; long ago if nothing was published."""
        return max((one.effective_at for one in self.by_id.values()), default=Instant(-(2**63)))

    def with_more(self, more: Iterable[Published]) -> "Shelves":
        """The same with these published as well."""
        return Shelves(self.marker, {**self.by_id, **{one.id: one for one in more}}, self)

    def of(self, kind: str) -> Shelf:
        """What of the kind is published."""
        return self._shelves.get(kind, _NOTHING)


def _as_before(shelf: Shelf | None, versions: Sequence[Published]) -> Shelf | None:
    """The shelf, if exactly these versions are on it: what is derived of it is kept with it."""
    if shelf is None or shelf.ids != {one.id for one in versions}:
        return None
    return shelf


_EMPTY = Shelves(-1, {})
_remembered: "WeakKeyDictionary[ConnectionHandler, Shelves]" = WeakKeyDictionary()
"""What is in memory of each open database; it goes when the database is closed."""


async def shelves(marker: Sequence[Sequence[Any]] | int | None = None) -> Shelves:
    """All that is published, as the database has it now.

    Costs one short statement, unless `marker` has the rows of MARKER, or their number; documents
    are read only when something was published since.
    """
    connections = get_connections()
    known = _remembered.get(connections, _EMPTY)
    newest = await _marker(marker)
    if newest == known.marker and not changes.has_noted(changes.PROGRAMME):
        return known
    ids = await models.published_ids()
    names = {kind.name for kind in kinds()}
    rows = await models.rows_of(set(ids) - known.by_id.keys())
    read = {int(row[0]): _published(row) for row in rows if row[1] in names}
    by_id = {one: known.by_id.get(one) or read.get(one) for one in ids}
    current = Shelves(
        newest, {one: found for one, found in by_id.items() if found is not None}, known
    )
    if not changes.has_noted(changes.PROGRAMME):  # what is not committed may never be
        _remembered[connections] = current
    return current


def remembered() -> Shelves:
    """What was known last, for whoever makes sure that it is the newest."""
    return _remembered.get(get_connections(), _EMPTY)


async def _marker(given: Sequence[Sequence[Any]] | int | None) -> int:
    if given is None:
        return await models.marker()
    if isinstance(given, int):
        return given
    return int(given[0][0]) if given else 0


def _published(row: Sequence[Any]) -> Published:
    version_id, kind, key, version, canonical, digest, _status, effective_at = row[:8]
    return Published(
        int(version_id),
        kind,
        key,
        version,
        digest,
        Instant(effective_at),
        document_of(kind, canonical),
        canonical,
    )


def document_of(kind: str, canonical: str) -> Any:
    """The document of a canonical text; None for one that withdraws."""
    return msgspec.json.decode(canonical, type=kind_of(kind).document) if canonical else None


_derived: "weakref.WeakKeyDictionary[Live, dict[Any, Any]]" = weakref.WeakKeyDictionary()


def derived(live: Live, derive: Any) -> Any:
    """`derive(live)`, worked out once for each; `derive` is a function of a module."""
    kept = _derived.setdefault(live, {})
    if derive not in kept:
        kept[derive] = derive(live)
    return kept[derive]
