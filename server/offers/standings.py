"""How a member stands with offers: activated or not, and what of the limits is used or held.

Two short questions at most, however many offers there are; neither grows with the number of members
nor with what was used before. Offers without a limit and without activation are not asked about.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from server.clock import Instant, LocalDay
from server.definitions.service import Published
from server.offers import queries
from server.offers.evaluation import ACTIVATED, UNUSED, Standing
from server.offers.limits import Used, is_common, needs_member
from server.offers.models import EVER
from server.storage import sql
from server.storage.exchange import Asked, fetch_each

_NOBODYS = 0
"""The basket that no hold is for."""


class Sought:
    """What is to be known of a member and some offers, and what asks the database for it: `asked`
    may be asked in an exchange with other questions."""

    def __init__(
        self,
        member_id: int,
        offers: Mapping[str, Published],
        *,
        day: LocalDay,
        now: Instant,
        apart_from: int | None = None,
    ) -> None:
        """Of the offers by key; `day` is the local day of the basket, and what is held for the
        basket `apart_from` is left out."""
        basket = _NOBODYS if apart_from is None else apart_from
        own = [key for key, one in offers.items() if needs_member(one.document)]
        common = [key for key, one in offers.items() if is_common(one.document.limits)]
        self._keys = tuple(offers)
        self._day = day
        self._asks_member, self._asks_all = bool(own), bool(common)
        self.asked: list[Asked] = []
        if own:
            self.asked.append(
                queries.of_members([member_id], own, day=day, now=now, apart_from=basket)
            )
        if common:
            self.asked.append(queries.of_all(common, day=day, now=now, apart_from=basket))

    def found(self, answers: Sequence[Sequence[sql.Row]]) -> dict[str, Standing]:
        """The standings, of the answers to what is asked, by offer: all that were sought."""
        of_member = answers[0] if self._asks_member else ()
        of_all = answers[-1] if self._asks_all else ()
        return _standings(self._keys, of_member, of_all, self._day)


def _standings(
    keys: Iterable[str], of_member: Sequence[sql.Row], of_all: Sequence[sql.Row], day: LocalDay
) -> dict[str, Standing]:
    activated = {row[1] for row in of_member if row[0] == queries.ACTIVATED}
    used = used_of(of_member, of_all, day)
    return {
        key: _standing(key in activated, used[key])
        if key in used
        else (ACTIVATED if key in activated else UNUSED)
        for key in keys
    }


def _standing(is_activated: bool, used: Used) -> Standing:
    return Standing(
        is_activated=is_activated,
        uses_by_member=used.by_member,
        uses_by_member_today=used.by_member_today,
        uses_today=used.today,
        uses_total=used.total,
        budget_spent_minor=used.budget_minor,
        budget_spent_points=used.budget_points,
    )


def used_of(
    of_member: Sequence[sql.Row], of_all: Sequence[sql.Row], day: LocalDay
) -> dict[str, Used]:
    """What the rows of `queries.of_members` and `queries.of_all` tell of each offer; what is held
    counts as used."""
    own = {row[1]: (row[2], row[3]) for row in of_member if row[0] == queries.USED}
    today: dict[str, int] = {}
    ever: dict[str, tuple[int, int, int]] = {}
    for kind, offer, row_day, uses, minor, points in of_all:
        if row_day == day:
            today[offer] = today.get(offer, 0) + uses
        if row_day == EVER or kind == queries.HELD:
            known = ever.get(offer, (0, 0, 0))
            ever[offer] = (known[0] + uses, known[1] + minor, known[2] + points)
    return {
        offer: Used(*own.get(offer, (0, 0)), today.get(offer, 0), *ever.get(offer, (0, 0, 0)))
        for offer in own.keys() | ever.keys() | today.keys()
    }


async def standings(
    member_id: int,
    offers: Mapping[str, Published],
    *,
    day: LocalDay,
    now: Instant,
    apart_from: int | None = None,
) -> dict[str, Standing]:
    """How the member stands with each of the offers, as `Sought` says; in one exchange."""
    sought = Sought(member_id, offers, day=day, now=now, apart_from=apart_from)
    return sought.found(await fetch_each(sought.asked))


async def standings_of_many(
    member_ids: Collection[int], offers: Mapping[str, Published], *, day: LocalDay, now: Instant
) -> dict[int, dict[str, Standing]]:
    """How each of the members stands with each of the offers; in one exchange for all of them."""
    own = [key for key, one in offers.items() if needs_member(one.document)]
    common = [key for key, one in offers.items() if is_common(one.document.limits)]
    asked = []
    if own:
        asked.append(queries.of_members(member_ids, own, day=day, now=now, apart_from=_NOBODYS))
    if common:
        asked.append(queries.of_all(common, day=day, now=now, apart_from=_NOBODYS))
    answers = await fetch_each(asked)
    by_member: dict[int, list[sql.Row]] = {member_id: [] for member_id in member_ids}
    for row in answers[0] if own else ():
        by_member[row[4]].append(row)
    of_all = answers[-1] if common else ()
    return {
        member_id: _standings(offers, rows, of_all, day) for member_id, rows in by_member.items()
    }
