"""A till that waits for another with the same hold finds it resolved."""

import pytest

from server.errors import AlreadyDecided
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.payments.tills import available, hold, member_with, publish, release, settle, written
from tests.waiting import behind


# SQLite has one writer at a time.
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_a_hold_is_neither_settled_nor_released_again(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = (await written(hold(anna, 60))).hold.id
    answers = await behind(
        lambda: settle(held, points=40), lambda: settle(held, points=40), lambda: release(held)
    )
    assert [one.status for one in answers if isinstance(one, AlreadyDecided)] == ["SETTLED"] * 2
    assert await available(anna) == 60
    await check_books()
