"""The member's parts that an operation asks for, read in one statement.

Which parts those are follows from the fields of the operation, before it runs. What was read is
given to the request's look-ups, where the resolvers find it: they ask the database for nothing that
stands here, and what is not asked for is not read. The rules of the programme are those in memory;
the statement tells whether they are the newest, and is asked again if they are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from server.cards import service as cards
from server.cards.graphql import prime_card
from server.cashback import service as cashback
from server.cashback.graphql import prime_totals
from server.challenges import service as challenges
from server.challenges.graphql import prime_challenges
from server.edge.context import Asked, Context
from server.edge.pages import MAXIMUM_PAGE_SIZE
from server.edge.permissions import Coordinate
from server.ledger import service as ledger
from server.ledger.graphql import activity_part, prime_activity, prime_holdings
from server.members import service as members
from server.members.service import Profile
from server.money import POINTS
from server.programme import service as programme
from server.programme.graphql import prime_programme
from server.programme.present import NEWEST, Present, is_newest, present_of
from server.programme.service import Rulebook
from server.rewards import service as rewards
from server.rewards.graphql import prime_voucher_count
from server.storage import parts
from server.storage.parts import Ask, Found, Reading
from server.tiers import service as tiers
from server.tiers.graphql import prime_tier

ATTEMPTS = 3
_ACTIVITY = ("Member", "activity")


class _Prime(Protocol):
    """Gives what was found of a member to the request's look-ups."""

    def __call__(self, context: Context, member_id: int, found: Found, /) -> None: ...


class _PrimeByProgramme(Protocol):
    """Likewise, as the rules and the day say."""

    def __call__(
        self, context: Context, member_id: int, found: Found, /, *, present: Present
    ) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A part of a member that is made from the same rows on every day."""

    fields: frozenset[Coordinate]  # any of them makes it needed
    asks: tuple[Ask, ...]
    prime: _Prime


@dataclass(frozen=True, slots=True, eq=False)
class _PartByProgramme:
    """One for which the rules and the day say what is read."""

    fields: frozenset[Coordinate]
    asks: Callable[[Present], tuple[Ask, ...]]
    prime: _PrimeByProgramme


def _of(*names: str) -> frozenset[Coordinate]:
    return frozenset((type_, name) for type_, _, name in (each.partition(".") for each in names))


_ALWAYS = (
    _Part(_of("Member.card"), cards.CURRENT_CARD, prime_card),
    _Part(_of("Member.vouchersIssued"), rewards.VOUCHER_COUNT, prime_voucher_count),
)
_BY_PROGRAMME = (
    _PartByProgramme(_of("Member.tier", "Member.eligibleSpend"), tiers.view_part, prime_tier),
    _PartByProgramme(
        _of("Cashback.lifetimeCapped", "Cashback.monthAccrued"),
        lambda present: cashback.totals_part(present.month),
        prime_totals,
    ),
    _PartByProgramme(
        _of("Member.challenges"),
        lambda present: challenges.standing_part(present.today),
        prime_challenges,
    ),
)
_POINTS = _of("Member.points")
_CASHBACK = _of("Member.cashback")
_LISTED = _of("Points.nextExpiry", "Points.expiring", "Member.activity")
"""What needs the member's lots of points, and not their sums alone."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """The parts that an operation asks for."""

    always: tuple[_Part, ...]
    by_programme: tuple[_PartByProgramme, ...]
    has_points: bool
    has_cashback: bool
    lists_points: bool

    @property
    def needs_programme(self) -> bool:
        """Whether the rules say what is read or shown."""
        return bool(self.by_programme) or self.has_cashback


@lru_cache(maxsize=1024)
def _wanted(asked: Asked | None) -> _Wanted:
    fields: frozenset[Coordinate] = frozenset() if asked is None else asked.fields
    return _Wanted(
        tuple(part for part in _ALWAYS if not part.fields.isdisjoint(fields)),
        tuple(part for part in _BY_PROGRAMME if not part.fields.isdisjoint(fields)),
        has_points=not _POINTS.isdisjoint(fields),
        has_cashback=not _CASHBACK.isdisjoint(fields),
        lists_points=not _LISTED.isdisjoint(fields),
    )


