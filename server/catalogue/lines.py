"""The lines of drops: joining, leaving, taking what is offered, and giving it back.

Everything that changes a line locks its row first, so that numbers are given in the order of
commit, without gaps, and nobody takes what somebody else has. Whose turn it is follows from the
places and the clock (`server.catalogue.turns`).
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from server.catalogue import errors, kinds, models, queries, rules
from server.catalogue.audiences import standing_of
from server.catalogue.documents import Audience, DropDocument
from server.catalogue.errors import NotYetOpen, NotYourTurn
from server.catalogue.turns import Place, PlaceStatus, Standing, Terms, Walk, free_at
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.definitions import service as definitions
from server.errors import AlreadyDecided, LimitReached, NotAllowed
from server.programme import service as programme
from server.storage import changes, sql
from server.storage.ids import new_id

_PAGE = 512
_PATH = ("dropKey",)
_SECONDS_PER_MINUTE = 60


class Line(Struct, frozen=True):
    """A drop's line; the attributes are the columns of its table."""

    id: int
    drop_key: str
    units: int
    hold_seconds: int
    created_at: Instant
    last_number: int
    changed_at: Instant
    taken: int

    def at(self, now: Instant) -> Instant:
        """Now, or when something last happened in the line: of two who wait for its row, the one
        who looked at the clock first may come second, and time never goes back in a line."""
        return max(now, self.changed_at)


class Drop(Struct, frozen=True):
    """A drop as it stands now."""

    key: str
    document: DropDocument
    opens_at: Instant
    closes_at: Instant
    later: tuple[tuple[Instant, int], ...]  # (from when on, how many units) of all its versions

    def opens_for(self, tier: str | None) -> Instant:
        """When the line opens for who has the tier."""
        minutes = self.document.early_access.get(tier or "", 0)
        earlier = minutes * _SECONDS_PER_MINUTE * MICROSECONDS_PER_SECOND
        return Instant(self.opens_at - earlier)

    def terms(self, line: Line, now: Instant) -> Terms:
        """What the line is worked out by: as it was when it was made, and with what was added."""
        later = [one for one in self.later if line.created_at < one[0] <= now]
        return Terms(free_at(line.units, later), line.hold_seconds, self.closes_at)


class TakenPlace(Struct, frozen=True):
    """A place whose unit is ordered in this transaction."""

    id: int


class PlaceView(Struct, frozen=True):
    """A member's place, as it stands at an instant."""

    drop_key: str
    line_id: int
    member_id: int
    number: int
    joined_at: Instant
    status: PlaceStatus
    ahead: int | None = None  # how many wait before it, while it waits
    turn_ends_at: Instant | None = None  # of a turn that has begun
    next_at: Instant | None = None  # when time alone changes it


async def live_drops(now: Instant) -> dict[str, Drop]:
    """The drops that are published and have not ended, by key."""
    shelf = (await definitions.shelves()).of("drop")
    live = shelf.live(now).by_key
    if not live:
        return {}
    zone_name = (await programme.rulebook()).at(now).programme.programme.timezone
    drops = {
        key: Drop(
            key,
            published.document,
            kinds.moment(published.document.opens_at, zone_name),
            kinds.end_of(published.document.closes_at, zone_name),
            tuple(
                (one.effective_at, one.document.units)
                for one in shelf.versions(key)
                if one.document is not None
            ),
        )
        for key, published in live.items()
    }
    return {key: drop for key, drop in drops.items() if now < drop.closes_at}


async def live_drop(key: str, now: Instant) -> Drop:
    """The drop. Raises NotFound for one that there is not, or that has ended."""
    drop = (await live_drops(now)).get(key)
    if drop is None:
        raise errors.unknown_drop()
    return drop


async def audience_of(drop: Drop, now: Instant) -> Audience:
    """Who may have what is offered."""
    return (await audiences_of([drop], now))[drop.key]


async def audiences_of(drops: Iterable[Drop], now: Instant) -> dict[str, Audience]:
    """The same of many, by the drop's key; one statement."""
    shelf = (await definitions.shelves()).of("reward")
    rewards = {drop.key: shelf.at(drop.document.reward, now) for drop in drops}
    return {
        key: Audience() if reward is None else reward.document.audience
        for key, reward in rewards.items()
    }


# ---------------------------------------------------------------- working it out


async def standing_now(drop: Drop, line: Line, now: Instant) -> Standing:
    """The line as it stands: reads as many places as have had their turn, in few statements."""
    walk = Walk(drop.terms(line, now), now)
    number, size = 0, max(64, min(_PAGE, 2 * line.units))
    while walk.waiting_from is None:
        places = [Place(*row) for row in await queries.places_after(line.id, number, size)]
        walk.add(places)
        if len(places) < size:
            break
        number, size = places[-1].number, _PAGE
    return walk.standing(line.last_number)


