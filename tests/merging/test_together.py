"""Joining members while tills go on: nothing is left behind with the duplicate."""

import asyncio

from server import clock
from server.cards import service as cards
from server.errors import DomainError
from server.members import service as members
from server.merging import service
from server.merging.service import Wish
from server.money import POINTS
from server.purchases import service as purchases
from server.purchases.service import Submission
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.merging.pairs import MANAGER, known_as, number, owned, worth
from tests.purchases.baskets import PARTNER, at, draft, publish, recorded

NOON = at("2017-03-15")


async def buy(name: str, household: str) -> int:
    async def work() -> int:
        async with sql.transaction():
            basket = Submission(
                draft(name, NOON, 1000, household=household), enrol_if_unknown=False
            )
            return (await purchases.record(basket, partner=PARTNER, now=NOON)).points

    return await sql.retried(work)


async def join(duplicate: str, survivor: str) -> str:
    async def work() -> None:
        async with sql.transaction():
            wish = Wish(known_as(duplicate), known_as(survivor), "the same person")
            await service.merge(wish, by=MANAGER, now=NOON)

    try:
        await sql.retried(work)
    except DomainError as refusal:
        return refusal.reason
    return "merged"


async def test_purchases_that_arrive_during_a_merge_are_the_survivors(database: Address) -> None:
    await publish()
    await recorded(draft("a", "2017-03-01", 1000, household="a"))
    await recorded(draft("b", "2017-03-01", 1000, household="b"))
    before = await worth(NOON, "a", "b")
    with clock.moved_to(NOON):
        said = await asyncio.gather(
            *(buy(f"a{turn}", "a") for turn in range(6)),
            join("a", "b"),
            *(buy(f"b{turn}", "b") for turn in range(6)),
            *(buy(f"c{turn}", "a") for turn in range(6)),
        )
    earned = sum(one for one in said if isinstance(one, int))
    assert "merged" in said
    assert (await worth(NOON, "b"))[POINTS] == before[POINTS] + earned
    assert (await worth(NOON, "a"))[POINTS] == 0
    assert not any((await owned("a")).values())
    assert len((await owned("b"))["purchases"]) == 20
    await check_books()


async def test_of_two_merges_at_once_that_contradict_each_other_one_is_done(
    database: Address,
) -> None:
    await publish()
    for name in "abc":
        await recorded(draft(name, "2017-03-01", 1000, household=name))
    total = await worth(NOON, *"abc")
    with clock.moved_to(NOON):
        said = await asyncio.gather(join("a", "b"), join("b", "a"), join("a", "c"), join("a", "b"))
    assert "merged" in said
    assert await worth(NOON, *"abc") == total
    ids = await members.members_by_external_id("abc")
    left = {await number(name) for name in "abc" if ids[name] == await number(name)}
    assert set(ids.values()) == left, "everyone leads to somebody who leads to themselves"
    assert len(await cards.members_of([known_as(name) for name in "abc"])) == 3
    await check_books()
