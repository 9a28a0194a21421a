"""Adding up a member's cashback anew, when memberships are joined or parted."""

from collections.abc import Sequence
from dataclasses import dataclass

from server import clock
from server.cashback import models, rules
from server.cashback.rules import Month
from server.clock import LocalDay
from server.programme.document import CapPeriod, Programme
from server.storage import sql
from server.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class Accrued:
    """What a purchase of the local day has accrued and lost to the caps, less what its returns
    took back; minor units."""

    day: LocalDay
    programme: Programme
    accrued_minor: int
    capped_minor: int


async def rebuild(member_id: int, purchases: Sequence[Accrued]) -> None:
    """Put the member's months, and the spans of the other caps, as these purchases add up.

    What two memberships accrued apart stays, even if it is more than one membership could have:
    then nothing more accrues until the span is over. The member's ledger accounts are locked by the
    caller.
    """
    months: dict[int, Month] = {}
    periods: dict[tuple[CapPeriod, LocalDay], int] = {}
    for one in purchases:
        month = months.setdefault(clock.month_of(one.day), Month())
        month.accrued_minor += one.accrued_minor
        month.capped_minor += one.capped_minor
        for cap in one.programme.cashback.caps:
            key = (cap.period, rules.period_start(cap.period, one.day))
            periods[key] = periods.get(key, 0) + one.accrued_minor
    for table in ("cashback_months", "cashback_periods"):
        await sql.execute(f"DELETE FROM {table} WHERE member_id = $1", member_id)  # noqa: S608
    await sql.execute_many(
        models.UPSERT_MONTH,
        [
            (new_id(), member_id, key, month.accrued_minor, month.capped_minor)
            for key, month in sorted(months.items())
            if month.accrued_minor or month.capped_minor
        ],
    )
    await sql.execute_many(
        models.UPSERT_PERIOD,
        [
            (new_id(), member_id, *key, accrued)
            for key, accrued in sorted(periods.items())
            if accrued
        ],
    )
