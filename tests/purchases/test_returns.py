"""Returning goods: everything that the returned part has brought is undone, to the point."""

from server.purchases.service import ReturnedPurchase
from server.storage.database import Address
from tests.purchases.baskets import draft, line, publish, recorded
from tests.purchases.returns import balance, return_draft, take_back


def reversed_points(answer: ReturnedPurchase) -> dict[str, int]:
    return {one.rule.value: one.points for one in answer.reversed}


async def test_a_purchase_returned_in_full_is_undone_in_full(database: Address) -> None:
    await publish()
    [bought] = await recorded(
        draft(
            "1", "2017-03-01", line("PRODUCE", 1500), line("GROCERY", 9000), line("MEAT", 500, 20)
        )
    )
    assert bought.points == 100 + 1098 + 150 + 150
    answer = await take_back(return_draft("r", "1", "2017-03-02"))
    assert reversed_points(answer) == {"BASE": 1098, "CATEGORY": 150, "CHALLENGE": 150}
    assert (await balance("1", "2017-03-02")).available == 100
