"""Acting on cards in tests, each act committed."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from server.cards import rules, service
from server.cards.service import CardView
from server.clock import Instant
from server.storage import sql
from tests.cards.conftest import NOW

LATER = Instant(NOW + 60_000_000)
UNKNOWN_NUMBER = rules.number_of(0)
UNKNOWN_ID = 2**62

Verb = Callable[..., Awaitable[CardView]]
VERBS: list[Verb] = [service.block, service.unblock, service.report_lost, service.replace]

all_verbs = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)


async def issued(member_id: int) -> CardView:
    async with sql.transaction():
        return (await service.issue([member_id], NOW))[member_id]


async def done(verb: Verb, member_id: int, now: Instant = LATER, **options: int) -> CardView:
    async with sql.transaction():
        return await verb(member_id, now, **options)


async def stored(card_id: int) -> tuple[str, int, int | None]:
    """(status, status changed at, reported lost at) of a card."""
    row = await sql.fetch_one(
        "SELECT status, status_changed_at, reported_lost_at FROM cards WHERE id = $1", card_id
    )
    assert row is not None
    return row[0], row[1], row[2]


async def count_of_cards() -> int:
    row = await sql.fetch_one("SELECT COUNT(*) FROM cards")
    assert row is not None
    return int(row[0])


def draws(monkeypatch: pytest.MonkeyPatch, *chances: int) -> None:
    """The numbers drawn next are made of these chances."""
    left = iter(chances)
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(left))
