"""Cashback by calendar month of the programme's time zone, on both engines."""

from server import clock
from server.cashback import service as cashback
from server.cashback.service import Totals
from server.clock import Instant
from server.ledger import service as ledger
from server.ledger.service import Balance
from server.purchases.service import RecordedPurchase
from server.storage.database import Address
from tests.purchases.baskets import at, draft, line, publish, recorded


def accrued(answers: list[RecordedPurchase]) -> list[tuple[int, int]]:
    return [(a.cashback.accrued_minor, a.cashback.capped_minor) for a in answers]


async def test_each_local_month_has_its_own_cap(database: Address) -> None:
    await publish({("programme", "timezone"): "America/New_York"})
    meat = line("MEAT", 20_000)
    answers = await recorded(
        draft("1", "2017-01-31T12:00", meat),
        draft("2", "2017-02-01T04:59", meat),  # still January in New York
        draft("3", "2017-02-01T05:00", meat),
    )
    assert accrued(answers) == [(400, 0), (100, 300), (400, 0)]
    member = answers[0].member_id
    february = clock.local_day(at("2017-02-01T05:00"), "America/New_York")
    assert await cashback.totals([member], february) == {member: Totals(900, 300, 400)}
    assert await cashback.month_sums() == [(201701, 500, 300), (201702, 400, 0)]


async def test_cashback_waits_and_never_expires(database: Address) -> None:
    await publish()
    [answer] = await recorded(draft("1", "2017-01-31T12:00", line("MEAT", 5_000)))
    key = (answer.member_id, "USD")
    start = at("2017-02-14T00:00")
    assert answer.cashback.available_at == start
    for when, expected in (
        (Instant(start - 1), Balance(pending=100, granted_total=100)),
        (start, Balance(available=100, granted_total=100)),
        (at("2099-01-01"), Balance(available=100, granted_total=100)),
    ):
        assert (await ledger.balances([key[0]], when))[key] == expected


async def test_a_purchase_that_arrives_late_counts_in_its_own_month(database: Address) -> None:
    await publish()
    await recorded(draft("1", "2017-01-05", line("MEAT", 20_000)))
    await recorded(draft("2", "2017-02-05", line("MEAT", 25_000)))
    late = await recorded(draft("3", "2017-01-06", line("MEAT", 20_000)), now=at("2017-02-05"))
    assert accrued(late) == [(100, 300)]
    assert late[0].cashback.available_at == at("2017-01-20T00:00")
    assert await cashback.month_sums() == [(201701, 500, 300), (201702, 500, 0)]


async def test_members_without_cashback_are_left_out(database: Address) -> None:
    await publish()
    [answer] = await recorded(draft("1", "2017-01-05", 1000))
    today = clock.local_day(at("2017-01-05"), "UTC")
    assert await cashback.totals([answer.member_id], today) == {}
    assert await cashback.month_sums() == []
