"""What is the same for all members on one local day of a version of the programme."""

from dataclasses import dataclass

from server import clock
from server.clock import Instant, LocalDay
from server.programme import models
from server.programme.service import PublishedProgramme, Rulebook
from server.storage.parts import FIRST_COLUMN, Ask, Found

_KEPT = 32


NEWEST: tuple[Ask, ...] = ((models.NEWEST, ()),)
"""What `is_newest` is told from."""


def is_newest(found: Found, book: Rulebook) -> bool:
    """Whether the book has all versions that were published when the question was asked."""
    return all(row[FIRST_COLUMN] == book.newest_id for row in found.rows(models.NEWEST))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Present:
    """A day of the programme; all of it holds from `starts_at` until just before `ends_at`."""

    published: PublishedProgramme
    today: LocalDay
    month: int  # year * 100 + month
    starts_at: Instant
    ends_at: Instant  # the next midnight of the programme's time zone
    counts_from: LocalDay | None  # the local day on which the version took effect; None for always
    currency: str
    digits: int  # a major unit of the currency has 10**digits minor units


_kept: dict[int, Present] = {}


def present_of(published: PublishedProgramme, at: Instant) -> Present:
    """The day of the version that the instant lies in; made once."""
    known = _kept.get(id(published))
    if known is not None and known.published is published and known.starts_at <= at < known.ends_at:
        return known
    made = _made(published, at)
    if len(_kept) >= _KEPT:
        _kept.clear()
    _kept[id(published)] = made
    return made


def _made(published: PublishedProgramme, at: Instant) -> Present:
    identity = published.programme.programme
    zone = identity.timezone
    today = clock.local_day(at, zone)
    counts_from = None
    if not published.counts_from_the_beginning:
        counts_from = clock.local_day(published.effective_at, zone)
    return Present(
        published=published,
        today=today,
        month=clock.month_of(today),
        starts_at=clock.start_of_day(today, zone),
        ends_at=clock.start_of_day(LocalDay(today + 1), zone),
        counts_from=counts_from,
        currency=identity.currency,
        digits=identity.minor_unit_digits,
    )
