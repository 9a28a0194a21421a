"""Publishing the programme's versions, and finding the one that counts at an instant."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct
from tortoise.connection import ConnectionHandler, get_connections

from server import clock
from server.clock import Instant
from server.programme import models, rules
from server.programme.document import Programme
from server.programme.errors import NoProgramme, effective_in_the_past, unknown_version
from server.storage import changes

BEGINNING = Instant(-62_135_596_800_000_000)
"""When the first version takes effect: 0001-01-01T00:00:00Z, the earliest that a calendar shows.
So a purchase that is recorded late always finds rules, however long ago it happened."""


class PublishedProgramme(Struct, frozen=True):
    """One version of the rules, as published."""

    version: int  # from 1
    digest: str  # SHA-256 of `canonical`, hexadecimal
    effective_at: Instant
    published_at: Instant
    published_by: str
    programme: Programme
    canonical: str  # the document as JSON, keys sorted, no spaces

    @property
    def counts_from_the_beginning(self) -> bool:
        """Whether it took effect before everything else, as the first version does."""
        return self.effective_at == BEGINNING

    @property
    def plain(self) -> Any:
        """The document as plain data, read anew at each call."""
        return json.loads(self.canonical)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All versions that were published up to one moment, by the order in which they take effect."""

    newest_id: int | None
    by_id: dict[int, PublishedProgramme]
    ordered: tuple[PublishedProgramme, ...]
    starts: tuple[Instant, ...]

    def at(self, instant: Instant) -> PublishedProgramme:
        """The version that counts at the instant. Raises NoProgramme if there is none.

        Of those that have taken effect it is the latest, and of several at once the highest.
        """
        if not self.ordered:
            raise NoProgramme
        return self.ordered[bisect_right(self.starts, max(instant, BEGINNING)) - 1]

    def numbered(self, version: int) -> PublishedProgramme:
        """The version of that number. Raises NotFound if there is none."""
        for published in self.ordered:
            if published.version == version:
                return published
        raise unknown_version(version)

    def next_start(self, instant: Instant) -> Instant:
        """When the version that counts after the one of the instant takes effect, if any does."""
        place = bisect_right(self.starts, instant)
        return self.starts[place] if place < len(self.starts) else clock.NEVER

    @property
    def newest_version(self) -> int:
        """The highest version number; 0 without any version."""
        return max((published.version for published in self.ordered), default=0)


_EMPTY = Rulebook(None, {}, (), ())
_rulebooks: "WeakKeyDictionary[ConnectionHandler, Rulebook]" = WeakKeyDictionary()
"""What is in memory of each open database; it goes when the database is closed."""


NEWEST = models.NEWEST_ID
"""What `rulebook` needs to know; its answer may be given to it, if it was asked for with others."""


def remembered() -> Rulebook:
    """The versions that were known last, for whoever makes sure that they are the newest."""
    return _rulebooks.get(get_connections(), _EMPTY)


async def rulebook(newest: Sequence[Sequence[Any]] | None = None) -> Rulebook:
    """All published versions, as the database has them now.

    Costs one short statement, unless `newest` holds the rows of NEWEST; documents are read only
    when a version was added since. Published versions never change, so memory is current while the
    newest row is the one that it knows. It knows rows by id and not by number: the number of a
    version whose transaction was undone is given again, its id never.
    """
    connections = get_connections()
    known = _rulebooks.get(connections, _EMPTY)
    newest_id = await models.newest_id() if newest is None else _first_number(newest)
    if newest_id == known.newest_id:
        return known
    ids = await models.all_ids()
    rows = await models.rows_of(row_id for row_id in ids if row_id not in known.by_id)
    read = {int(row[0]): _published(row[1:]) for row in rows}
    by_id = {row_id: known.by_id.get(row_id) or read[row_id] for row_id in ids}
    ordered = sorted(by_id.values(), key=lambda each: (each.effective_at, each.version))
    current = Rulebook(
        ids[-1] if ids else None,
        by_id,
        tuple(ordered),
        tuple(published.effective_at for published in ordered),
    )
    _rulebooks[connections] = current
    return current


def _first_number(rows: Sequence[Sequence[Any]]) -> int | None:
    return int(rows[0][0]) if rows else None


def _published(row: Sequence[Any]) -> PublishedProgramme:
    version, document, digest, effective_at, published_at, published_by = row
    return PublishedProgramme(
        version=version,
        digest=digest,
        effective_at=Instant(effective_at),
        published_at=Instant(published_at),
        published_by=published_by,
        programme=rules.programme_of(document),
        canonical=document,
    )


async def current() -> PublishedProgramme:
    """The version that counts now. Raises NoProgramme if there is none."""
    return (await rulebook()).at(clock.now())


async def history() -> list[PublishedProgramme]:
    """All versions, by their numbers."""
    return sorted((await rulebook()).ordered, key=lambda published: published.version)


async def publish(
    document: str, *, effective_at: Instant | None = None, published_by: str
) -> PublishedProgramme:
    """Make the YAML document the next version, in effect from `effective_at` (None: from now on).

    The first version counts from `BEGINNING`, whatever is given. Where the same rules are in
    effect at that instant already and nothing is to follow them, the version that says so is
    returned and none is made. To call off a version that is to take effect later, publish another
    one for the same instant: of two at once the higher counts.

    Writes; call it inside a transaction. Raises InvalidDocument, with all problems, or, for a
    later version that would take effect in the past and so contradict purchases that are recorded
    already, InvalidInput.
    """
    published, _is_new = await publish_or_find(
        document, effective_at=effective_at, published_by=published_by
    )
    return published


async def publish_or_find(
    document: str, *, effective_at: Instant | None = None, published_by: str
) -> tuple[PublishedProgramme, bool]:
    """What `publish` returns, and whether it was made just now."""
    checked = rules.checked(document)
    now = clock.now()
    starts = now if effective_at is None else effective_at
    book = await rulebook()
    if book.ordered:
        in_effect = book.at(starts)
        if in_effect.digest == checked.digest and book.ordered[-1] is in_effect:
            return in_effect, False
        if starts < now:
            raise effective_in_the_past(clock.datetime_of(starts).isoformat())
    else:
        starts = BEGINNING
    published = PublishedProgramme(
        version=book.newest_version + 1,
        digest=checked.digest,
        effective_at=starts,
        published_at=now,
        published_by=published_by,
        programme=checked.programme,
        canonical=checked.canonical,
    )
    await models.add_version(
        version=published.version,
        document=published.canonical,
        digest=published.digest,
        effective_at=published.effective_at,
        published_at=published.published_at,
        published_by=published.published_by,
    )
    changes.note(changes.PROGRAMME, 0)
    return published, True
