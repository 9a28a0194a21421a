"""What is the members' of the catalogue when two of them are merged, and when they are parted.

Favourites and places in line go on with the survivor, and back. Who stood in a line twice keeps the
place that comes first, and leaves the other for good: everybody behind it has moved up by then.
Orders go with vouchers and payments, where members are merged.
"""

from collections.abc import Collection, Mapping, Sequence

from server.catalogue import models, queries
from server.catalogue.lines import Drop, Line, live_drops, views_of
from server.catalogue.turns import Place, PlaceStatus
from server.clock import Instant
from server.storage import changes, sql

FAVOURITES, PLACES = "reward_favourites", "drop_places"
_OPEN = (PlaceStatus.WAITING, PlaceStatus.YOUR_TURN)
_ASIDE = 1_000_000
"""Added to turns while they are numbered anew, so that no two are ever the same."""


async def move(*, giver: int, receiver: int, now: Instant) -> dict[str, list[int]]:
    """Let the receiver have the giver's favourites, where they are not theirs yet, and the giver's
    places; the rows' ids, by table. Writes; call it inside a transaction."""
    liked = await queries.move_favourites(giver=giver, receiver=receiver)
    moved: list[int] = []
    keys = await queries.lines_of([giver])
    drops = await live_drops(now) if keys else {}
    for key in keys:
        line, places = await _locked(key, (giver, receiver))
        came = [one.id for one in places if one.member_id == giver]
        waiting = await _open(drops.get(key), line, places, now)
        await _give_up(line, waiting[1:], now)
        await _number(places, dict.fromkeys((one.id for one in places), receiver), waiting[:1])
        changes.note(changes.DROP, line.id)
        moved += came
    return {FAVOURITES: liked, PLACES: moved}


async def move_back(
    moved: Mapping[str, Sequence[int]],
    *,
    giver: int,
    receiver: int,
    merged_at: Instant,
    now: Instant,
) -> None:
    """Let the receiver have of these rows what is the giver's still; a place whose unit was ordered
    since the merge stays with the order. Writes; call it inside a transaction."""
    await queries.move_favourites_back(moved.get(FAVOURITES, ()), giver=giver, receiver=receiver)
    ids = set(moved.get(PLACES, ()))
    keys = await queries.lines_of([giver]) if ids else []
    drops = await live_drops(now) if keys else {}
    for key in keys:
        line, places = await _locked(key, (giver, receiver))
        owners = {
            one.id: receiver if one.id in ids and not _taken_since(one, merged_at) else giver
            for one in places
        }
        waiting = await _open(drops.get(key), line, places, now)
        await _number(places, owners, waiting)
        changes.note(changes.DROP, line.id)


def _taken_since(place: Place, at: Instant) -> bool:
    return place.taken_at is not None and place.taken_at > at


async def _locked(drop_key: str, member_ids: Collection[int]) -> tuple[Line, list[Place]]:
    """The line, its row locked, and the members' places in it, in the order of the line."""
    row = await queries.line_for_writing(drop_key)
    assert row is not None, "lines are never deleted"
    line = Line(*row)
    rows = [one for member in member_ids for one in await queries.places_of_member(line.id, member)]
    return line, sorted((Place(*one) for one in rows), key=lambda place: place.number)


async def _open(
    drop: Drop | None, line: Line, places: Sequence[Place], now: Instant
) -> list[Place]:
    """Those of the places that wait or have their turn; none once the drop has ended."""
    if drop is None:
        return []
    views = await views_of(drop, line, places, now)
    return [place for place, view in zip(places, views, strict=True) if view.status in _OPEN]


async def _give_up(line: Line, places: Sequence[Place], now: Instant) -> None:
    at = line.at(now)
    for place in places:
        await sql.execute(models.UPDATE_PLACE, at, None, None, place.id)
        await sql.execute(models.UPDATE_LINE, line.last_number, at, line.taken, line.id)


async def _number(
    places: Sequence[Place], owners: Mapping[int, int], waiting: Sequence[Place]
) -> None:
    """Give the places to their owners, whose turns count from 1, in the order of the line; one that
    is open comes last, for the last is the one that counts."""
    is_open = {one.id for one in waiting}
    turns: dict[int, int] = {}
    rows: list[tuple[int, int, int]] = []
    for place in sorted(places, key=lambda one: (one.id in is_open, one.number)):
        owner = owners[place.id]
        turns[owner] = turns.get(owner, 0) + 1
        rows.append((owner, turns[owner], place.id))
    aside = [(owner, turn + _ASIDE, place_id) for owner, turn, place_id in rows]
    await sql.execute_many(models.GIVE_PLACE, aside)
    await sql.execute_many(models.GIVE_PLACE, rows)
