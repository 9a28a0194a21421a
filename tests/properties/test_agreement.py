"""The server and the independent reference give the same number for every member."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from server.clock import LocalDay
from server.storage.database import Address
from tests.playing import day_of, days_of, has_redemptions, instant, publish, record, redeem, undone
from tests.properties import trying
from tests.properties.rows import member_rows
from tests.reference.basket_amounts import Basket, Programme
from tests.reference.programme_reference import play
from tests.reference.strategies import baskets, programmes

Cuts = int
"""Where a list is cut into batches: after number n if bit n is set."""
ALL_CUT = -1


def parts(played: list[Basket], cuts: Cuts) -> list[list[Basket]]:
    """The baskets in order, in batches."""
    batches: list[list[Basket]] = [[]]
    for number, basket in enumerate(played):
        batches[-1].append(basket)
        if cuts >> number & 1:
            batches.append([])
    return [batch for batch in batches if batch]


def cuts_of(length: int) -> st.SearchStrategy[Cuts]:
    """One by one, all at once, or cut at random."""
    return st.just(ALL_CUT) | st.just(0) | st.integers(0, 2**length - 1)


async def play_through_server(
    document: Programme, played: list[Basket], *, cuts: Cuts, repeated: int
) -> None:
    """Each redemption at its day's start, and between them the baskets in batches.

    Basket n is sent twice in its batch, and once more in another, if bit n of `repeated` is set:
    each repetition is answered as the first time, and changes nothing.
    """
    again = {b["basket_id"] for number, b in enumerate(played) if repeated >> number & 1}
    by_day = {
        day: list(of_day)
        for day, of_day in groupby(played, lambda basket: day_of(document, basket))
    }
    households: set[str] = set()
    waiting: list[Basket] = []
    for day in days_of(document):
        if has_redemptions(document, day):
            await send(document, waiting, cuts, again)
            waiting = []
            await redeem(document, households, LocalDay(day))
        waiting += by_day.get(day, [])
        households |= {basket["household_id"] for basket in by_day.get(day, [])}
    await send(document, waiting, cuts, again)


async def send(document: Programme, waiting: list[Basket], cuts: Cuts, again: set[str]) -> None:
    """Records the baskets in batches, some of them several times."""
    for batch in parts(waiting, cuts):
        echoes = [basket for basket in batch if basket["basket_id"] in again]
        sent = [*batch, *echoes]
        answers = await record(document, sent, now=instant(batch[-1]))
        first = dict(zip(map(key, batch), answers, strict=False))
        assert answers == [first[key(basket)] for basket in sent]
        if echoes:
            assert await record(document, echoes) == answers[len(batch) :]


def key(basket: Basket) -> str:
    return str(basket["basket_id"])


@trying(600)
@given(data=st.data())
async def test_every_member_ends_as_the_reference_says_however_purchases_are_batched(
    database: Address, data: st.DataObject
) -> None:
    document = data.draw(programmes(), label="programme")
    played = data.draw(baskets(document), label="baskets")
    cuts = data.draw(cuts_of(len(played)), label="cuts")
    repeated = data.draw(st.just(0) | st.integers(0, 2 ** len(played) - 1), label="repeated")
    expected = {row["household_id"]: row for row in play(document, played).members}
    async with undone():
        await publish(document)
        await play_through_server(document, played, cuts=cuts, repeated=repeated)
        assert await member_rows(document, expected) == expected
