"""What is in the catalogue, and how members stand to it."""

from collections.abc import Collection

from msgspec import Struct

from server.catalogue import errors, kinds, models, queries, rules
from server.catalogue.audiences import standing_of
from server.catalogue.documents import RewardDocument
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Live, Published
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.storage import changes, sql
from server.storage.ids import new_id


class Shown(Struct, frozen=True):
    """A reward of the catalogue, as it stands now."""

    key: str
    version: int
    document: RewardDocument
    starts_at: Instant
    ends_at: Instant
    currency: str
    digits: int  # a major unit has 10**digits minor units


class MemberReward(Struct, frozen=True):
    """How a member stands to a reward."""

    shown: Shown
    is_for_member: bool
    available: int  # points that they can spend now
    reachable_in_purchases: int | None
    is_favourite: bool
    ordered: int  # units that they have ordered and not cancelled

    @property
    def short_by(self) -> int:
        """How many points are missing to one unit."""
        return max(0, self.shown.document.price.points - self.available)


class Favoured(Struct, frozen=True):
    """Whether a member likes a reward."""

    key: str
    is_favourite: bool


async def catalogue(now: Instant) -> list[Shown]:
    """The rewards that can be ordered now, the cheapest in points first."""
    return [one for one in await published(now) if one.starts_at <= now < one.ends_at]


async def published(now: Instant) -> list[Shown]:
    """The rewards whether or not their time has come, the cheapest in points first."""
    live = (await definitions.shelves()).of("reward").live(now)
    terms = (await programme.rulebook()).at(now).programme.programme
    zone_name = terms.timezone
    return [
        Shown(
            one.key,
            one.version,
            one.document,
            kinds.start_of(one.document.valid_from, zone_name),
            kinds.end_of(one.document.valid_to, zone_name),
            terms.currency,
            terms.minor_unit_digits,
        )
        for one in definitions.derived(live, _by_price)
    ]


def _by_price(live: Live) -> list[Published]:
    return sorted(live.by_key.values(), key=lambda one: (one.document.price.points, one.key))


async def sold_units() -> dict[str, int]:
    """How many units of each reward are ordered and not cancelled; those without any left out."""
    return {row[0]: row[1] for row in await queries.all_sold()}


async def rewards_of_members(
    member_ids: Collection[int], now: Instant
) -> dict[int, list[MemberReward]]:
    """How each of the members stands to the rewards of the catalogue.

    A reward that is for a segment is shown to those who are in it alone; one that is for a tier to
    everybody, for a tier can be reached. The number of statements does not depend on the number of
    members or rewards.
    """
    shown = await catalogue(now)
    if not shown:
        return {member_id: [] for member_id in member_ids}
    audiences = [one.document.audience for one in shown]
    standings = await standing_of(member_ids, audiences, now)
    balances = await ledger.balances(member_ids, now)
    liked = {(row[0], row[1]) for row in await queries.favourites(member_ids)}
    ordered = {(row[0], row[1]): row[2] for row in await queries.ordered_units(member_ids)}
    recent: dict[int, list[int]] = {}
    for member_id, points in await queries.recent_purchases(member_ids):
        recent.setdefault(member_id, []).append(points)
    found: dict[int, list[MemberReward]] = {}
    for member_id in member_ids:
        balance = balances.get((member_id, POINTS), ledger.Balance())
        standing = standings[member_id]
        found[member_id] = [
            MemberReward(
                one,
                rules.is_in_audience(
                    one.document.audience, tier=standing.tier, segments=standing.segments
                ),
                balance.available,
                rules.reachable_in_purchases(
                    one.document.price.points - balance.available, recent.get(member_id, ())
                ),
                (member_id, one.key) in liked,
                ordered.get((member_id, one.key), 0),
            )
            for one in shown
            if rules.is_shown(one.document.audience, segments=standing.segments)
        ]
    return found


async def favour(member_id: int, reward_key: str, *, likes: bool, now: Instant) -> Favoured:
    """Note that the member likes a reward, or no longer does; doing so again changes nothing.

    Writes; call it inside a transaction. Raises NotFound for a reward that there is not.
    """
    if not likes:
        await sql.execute(models.DELETE_FAVOURITE, member_id, reward_key)
    else:
        if (await definitions.shelves()).of("reward").at(reward_key, now) is None:
            raise errors.unknown_reward()
        await sql.execute(models.INSERT_FAVOURITE, new_id(), member_id, reward_key)
    changes.note(changes.MEMBER, member_id)
    return Favoured(reward_key, likes)
