"""Returns for tests: sent as tills do, and what is then left of everything."""

from typing import Any

from server import clock
from server.clock import Instant
from server.errors import DomainError
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.purchases import service as purchases
from server.purchases.service import (
    LineReturn,
    PurchaseReference,
    ReturnDraft,
    ReturnedPurchase,
)
from server.storage import sql
from tests.ledger.books import check_books
from tests.purchases.baskets import PARTNER, at

Wish = tuple[int, int] | tuple[int, int, str]
"""A line's number with units, or with minor units and the word "minor"."""


def return_draft(number: str, purchase: str, when: str | Instant, *wishes: Wish) -> ReturnDraft:
    """A return of some lines of the purchase, or of all that is left of it without any."""
    lines = tuple(
        LineReturn(wish[0], amount_minor=wish[1])
        if len(wish) == 3
        else LineReturn(wish[0], quantity=wish[1])
        for wish in wishes
    )
    return ReturnDraft(
        external_id=number,
        purchase=PurchaseReference(external_id=purchase),
        occurred_at=at(when) if isinstance(when, str) else when,
        lines=lines or None,
    )


async def take_back(
    draft: ReturnDraft, *, now: Instant | None = None, partner: str | None = PARTNER
) -> ReturnedPurchase:
    """Returns at once, by default at its own instant, and looks into the books."""
    instant = draft.occurred_at if now is None else now
    with clock.moved_to(instant):
        async with sql.transaction():
            answer = await purchases.take_back(draft, partner=partner, now=instant)
    await check_books()
    return answer


async def refused(draft: ReturnDraft, *, partner: str | None = PARTNER) -> DomainError:
    """Why a return is refused; nothing is changed by it."""
    before = await everything()
    try:
        await take_back(draft, partner=partner)
    except DomainError as error:
        assert await everything() == before
        return error
    raise AssertionError("it was not refused")


TABLES = (
    "members", "ledger_accounts", "lots", "postings", "tier_states", "tier_days", "tier_changes",
    "cashback_months", "cashback_periods", "challenge_progress", "challenge_runs",
    "challenge_totals", "purchases", "purchase_lines", "purchase_returns", "return_lines",
    "payments", "vouchers",
)  # fmt: skip


async def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows that a return may touch."""
    return {
        table: [tuple(row) for row in await sql.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        for table in TABLES
    }


async def balance(household: str, when: str | Instant, asset: str = POINTS) -> ledger.Balance:
    """What a household has."""
    instant = at(when) if isinstance(when, str) else when
    ids = await members.members_by_external_id([household])
    return (await ledger.balances(ids.values(), instant))[ids[household], asset]


async def spend(household: str, points: int, when: str | Instant) -> None:
    """Uses points."""
    instant = at(when) if isinstance(when, str) else when
    ids = await members.members_by_external_id([household])
    member_id = ids[household]
    async with (
        sql.transaction(),
        ledger.journal([member_id], [POINTS], recorded_at=instant) as journal,
    ):
        cause = ledger.Cause(ledger.Reason.REDEMPTION, "voucher", None)
        await journal.spend(member_id, POINTS, points, cause=cause)
