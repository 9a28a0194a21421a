"""Undoing uses of offers when goods are returned: each share once, never more than was given.

A budget gets back exactly what came back of what was given. When the whole purchase has come back,
its uses count no more for any limit, and what a gift took of the budget goes back as well.
"""

from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.offers import queries
from server.offers.models import EVER
from server.offers.uses import KIND, UseView, is_counted
from server.storage import changes, sql
from server.storage.exchange import Asked, Written, execute_each

_Row = tuple[int, int, int, str, int]


class Share(Struct, frozen=True):
    """What of one use a return undoes, or has undone."""

    discount_minor: int = 0
    shipping_minor: int = 0
    points: int = 0
    cashback_minor: int = 0


def asks_purchase_uses(purchase_id: int) -> Asked:
    """Asks for the uses of the purchase; `uses_found` reads the answer."""
    return queries.of_purchase(purchase_id)


def uses_found(rows: Collection[sql.Row]) -> list[UseView]:
    """The uses that `asks_purchase_uses` asked for."""
    return [UseView(*row) for row in rows]


async def give_back(
    purchase_id: int,
    shares: Mapping[str, Share],
    *,
    is_everything: bool,
    shelf: Shelf | None = None,
) -> dict[str, Share]:
    """Undo these shares, by offer, of what the purchase used; everything that is left of all of
    them if nothing of the purchase remains. What was undone, by offer.

    Writes; call it inside a transaction that has locked the member, last of all that it locks.
    """
    rows = await queries.uses_of_purchase(purchase_id)
    uses = [use for use in uses_found(rows) if use.status == "used"]
    after = [
        returned(use, shares.get(use.offer, Share()), is_everything=is_everything) for use in uses
    ]
    known = (await definitions.shelves()).of(KIND) if shelf is None and uses else shelf
    pairs = [pair for pair in zip(uses, after, strict=True) if pair[0] != pair[1]]
    if not pairs or known is None:
        return {}
    back = [_counted_back(*pair) for pair in pairs if is_counted(known, pair[0].offer)]
    if back:
        await queries.lock_counters([before.offer for before, _after in pairs])
    written: list[Written] = [
        (queries.GIVE_BACK, [_row(use) for _before, use in pairs]),
        (queries.COUNT, [row for rows in back for row in rows]),
    ]
    await execute_each(written)
    changes.note(changes.MEMBER, uses[0].member_id)
    return {before.offer: _undone(before, use) for before, use in pairs}


def returned(use: UseView, share: Share, *, is_everything: bool) -> UseView:
    """The use after a return of the share, or of all that is left of it. Pure."""
    if is_everything:
        return msgspec.structs.replace(
            use,
            status="returned",
            returned_discount_minor=use.discount_minor,
            returned_shipping_minor=use.shipping_minor,
            returned_points=use.points,
            returned_cashback_minor=use.cashback_minor,
            returned_budget_minor=use.budget_minor,
            returned_budget_points=use.budget_points,
        )
    discount = _more(use.returned_discount_minor, share.discount_minor, use.discount_minor)
    shipping = _more(use.returned_shipping_minor, share.shipping_minor, use.shipping_minor)
    points = _more(use.returned_points, share.points, use.points)
    cashback = _more(use.returned_cashback_minor, share.cashback_minor, use.cashback_minor)
    # What a gift takes of the budget comes back with everything.
    return msgspec.structs.replace(
        use,
        returned_discount_minor=discount,
        returned_shipping_minor=shipping,
        returned_points=points,
        returned_cashback_minor=cashback,
        returned_budget_minor=min(discount + shipping + cashback, use.budget_minor),
        returned_budget_points=min(points, use.budget_points),
    )


def _more(before: int, share: int, given: int) -> int:
    return min(given, before + max(0, share))


def _row(use: UseView) -> tuple[str | int, ...]:
    return (
        use.status,
        use.returned_discount_minor,
        use.returned_shipping_minor,
        use.returned_points,
        use.returned_cashback_minor,
        use.returned_budget_minor,
        use.returned_budget_points,
        use.id,
    )


def _counted_back(before: UseView, after: UseView) -> list[_Row]:
    uses = -1 if after.status == "returned" else 0
    minor = before.returned_budget_minor - after.returned_budget_minor
    points = before.returned_budget_points - after.returned_budget_points
    return [(uses, minor, points, before.offer, day) for day in (EVER, before.local_day)]


def _undone(before: UseView, after: UseView) -> Share:
    return Share(
        after.returned_discount_minor - before.returned_discount_minor,
        after.returned_shipping_minor - before.returned_shipping_minor,
        after.returned_points - before.returned_points,
        after.returned_cashback_minor - before.returned_cashback_minor,
    )
