"""Cashback in the schema."""

from collections.abc import Awaitable, Sequence
from typing import cast

import strawberry

from server.cashback import service
from server.cashback.service import Totals
from server.edge.context import Context, Info
from server.edge.fields import computed
from server.edge.loading import shown
from server.edge.permissions import MEMBER_DATA, shown_to
from server.edge.scalars import Money
from server.ledger.graphql import held_by, holding_in
from server.programme.graphql import present_now
from server.programme.present import Present
from server.storage import parts


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
    present: strawberry.Private[Present]

    @computed(
        description="What the caps have cut off so far, the monthly one and others.", is_exact=True
    )
    def lifetime_capped(self, info: Info) -> Money:
        """What was lost to the caps."""
        capped = shown(
            _totals_of(info.context, self),
            lambda totals: self.money(totals.capped_minor),
        )
        return cast(Money, capped)

    @computed(
        description="What purchases of the present calendar month have accrued, less what returns "
        "of them took back.",
        is_exact=True,
    )
    def month_accrued(self, info: Info) -> Money:
        """What this month brought."""
        accrued = shown(
            _totals_of(info.context, self),
            lambda totals: self.money(totals.this_month_minor),
        )
        return cast(Money, accrued)

    def money(self, amount_minor: int) -> Money:
        """An amount in the currency that the cashback is in."""
        return Money.of(amount_minor, self.present.currency, self.present.digits)


def _totals_of(context: Context, cashback: Cashback) -> Totals | Awaitable[Totals]:
    given: Totals | None = context.given(_totals, cashback.member_id)
    return (
        context.loader(_totals, cashback.present.month).get(cashback.member_id)
        if given is None
        else given
    )


async def _totals(member_ids: list[int], month: int) -> Sequence[Totals]:
    found = await parts.shared(service.totals_part(month), member_ids)
    return [service.totals_of(found[member_id]) for member_id in member_ids]


def prime_totals(context: Context, member_id: int, found: parts.Found, *, present: Present) -> None:
    """The request knows what the member has accrued."""
    context.give(_totals, member_id, service.totals_of(found))


def cashback_of_member(context: Context, member_id: int) -> Cashback | Awaitable[Cashback]:
    """The member's cashback."""
    return shown(
        present_now(context),
        lambda present: shown(
            held_by(context, member_id, present.currency),
            lambda found: _shown_cashback(context, member_id, found, present),
        ),
    )


def _shown_cashback(
    context: Context, member_id: int, found: parts.Found, present: Present
) -> Cashback:
    currency, digits = present.currency, present.digits
    # A month begins at one of the midnights.
    context.changes_at(present.ends_at)
    balance = holding_in(context, found, currency).balance

    return Cashback(
        available=Money.of(balance.available, currency, digits),
        pending=Money.of(balance.pending, currency, digits),
        held=Money.of(balance.held, currency, digits),
        owed=Money.of(balance.owed, currency, digits),
        lifetime_accrued=Money.of(balance.granted_total, currency, digits),
        lifetime_spent=Money.of(balance.redeemed_total, currency, digits),
        lifetime_expired=Money.of(balance.expired_total, currency, digits),
        lifetime_reversed=Money.of(balance.reversed_total, currency, digits),
        lifetime_moved=Money.of(balance.moved_total, currency, digits),
        month_cap=Money.of(
            present.published.programme.cashback.monthly_cap_minor, currency, digits
        ),
        member_id=member_id,
        present=present,
    )
