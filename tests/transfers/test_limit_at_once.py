"""The limit of a day, when one gift waits for another of the same giver."""

import pytest

from server.errors import LimitReached
from server.storage.database import Address
from server.transfers import service
from server.transfers.service import Given, MemberReference, Present
from tests.api.calling import NOW
from tests.households.living import available, people, publish
from tests.ledger.books import check_books
from tests.waiting import behind


async def give(giver: int, receiver: int, points: int) -> Given:
    wish = Present(MemberReference(id=giver), MemberReference(id=receiver), points)
    return await service.give(wish, now=NOW)


# SQLite has one writer at a time.
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_a_gift_that_waits_counts_what_the_other_has_given(database: Address) -> None:
    await publish({("transfers",): {"minimum_points": 1, "daily_limit_points": 100}})
    anna, bob, carl = await people(1000, 0, 0)
    [answer] = await behind(lambda: give(anna, bob, 60), lambda: give(anna, carl, 60))
    assert isinstance(answer, LimitReached)
    assert answer.left == 40
    assert await available(anna, bob, carl) == [940, 60, 0]
    await check_books()
