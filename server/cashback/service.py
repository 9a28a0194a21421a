"""The verbs of cashback: accruing it on purchases, and telling what a member has accrued."""

from collections.abc import Iterable, Sequence

import msgspec

from server import clock
from server.cashback import models, rules
from server.cashback.rules import Accrual, Month
from server.clock import LocalDay
from server.programme.document import Programme
from server.storage import sql
from server.storage.ids import new_id

__all__ = ["Accrual", "Accruing", "Totals", "accruing", "month_sums", "totals"]


class Totals(msgspec.Struct, frozen=True):
    """What a member has accrued so far, in minor units."""

    accrued_minor: int = 0
    capped_minor: int = 0
    this_month_minor: int = 0


class Accruing:
    """The months of some members within one writing transaction; made by `accruing`."""

    def __init__(self, months: dict[tuple[int, int], Month]) -> None:
        self._months = months
        self._changed: set[tuple[int, int]] = set()

    def accrue(
        self, member_id: int, day: LocalDay, spend_minor: int, programme: Programme
    ) -> Accrual:
        """Accrue on a purchase of the local day."""
        key = (member_id, clock.month_of(day))
        month = self._months.setdefault(key, Month())
        accrual = rules.accrue(
            month,
            spend_minor,
            rate_bps=programme.cashback.rate_basis_points,
            monthly_cap_minor=programme.cashback.monthly_cap_minor,
        )
        if accrual.accrued_minor or accrual.capped_minor:
            self._changed.add(key)
        return accrual

    async def flush(self) -> None:
        """Write what was accrued."""
        await sql.execute_many(
            models.UPSERT_MONTH,
            [
                (
                    new_id(),
                    *key,
                    self._months[key].accrued_minor,
                    self._months[key].capped_minor,
                )
                for key in sorted(self._changed)
            ],
        )


async def accruing(member_ids: Iterable[int], days: Iterable[LocalDay]) -> Accruing:
    """Open the months of the days for the members, whose ledger accounts the caller has locked."""
    members = list(member_ids)
    rows = await models.months(members, map(clock.month_of, days)) if members else ()
    return Accruing({(row[0], row[1]): Month(row[2], row[3]) for row in rows})


async def totals(member_ids: Iterable[int], today: LocalDay) -> dict[int, Totals]:
    """What the members have accrued, by member; those without any are left out."""
    rows = await models.totals(member_ids, clock.month_of(today))
    return {row[0]: Totals(*row[1:]) for row in rows}


async def month_sums() -> Sequence[tuple[int, int, int]]:
    """(year * 100 + month, accrued, capped) of all members, by month, in minor units."""
    return [(row[0], row[1], row[2]) for row in await models.month_sums()]