async def views_of(
    drop: Drop, line: Line, places: Sequence[Place], now: Instant
) -> list[PlaceView]:
    """These places of the line, as they stand."""
    now = line.at(now)
    standing = await standing_now(drop, line, now)
    statuses = [standing.status(place, now, drop.closes_at) for place in places]
    waiting = {
        place.number
        for place, status in zip(places, statuses, strict=True)
        if status is PlaceStatus.WAITING
    }
    ahead: dict[int, int] = {}
    if waiting:
        rows = await queries.waiting_before(line.id, standing.waiting_from, waiting)
        ahead = {row[0]: row[1] for row in rows}
    return [
        _view(drop, standing, place, status, ahead.get(place.number))
        for place, status in zip(places, statuses, strict=True)
    ]


def _view(
    drop: Drop, standing: Standing, place: Place, status: PlaceStatus, ahead: int | None
) -> PlaceView:
    turn = standing.turns.get(place.number)
    ends_at = turn.ends_at if turn is not None and status is PlaceStatus.YOUR_TURN else None
    is_open = status in (PlaceStatus.WAITING, PlaceStatus.YOUR_TURN)
    return PlaceView(
        drop_key=drop.key,
        line_id=place.line_id,
        member_id=place.member_id,
        number=place.number,
        joined_at=place.joined_at,
        status=status,
        ahead=ahead,
        turn_ends_at=ends_at,
        next_at=(ends_at or standing.next_at) if is_open else None,
    )


# ---------------------------------------------------------------- changing it


async def _locked(drop: Drop, now: Instant) -> Line:
    """The drop's line, its row locked; made, if nobody has come before."""
    row = await queries.line_for_writing(drop.key)
    if row is None:
        document = drop.document
        fresh = (new_id(), drop.key, document.units, document.hold_seconds, now, 0, now, 0)
        await sql.execute(models.INSERT_LINE, *fresh)
        row = await queries.line_for_writing(drop.key)
        assert row is not None, "it was made just now, or by somebody else"
    return Line(*row)


async def _update(line: Line, at: Instant, *, taken: int = 0, joined: int = 0) -> Line:
    changed = msgspec.structs.replace(
        line, last_number=line.last_number + joined, changed_at=at, taken=line.taken + taken
    )
    await sql.execute(
        models.UPDATE_LINE, changed.last_number, changed.changed_at, changed.taken, line.id
    )
    return changed


async def _own_places(line: Line, member_id: int) -> list[Place]:
    return [Place(*row) for row in await queries.places_of_member(line.id, member_id)]


async def join(drop_key: str, member_id: int, *, now: Instant) -> PlaceView:
    """Take the next place in the line of a drop; whoever stands there already has that place.

    Writes; call it inside a transaction. Raises NotFound, NotYetOpen with the instant from which on
    this member may join, NotInAudience if the reward is not for them, AlreadyDecided for who has
    left the line or not used their turn, LimitReached for who has taken as many as one may.
    """
    drop = await live_drop(drop_key, now)
    await _check_newcomer(drop, member_id, now)
    line = await _locked(drop, now)
    own = await _own_places(line, member_id)
    if own:
        (view,) = await views_of(drop, line, own[-1:], now)
        if view.status in (PlaceStatus.WAITING, PlaceStatus.YOUR_TURN):
            return view
        if own[-1].taken_at is None:
            raise AlreadyDecided(f"drop.{view.status.value}", status=view.status.name, path=_PATH)
        held = sum(one.taken_at is not None and one.freed_at is None for one in own)
        limit = drop.document.per_member
        if held >= limit or len(own) >= limit:
            raise LimitReached("drop.member_limit", limit=limit, left=0, path=_PATH)
    at = line.at(now)
    place = Place(new_id(), line.id, member_id, line.last_number + 1, len(own) + 1, at)
    await sql.execute(models.INSERT_PLACE, *msgspec.structs.astuple(place))
    line = await _update(line, at, joined=1)
    changes.note(changes.MEMBER, member_id)
    (view,) = await views_of(drop, line, [place], now)
    return view


async def _check_newcomer(drop: Drop, member_id: int, now: Instant) -> None:
    audience = await audience_of(drop, now)
    asks = bool(drop.document.early_access) and now < drop.opens_at
    found = await standing_of([member_id], [audience], now, with_tiers=asks)
    standing = found[member_id]
    opens_at = drop.opens_for(standing.tier)
    if now < opens_at:
        raise NotYetOpen("drop.not_yet", opens_at=opens_at, path=_PATH)
    if not rules.is_in_audience(audience, tier=standing.tier, segments=standing.segments):
        raise rules.not_in_audience(audience, path=_PATH)


