"""Cashback in the schema."""

from collections.abc import Sequence

import strawberry

from server import clock
from server.cashback import service
from server.cashback.service import Totals
from server.clock import LocalDay
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.scalars import Money
from server.ledger.graphql import holding_of
from server.ledger.rules import Balance
from server.programme.document import Programme
from server.programme.graphql import programme_now


@strawberry.type(description="A member's cashback, exact at the instant of the request.")
class Cashback:
    """The cashback of a member."""

    available: Money = strawberry.field(description="Cashback that can be used now.")
    pending: Money = strawberry.field(description="Cashback that becomes available later.")
    lifetime_accrued: Money = strawberry.field(
        description="All cashback ever accrued, pending or available or used."
    )
    month_cap: Money = strawberry.field(description="The most that a calendar month can bring.")
    member_id: strawberry.Private[int]
    currency: strawberry.Private[str]
    digits: strawberry.Private[int]

    @computed(description="What the monthly cap has cut off so far.")
    async def lifetime_capped(self, info: Info) -> Money:
        """What was lost to the cap."""
        totals = await _totals_of(info, self.member_id)
        return Money.of(totals.capped_minor, self.currency, self.digits)

    @computed(description="What purchases of the present calendar month have accrued.")
    async def month_accrued(self, info: Info) -> Money:
        """What this month brought."""
        totals = await _totals_of(info, self.member_id)
        return Money.of(totals.this_month_minor, self.currency, self.digits)


_NOTHING = Totals()


async def _totals_of(info: Info, member_id: int) -> Totals:
    zone = (await programme_now(info)).programme.programme.timezone
    today = clock.local_day(info.context.at, zone)
    return await info.context.loader(_totals, today).load(member_id)


async def _totals(member_ids: list[int], today: LocalDay) -> Sequence[Totals]:
    found = await service.totals(member_ids, today)
    return [found.get(member_id, _NOTHING) for member_id in member_ids]


async def cashback_of_member(info: Info, member_id: int, programme_now: Programme) -> Cashback:
    """The member's cashback."""
    identity = programme_now.programme
    currency, digits = identity.currency, identity.minor_unit_digits
    balance: Balance = (await holding_of(info, member_id, currency)).balance
    return Cashback(
        available=Money.of(balance.available, currency, digits),
        pending=Money.of(balance.pending, currency, digits),
        lifetime_accrued=Money.of(balance.granted_total, currency, digits),
        month_cap=Money.of(programme_now.cashback.monthly_cap_minor, currency, digits),
        member_id=member_id,
        currency=currency,
        digits=digits,
    )
