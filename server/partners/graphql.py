"""Partners in the schema: who belongs to the coalition, and what a month comes to."""

from enum import Enum
from typing import Annotated

import strawberry

from server import clock
from server.edge import pages
from server.edge.context import Info
from server.edge.permissions import EVERYONE, access, query, shown_to
from server.edge.scalars import BigInt, Money
from server.partners import service
from server.partners.service import MonthOfParty
from server.principal import Principal, PrincipalKind, Scope, StaffRole
from server.programme import service as programme

_READERS = access(Scope.SETTLEMENTS_READ, roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR}))
_FIRST_YEAR, _LAST_YEAR = 1970, 9999


@strawberry.enum(description="What a party of the coalition pays for, or is owed.")
class SettlementSource(Enum):
    """A source of entries."""

    POINTS = strawberry.enum_value("points", description="Points that were granted.")
    CASHBACK = strawberry.enum_value("cashback", description="Cashback that was granted.")
    DISCOUNT = strawberry.enum_value("discount", description="Money taken off baskets by offers.")
    REWARD = strawberry.enum_value("reward", description="Rewards of the catalogue.")
    REDEMPTION = strawberry.enum_value(
        "redemption",
        description="What members paid with points, cashback and vouchers at the party's tills, "
        "and what it gave as rewards of the catalogue.",
    )


@shown_to(EVERYONE)
@strawberry.type(description="A partner of the coalition.")
class Partner:
    """A partner."""

    key: str = strawberry.field(description="Its key, as in `purchase.partner`.")
    name: str = strawberry.field(description="Its name.")
    image_url: str | None = strawberry.field(description="Where its logo is; null without one.")
    website: str | None = strawberry.field(description="Its website; null without one.")
    stores: list[str] = strawberry.field(
        description="The ids of its stores, sorted; at most 10,000."
    )


@shown_to(_READERS)
@strawberry.type(description="What one party bears of the rewards of one rule in a month.")
class SettlementLine:
    """A line of a settlement."""

    source: SettlementSource = strawberry.field(description="What it is for.")
    rule: str = strawberry.field(
        description="What gave the rewards, such as `offer:` and the offer's key."
    )
    rewards: int = strawberry.field(description="How many purchases, orders or payments.")
    points: BigInt | None = strawberry.field(
        description="The party's part of the points; null for money."
    )
    value: Money = strawberry.field(
        description="What the party pays; below 0 for what it is owed, and for rewards that were "
        "undone in the month."
    )


@shown_to(_READERS)
@strawberry.type(description="What one party of the coalition owes for a month.")
class PartySettlement:
    """A party's month."""

    partner: str | None = strawberry.field(description="The partner's key; null for the operator.")
    name: str | None = strawberry.field(
        description="The partner's name now; null for the operator and for one that left."
    )
    lines: list[SettlementLine] = strawberry.field(
        description="What it consists of, by source and rule."
    )
    owed: Money = strawberry.field(
        description="The sum of the lines: what the party pays; below 0 for what it is owed."
    )


@shown_to(_READERS)
@strawberry.type(
    description="Who pays for what of the rewards of a month, exact to the minor unit: the parts "
    "of all parties, the operator's included, add up to the rewards. A reward counts in the local "
    "month in which it was given, and what undoes it in the month of the undoing."
)
class Settlement:
    """A month's settlement."""

    month: str = strawberry.field(description="The month: 2026-01.")
    parties: list[PartySettlement] = strawberry.field(
        description="The parties that have entries, the operator first, then by key."
    )
    csv: str = strawberry.field(
        description="The same lines as CSV (RFC 4180): month, partner, source, rule, rewards, "
        "asset, amount, currency, value_minor; amounts are whole numbers of points or minor units."
    )


def _allowed(principal: Principal, parties: list[MonthOfParty]) -> list[MonthOfParty]:
    """A partner's key sees its own lines alone."""
    if principal.kind is not PrincipalKind.KEY:
        return parties
    return [one for one in parties if one.partner and one.partner == principal.partner]


def _line(line: service.SettlementLine, digits: int) -> SettlementLine:
    return SettlementLine(
        source=SettlementSource(line.source),
        rule=line.rule,
        rewards=line.rewards,
        points=BigInt(line.amount) if line.source == "points" else None,
        value=Money.of(line.value_minor, line.currency, digits),
    )


@strawberry.type
class PartnerQueries:
    """The root fields of partners."""

    @query(EVERYONE, description="The partners of the coalition, by key.")
    async def partners(self) -> list[Partner]:
        """The partners."""
        found = await service.partners(clock.now())
        return [
            Partner(
                key=key,
                name=partner.name,
                image_url=partner.image_url,
                website=partner.website,
                stores=sorted(partner.stores),
            )
            for key, partner in found.items()
        ]

    @query(
        _READERS,
        description="Who pays for what of the rewards of a local month. The key of a partner sees "
        "its own lines alone.",
    )
    async def settlement(
        self,
        info: Info,
        year: Annotated[int, strawberry.argument(description="The year: 1970 to 9999.")],
        month: Annotated[int, strawberry.argument(description="The month: 1 to 12.")],
    ) -> Settlement:
        """A month's settlement."""
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise pages.outside("year", year, minimum=_FIRST_YEAR, maximum=_LAST_YEAR)
        if not 1 <= month <= 12:
            raise pages.outside("month", month, minimum=1, maximum=12)
        local_month = year * 100 + month
        parties = _allowed(info.context.principal, await service.settlement(local_month))
        names = await service.partners(clock.now())
        digits = (await programme.current()).programme.programme.minor_unit_digits
        return Settlement(
            month=f"{year:04}-{month:02}",
            parties=[
                PartySettlement(
                    partner=one.partner or None,
                    name=names[one.partner].name if one.partner in names else None,
                    lines=[_line(line, digits) for line in one.lines],
                    owed=Money.of(one.owed_minor, one.currency, digits),
                )
                for one in parties
            ],
            csv=service.csv_of(local_month, parties),
        )