async def leave(drop_key: str, member_id: int, *, now: Instant) -> PlaceView:
    """Give up the place in line: everyone behind it moves up, and a unit that was offered passes
    on. Writes; call it inside a transaction. Raises NotFound, or AlreadyDecided for who has left
    before, has taken their unit, or not used their turn."""
    drop = await live_drop(drop_key, now)
    line = await _locked(drop, now)
    place, view = await _open_place(drop, line, member_id, now)
    at = line.at(now)
    await sql.execute(models.UPDATE_PLACE, at, None, None, place.id)
    await _update(line, at)
    _note(line, member_id)
    return PlaceView(drop.key, line.id, member_id, view.number, view.joined_at, PlaceStatus.LEFT)


async def _open_place(
    drop: Drop, line: Line, member_id: int, now: Instant
) -> tuple[Place, PlaceView]:
    own = await _own_places(line, member_id)
    if not own:
        raise errors.no_place()
    (view,) = await views_of(drop, line, own[-1:], now)
    if view.status not in (PlaceStatus.WAITING, PlaceStatus.YOUR_TURN):
        raise AlreadyDecided(f"drop.{view.status.value}", status=view.status.name, path=_PATH)
    return own[-1], view


async def take(drop_key: str, member_id: int, *, now: Instant) -> TakenPlace:
    """Take the unit that is offered to the member. Writes; call it inside a transaction that holds
    the member's accounts, and orders the unit. Raises NotFound, NotYourTurn, AlreadyDecided."""
    drop = await live_drop(drop_key, now)
    line = await _locked(drop, now)
    place, view = await _open_place(drop, line, member_id, now)
    if view.status is not PlaceStatus.YOUR_TURN:
        raise NotYourTurn(ahead=view.ahead or 0, path=_PATH)
    at = line.at(now)
    if line.taken >= len(drop.terms(line, at).free_at):
        raise NotAllowed("drop.all_taken", path=_PATH)
    await sql.execute(models.UPDATE_PLACE, None, at, None, place.id)
    await _update(line, at, taken=1)
    _note(line, member_id)
    return TakenPlace(place.id)


async def free(place_id: int, *, now: Instant) -> None:
    """Offer the unit of a cancelled order to the next in line. Writes; inside a transaction."""
    row = await queries.line_for_writing(await queries.line_of_place(place_id))
    assert row is not None, "a place stands in a line"
    line, place = Line(*row), Place(*await queries.place(place_id))
    at = line.at(now)
    await sql.execute(models.UPDATE_PLACE, None, place.taken_at, at, place.id)
    await _update(line, at, taken=-1)
    _note(line, place.member_id)


def _note(line: Line, member_id: int) -> None:
    changes.note(changes.MEMBER, member_id)
    changes.note(changes.DROP, line.id)


# ---------------------------------------------------------------- reading


async def places_of(
    member_ids: Sequence[int], drops: dict[str, Drop], now: Instant
) -> dict[int, dict[str, PlaceView]]:
    """The newest place of each of the members in each of the drops' lines, by the drop's key.

    The number of statements depends on the number of drops that they stand in line for alone.
    """
    found: dict[int, dict[str, PlaceView]] = {member_id: {} for member_id in member_ids}
    by_drop: dict[str, list[Place]] = {}
    for row in await queries.newest_places(member_ids) if drops else ():
        if row[0] in drops:
            by_drop.setdefault(row[0], []).append(Place(*row[1:]))
    if not by_drop:
        return found
    lines = {row[1]: Line(*row) for row in await queries.lines(by_drop)}
    for key, places in by_drop.items():
        for view in await views_of(drops[key], lines[key], places, now):
            found[view.member_id][key] = view
    return found


async def taken_units(drop_keys: Sequence[str]) -> dict[str, int]:
    """How many units of each of the drops are ordered and not cancelled; 0 left out."""
    rows = await queries.lines(drop_keys) if drop_keys else ()
    return {line.drop_key: line.taken for line in (Line(*row) for row in rows)}


async def followed(member_id: int, now: Instant) -> tuple[set[int], Instant | None]:
    """The lines that the member stands in, and when time alone moves one of them next."""
    drops = await live_drops(now)
    if not drops:
        return set(), None
    places = (await places_of([member_id], drops, now))[member_id].values()
    moments = [one.next_at for one in places if one.next_at is not None]
    return {one.line_id for one in places if one.next_at is not None}, min(moments, default=None)
