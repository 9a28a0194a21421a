"""The verbs of cashback: accruing it on purchases, and telling what a member has accrued.

Besides the monthly cap, which every programme has, a version may name caps by other spans of time.
What counts towards such a cap is what purchases under versions that name it have accrued.
"""

from collections.abc import Iterable, Sequence

import msgspec

from server import clock
from server.cashback import models, rules
from server.cashback.rules import Accrual, Month, Period
from server.clock import LocalDay
from server.programme.document import CapPeriod, Programme
from server.storage import parts, sql
from server.storage.exchange import Asked, Written, execute_each, fetch_each
from server.storage.ids import new_id
from server.storage.parts import FIRST_COLUMN, Ask, Found

__all__ = [
    "Accrual",
    "Accruing",
    "Opening",
    "Totals",
    "accruing",
    "month_sums",
    "totals",
    "totals_of",
    "totals_part",
]

_MonthKey = tuple[int, int]
_PeriodKey = tuple[int, CapPeriod, LocalDay]


class Totals(msgspec.Struct, frozen=True):
    """What a member has accrued so far, less what returns took back, in minor units."""

    accrued_minor: int = 0
    capped_minor: int = 0
    this_month_minor: int = 0


_NOTHING = Totals()


class Accruing:
    """The months of some members, and the spans of the other caps of some programmes, within one
    writing transaction; made by `accruing`."""

    def __init__(
        self,
        months: dict[_MonthKey, Month],
        periods: dict[_PeriodKey, Period],
        capped_periods: frozenset[CapPeriod],
    ) -> None:
        self._months = months
        self._periods = periods
        self._capped_periods = capped_periods
        self._changed_months: set[_MonthKey] = set()
        self._changed_periods: set[_PeriodKey] = set()

    def accrue(
        self,
        member_id: int,
        day: LocalDay,
        spend_minor: int,
        programme: Programme,
        *,
        tier: str | None = None,
    ) -> Accrual:
        """Accrue on a purchase of the local day, at the rate of the tier that applied to it.

        The programme is one of those that `accruing` was given, if it has caps besides the monthly
        one.
        """
        key, keys = self._keys(member_id, day, programme)
        cashback = programme.cashback
        accrual = rules.accrue(
            self._month(key),
            spend_minor,
            rate_bps=rules.rate_bps(cashback, tier),
            monthly_cap_minor=cashback.monthly_cap_minor,
            caps=[
                (self._period(one), cap.minor) for one, cap in zip(keys, cashback.caps, strict=True)
            ],
        )
        if accrual.accrued_minor or accrual.capped_minor:
            self._changed_months.add(key)
        if accrual.accrued_minor:
            self._changed_periods.update(keys)
        return accrual

    def unaccrue(
        self,
        member_id: int,
        day: LocalDay,
        *,
        accrued_minor: int,
        capped_minor: int,
        programme: Programme,
    ) -> None:
        """Take back what a purchase of the local day, under this programme, had accrued and lost to
        the caps, or a part of it: later purchases of the same spans have room for it again.

        The day and the programme are among those that `accruing` was given.
        """
        key, keys = self._keys(member_id, day, programme)
        rules.unaccrue(
            self._month(key),
            accrued_minor=accrued_minor,
            capped_minor=capped_minor,
            periods=[self._period(one) for one in keys],
        )
        if accrued_minor or capped_minor:
            self._changed_months.add(key)
        if accrued_minor:
            self._changed_periods.update(keys)

    def _keys(
        self, member_id: int, day: LocalDay, programme: Programme
    ) -> tuple[_MonthKey, list[_PeriodKey]]:
        caps = programme.cashback.caps
        assert all(cap.period in self._capped_periods for cap in caps), "`accruing` has read them"
        return (member_id, clock.month_of(day)), [
            (member_id, cap.period, rules.period_start(cap.period, day)) for cap in caps
        ]

    def _month(self, key: _MonthKey) -> Month:
        return self._months.setdefault(key, Month())

    def _period(self, key: _PeriodKey) -> Period:
        return self._periods.setdefault(key, Period())

    def writes(self) -> list[Written]:
        """What writes what was accrued and taken back."""
        return [
            (
                models.UPSERT_MONTH,
                [
                    (
                        new_id(),
                        *key,
                        self._months[key].accrued_minor,
                        self._months[key].capped_minor,
                    )
                    for key in sorted(self._changed_months)
                ],
            ),
            (
                models.UPSERT_PERIOD,
                [
                    (new_id(), *key, self._periods[key].accrued_minor)
                    for key in sorted(self._changed_periods)
                ],
            ),
        ]

    async def flush(self) -> None:
        """Write what was accrued and taken back."""
        await execute_each(self.writes())


class Opening:
    """Months of some days for some members, and spans of the caps that some programmes name besides
    the monthly one: `asked` may be asked together with other things, once the members' ledger
    accounts are locked, and `opened` takes the answers."""

    def __init__(
        self,
        member_ids: Iterable[int],
        days: Iterable[LocalDay],
        programmes: Iterable[Programme] = (),
    ) -> None:
        members, on = sorted(set(member_ids)), sorted(set(days))
        different = {id(one): one for one in programmes}.values()
        self._capped = frozenset(cap.period for one in different for cap in one.cashback.caps)
        self.asked: list[Asked] = []
        if not members:
            return
        self.asked.append(models.months(members, map(clock.month_of, on)))
        starts = {rules.period_start(period, day) for period in self._capped for day in on}
        if starts:
            self.asked.append(models.periods(members, self._capped, starts))

    def opened(self, answers: Sequence[Sequence[sql.Row]]) -> Accruing:
        """The months and spans, of the answers to what is asked."""
        months, periods = (*answers, (), ())[:2]
        return Accruing(
            {(row[0], row[1]): Month(row[2], row[3]) for row in months},
            {(row[0], row[1], LocalDay(row[2])): Period(row[3]) for row in periods},
            self._capped,
        )


async def accruing(
    member_ids: Iterable[int], days: Iterable[LocalDay], programmes: Iterable[Programme] = ()
) -> Accruing:
    """Open the months of the days for the members, whose ledger accounts the caller has locked;
    and the spans of the caps that the programmes name besides the monthly one.

    One statement, and a second one only if there are such caps.
    """
    opening = Opening(member_ids, days, programmes)
    return opening.opened(await fetch_each(opening.asked))


def totals_part(month: int) -> tuple[Ask, ...]:
    """What `totals_of` is made from; the month is year * 100 + month."""
    return ((models.TOTALS, (month,)),)


def totals_of(found: Found) -> Totals:
    """What the member has accrued."""
    rows = found.rows(models.TOTALS)
    return Totals(*rows[0][FIRST_COLUMN : FIRST_COLUMN + 3]) if rows else _NOTHING


async def totals(member_ids: Iterable[int], today: LocalDay) -> dict[int, Totals]:
    """What the members have accrued, by member; those without any are left out."""
    question = parts.Question(totals_part(clock.month_of(today)))
    found = await parts.read(question, set(member_ids))
    return {id_: totals_of(one) for id_, one in found.items() if one.rows(models.TOTALS)}


async def month_sums() -> Sequence[tuple[int, int, int]]:
    """(year * 100 + month, accrued, capped) of all members, by month, in minor units."""
    return [(row[0], row[1], row[2]) for row in await models.month_sums()]
