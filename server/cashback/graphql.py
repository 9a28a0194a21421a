"""Cashback in the schema."""

from collections.abc import Sequence

import strawberry

from server import clock
from server.cashback import service
from server.cashback.service import Totals
from server.clock import LocalDay
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.permissions import MEMBER_DATA, shown_to
from server.edge.scalars import Money
from server.ledger.graphql import holding_of
from server.ledger.rules import Balance
from server.programme.document import Programme
from server.programme.graphql import programme_now


@shown_to(MEMBER_DATA)
@strawberry.type(description="A member's cashback, exact at the instant of the request.")
class Cashback:
    """The cashback of a member."""

    available: Money = strawberry.field(
        description="Cashback that can be used now, less what is owed: below 0 while more is owed "
        "than there is, until later cashback has filled the hole."
    )
    pending: Money = strawberry.field(description="Cashback that becomes available later.")
    held: Money = strawberry.field(
        description="Cashback that is reserved: for payouts under way and for baskets at tills."
    )
    owed: Money = strawberry.field(
        description="Cashback that was taken back for a return after it had been used, and that "
        "later cashback has not made up for yet; it is taken off `available`."
    )
    lifetime_accrued: Money = strawberry.field(
        description="All cashback ever accrued, pending or available or used. Always "
        "lifetimeAccrued + lifetimeMoved = lifetimeSpent + lifetimeExpired + lifetimeReversed + "
        "available + pending + held."
    )
    lifetime_spent: Money = strawberry.field(
        description="All cashback ever used to pay at a till, less what was given back."
    )
    lifetime_expired: Money = strawberry.field(description="All cashback that ever lapsed unused.")
    lifetime_reversed: Money = strawberry.field(
        description="All cashback ever taken back because of returns, owed cashback included."
    )
    lifetime_moved: Money = strawberry.field(
        description="Cashback that came by adjustment, import or merging, less what went, by "
        "payouts above all: below 0 if more went."
    )
    month_cap: Money = strawberry.field(description="The most that a calendar month can bring.")
    member_id: strawberry.Private[int]
    currency: strawberry.Private[str]
    digits: strawberry.Private[int]

    @computed(description="What the caps have cut off so far, the monthly one and others.")
    async def lifetime_capped(self, info: Info) -> Money:
        """What was lost to the caps."""
        totals = await _totals_of(info, self.member_id)
        return Money.of(totals.capped_minor, self.currency, self.digits)

    @computed(
        description="What purchases of the present calendar month have accrued, less what returns "
        "of them took back."
    )
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

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, currency, digits)

    return Cashback(
        available=money(balance.available),
        pending=money(balance.pending),
        held=money(balance.held),
        owed=money(balance.owed),
        lifetime_accrued=money(balance.granted_total),
        lifetime_spent=money(balance.redeemed_total),
        lifetime_expired=money(balance.expired_total),
        lifetime_reversed=money(balance.reversed_total),
        lifetime_moved=money(balance.moved_total),
        month_cap=money(programme_now.cashback.monthly_cap_minor),
        member_id=member_id,
        currency=currency,
        digits=digits,
    )
