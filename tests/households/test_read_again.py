"""What was read before a lock was had is read again under it: who waits for another sees what the
other has done. On PostgreSQL, for SQLite has one writer at a time."""

import pytest

from server.errors import AlreadyDecided, InsufficientPoints
from server.households import models, service
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import (
    CONTRIBUTOR,
    available,
    founded,
    invited,
    people,
    publish,
    roles,
)
from tests.ledger.books import check_books
from tests.payments.tills import pay_with_points
from tests.waiting import behind

pytestmark = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


@pytest.fixture(autouse=True)
async def programme(database: Address) -> None:
    """Of these tests: nobody waits to join."""
    await publish({("households",): {"maximum_members": 3, "rejoin_wait_days": 0}})


async def test_of_two_who_wait_with_one_code_one_gets_in(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    household = await founded(anna)
    code = await invited(anna)
    answers = await behind(
        lambda: models.household_for_writing(household.id),
        lambda: service.join(bob, code, now=NOW),
        lambda: service.join(carl, code, now=NOW),
    )
    assert [isinstance(one, AlreadyDecided) for one in answers].count(True) == 1
    assert len(await roles(anna) or ()) == 2


async def test_a_till_that_waits_for_who_leaves_spends_nothing_of_theirs(
    database: Address,
) -> None:
    anna, bob = await people(20, 100)
    await founded(anna, (bob, CONTRIBUTOR))
    [refusal] = await behind(
        lambda: service.leave(bob, now=NOW),
        lambda: pay_with_points(anna, 100, from_household=True),
    )
    assert isinstance(refusal, InsufficientPoints)
    assert refusal.available == 20
    assert await available(anna, bob) == [20, 100]
    await check_books()