def _firsts(context: Context) -> list[int]:
    """How long the pages are that are asked for from the top of the statement."""
    if context.asked is None:
        return []
    sizes = {
        size if isinstance(size, int) else size.of(context.variables)
        for size in context.asked.firsts.get(_ACTIVITY, ())
    }
    return sorted(size for size in sizes if 1 <= size <= MAXIMUM_PAGE_SIZE)


@dataclass(frozen=True, slots=True, eq=False)
class _Exchange:
    """What is asked of the database on a day, and of which assets it tells what is held."""

    reading: Reading
    assets: frozenset[str]


@lru_cache(maxsize=1024)
def _exchange(wanted: _Wanted, present: Present | None, most: int, day: int) -> _Exchange:
    asks = [*members.PROFILE, *(ask for part in wanted.always for ask in part.asks)]
    if present is not None:
        asks += NEWEST
        asks += [ask for part in wanted.by_programme for ask in part.asks(present)]
    assets = {POINTS} if wanted.has_points else set()
    if wanted.has_cashback and present is not None:
        assets.add(present.currency)
    if assets:
        listed = POINTS if wanted.has_points and wanted.lists_points else None
        asks += ledger.holdings_part(day, listed=listed, summed=assets - {listed})
    if most:
        asks += activity_part(most)
    # The statement is made from what is held, too.
    return _Exchange(parts.reading(tuple(dict.fromkeys(asks))), frozenset(assets))


async def read_members(context: Context, member_ids: Sequence[int]) -> dict[int, Profile]:
    """The members, with the parts of them that the operation asks for, in one statement; unknown
    ids are left out."""
    wanted = _wanted(context.asked)
    firsts = _firsts(context)
    book = await _book() if wanted.needs_programme else None
    attempts = 0
    while True:
        attempts += 1
        present = _present(context, book)
        day = context.at // ledger.DAY_MICROSECONDS
        exchange = _exchange(wanted, present, firsts[-1] if firsts else 0, day)
        found = await exchange.reading.read(member_ids)
        if book is None or all(is_newest(found[one], book) for one in member_ids):
            break
        # Versions that are published without end are left to the resolvers.
        book = await programme.rulebook() if attempts < ATTEMPTS else None
    read = _Read(wanted, exchange.assets, book, present, firsts)
    return {
        member_id: profile
        for member_id in member_ids
        if (profile := read.primed(context, member_id, found[member_id])) is not None
    }


async def read_member(context: Context, member_id: int) -> Profile | None:
    """One member, as `read_members` does; None if there is none."""
    return (await read_members(context, [member_id])).get(member_id)


async def _book() -> Rulebook | None:
    known = programme.remembered()
    if not known.ordered:
        known = await programme.rulebook()
    return known if known.ordered else None  # without a programme its fields say so themselves


def _present(context: Context, book: Rulebook | None) -> Present | None:
    return None if book is None else present_of(book.at(context.at), context.at)


@dataclass(slots=True)
class _Read:
    """What was read with which rules."""

    wanted: _Wanted
    assets: frozenset[str]
    book: Rulebook | None
    present: Present | None
    firsts: Sequence[int]

    def primed(self, context: Context, member_id: int, found: Found) -> Profile | None:
        """Give what was found of the member to the request's look-ups."""
        profile = members.profile_of(found)
        if profile is None:
            return None
        for part in self.wanted.always:
            part.prime(context, member_id, found)
        prime_holdings(context, member_id, found, self.assets)
        if self.present is not None and self.book is not None:
            prime_programme(context, self.book)
            for one in self.wanted.by_programme:
                one.prime(context, member_id, found, present=self.present)
        for first in self.firsts:
            prime_activity(context, member_id, found, first=first)
        return profile
