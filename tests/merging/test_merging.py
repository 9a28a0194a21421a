"""Joining a duplicate into another membership, and parting them again."""

import pytest

from server import clock
from server.cards import service as cards
from server.cards.service import MemberReference
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound
from server.households import service as households
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.merging.pairs import (
    counted,
    everything,
    join,
    known_as,
    number,
    owned,
    part,
    redeem,
    refused,
    state,
    value,
    worth,
)
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, take_back

NOON = "2017-03-15"


async def two_members() -> None:
    """A pair who each bought, one of them with a voucher, pending points and cashback."""
    await publish()
    await recorded(draft("a1", "2017-03-01", 5000, line("PRODUCE", 9000), household="a"))
    await recorded(draft("b1", "2017-03-02", 90_000, household="b"))
    await recorded(draft("a2", "2017-03-03", 170_000, line("MEAT", 4000), household="a"))
    await redeem("a", 1000, "2017-03-10")
    await recorded(draft("a3", "2017-03-14", 70_000, household="a"))  # still pending on the 15th


async def test_everything_of_the_duplicate_goes_on_with_the_survivor(database: Address) -> None:
    await two_members()
    total, own = await worth(NOON, "a", "b"), {name: await owned(name) for name in "ab"}
    merged = await join("a", "b", NOON)
    assert await worth(NOON, "b") == total
    assert (await value("a", NOON)) == {"left": {}, "balances": {}}
    assert (await value("b", NOON))["balances"][POINTS][1] > 0, "pending stays pending"
    assert not any((await owned("a")).values())
    assert await owned("b") == {
        table: sorted(own["a"][table] + own["b"][table]) for table in own["a"]
    }
    assert (merged.merge.purchases, merged.merge.vouchers) == (3, 1)
    [state_now] = (await counted("b"))["tier_states"]
    assert state_now[0] == "Silver"
    assert state_now[3] == 5000 + 9000 + 90_000 + 174_000 + 70_000
    assert (await counted("a"))["tier_days"] == []


async def test_both_external_ids_both_cards_and_both_sign_ins_lead_to_the_survivor(
    database: Address,
) -> None:
    await two_members()
    a, b = await number("a"), await number("b")
    own_cards = await cards.cards_of([a, b])
    async with sql.transaction():
        account = await members.create_account(a, "a@example.com", "hash")
    merged = await join("a", "b", NOON)
    references = [
        MemberReference(id=a),
        known_as("a"),
        MemberReference(card_number=own_cards[a].number),
        MemberReference(card_number=own_cards[b].number),
    ]
    assert await cards.members_of(references) == [b] * 4
    assert await members.members_by_external_id(["a", "b"]) == {"a": b, "b": b}
    async with sql.transaction():
        assert (await members.open_session(account)).member_id == b
        # The duplicate's card is the survivor's to block.
        card = await cards.block(b, at(NOON), card_id=own_cards[a].id)
        assert card.status == "blocked"
        await cards.unblock(b, at(NOON), card_id=own_cards[a].id)
    assert (await cards.card_of(b)).number == own_cards[b].number
    page = await members.page_of_members(first=100)
    assert [profile.id for profile in page.members] == [b]
    await part(merged, NOON)
    assert await cards.members_of(references) == [a, a, a, b]
    async with sql.transaction():
        assert (await members.open_session(account)).member_id == a


async def test_what_is_done_to_the_duplicate_is_done_to_the_survivor(database: Address) -> None:
    await two_members()
    await join("a", "b", NOON)
    [answer] = await recorded(draft("a4", "2017-03-16", 1000, household="a"))
    assert answer.member_id == await number("b")
    await redeem("a", 1000, "2017-03-16")
    assert len((await owned("b"))["vouchers"]) == 2
    assert not any((await owned("a")).values())


async def test_merged_and_parted_everything_is_as_before(database: Address) -> None:
    await two_members()
    before = {name: await state(name, NOON) for name in "ab"}
    await part(await join("a", "b", NOON), NOON)
    assert {name: await state(name, NOON) for name in "ab"} == before
    await part(await join("b", "a", NOON), NOON)
    assert {name: await state(name, NOON) for name in "ab"} == before


async def test_nothing_is_granted_for_what_the_two_complete_together(database: Address) -> None:
    """Three days of a week: two of the one, one of the other."""
    await publish()
    await recorded(draft("a1", "2017-03-06", 1000, household="a"))
    await recorded(draft("a2", "2017-03-07", 1000, household="a"))
    await recorded(draft("b1", "2017-03-08", 1000, household="b"))
    total = await worth("2017-03-20", "a", "b")
    await join("a", "b", "2017-03-09")
    assert await worth("2017-03-20", "b") == total
    week = [row for row in (await counted("b"))["challenge_progress"] if row[0] == "weekly_visits"]
    assert [(row[2], row[4] is not None, row[5]) for row in week] == [(3, True, None)]
    [answer] = await recorded(draft("b2", "2017-03-09", 1000, household="b"))
    assert {one.rule.value for one in answer.earned} == {"BASE"}


async def test_what_was_spent_since_stays_spent_and_what_was_earned_stays_where_it_is(
    database: Address,
) -> None:
    await two_members()
    total = await worth("2017-04-01", "a", "b")
    merged = await join("a", "b", NOON)
    await redeem("b", 1000, "2017-03-16")
    [answer] = await recorded(draft("b2", "2017-03-17", 2000, household="a"))
    total[POINTS] += answer.points - 1000
    assert await worth("2017-04-01", "b") == total
    await part(merged, "2017-04-01")
    assert await worth("2017-04-01", "a", "b") == total
    owners = await sql.fetch("SELECT external_id, member_id FROM purchases ORDER BY external_id")
    a, b = await number("a"), await number("b")
    assert [tuple(row) for row in owners] == [
        ("a1", a),
        ("a2", a),
        ("a3", a),
        ("b1", b),
        ("b2", b),
    ]
    assert (await value("a", "2017-04-01"))["balances"][POINTS][0] > 0


async def test_goods_of_the_duplicate_can_be_returned_while_merged_and_after(
    database: Address,
) -> None:
    await two_members()
    merged = await join("a", "b", NOON)
    await take_back(return_draft("r1", "a1", "2017-03-20"))
    assert len((await owned("b"))["purchase_returns"]) == 1
    await part(merged, "2017-03-21")
    assert len((await owned("a"))["purchase_returns"]) == 1
    assert len((await owned("a"))["return_lines"]) == 2
    answer = await take_back(return_draft("r2", "a3", "2017-03-22"))
    assert answer.points_taken.amount > 0
    assert (await counted("a"))["tier_states"][0][3] == 174_000


@pytest.mark.parametrize("paid_first", [True, False])
async def test_a_debt_goes_on_with_the_survivor_and_back(
    database: Address, paid_first: bool
) -> None:
    await publish()
    await recorded(draft("a1", "2017-03-01", 200_000, household="a"))
    await redeem("a", 2000, "2017-03-10")
    await take_back(return_draft("r1", "a1", "2017-03-11"))
    if paid_first:
        await recorded(draft("b1", "2017-03-01", 100_000, household="b"))
    else:
        await recorded(draft("b1", "2017-03-01", 100, household="b"))
    owed = -(await worth(NOON, "a"))[POINTS]
    assert owed > 0
    before = {name: (await state(name, NOON))["value"] for name in "ab"}
    total = await worth(NOON, "a", "b")
    merged = await join("a", "b", NOON)
    assert merged.values[0].owed == owed
    assert await worth(NOON, "b") == total
    assert (await value("a", NOON)) == {"left": {}, "balances": {}}
    parted = await part(merged, NOON)
    assert parted.values[0].owed == owed
    assert {name: (await state(name, NOON))["value"] for name in "ab"} == before


async def test_a_debt_that_was_filled_since_comes_back_to_who_filled_it(database: Address) -> None:
    await publish()
    await recorded(draft("a1", "2017-03-01", 200_000, household="a"))
    await redeem("a", 2000, "2017-03-10")
    await take_back(return_draft("r1", "a1", "2017-03-11"))
    await recorded(draft("b1", "2017-03-01", 100, household="b"))
    owed = -(await worth(NOON, "a"))[POINTS]
    own = (await worth(NOON, "b"))[POINTS]
    merged = await join("a", "b", NOON)
    [answer] = await recorded(draft("b2", "2017-03-16", 500_000, household="b"))
    await part(merged, "2017-04-01")
    assert (await worth("2017-04-01", "a"))[POINTS] == -owed
    assert (await worth("2017-04-01", "b"))[POINTS] == own + answer.points


async def test_a_chain_of_merges_is_undone_from_its_end(database: Address) -> None:
    await two_members()
    await recorded(draft("c1", "2017-03-04", 3000, household="c"))
    before = {name: await state(name, NOON) for name in "abc"}
    first = await join("a", "b", NOON)
    between = await state("b", NOON)
    second = await join("b", "c", NOON)
    assert set((await members.members_by_external_id("abc")).values()) == {await number("c")}
    with pytest.raises(NotAllowed) as told:
        await part(first, NOON)
    assert told.value.reason == "merge.survivor_merged"
    await part(second, NOON)
    assert await state("b", NOON) == between
    assert (await members.members_by_external_id(["a"]))["a"] == await number("b")
    await part(first, NOON)
    assert {name: await state(name, NOON) for name in "abc"} == before


async def test_refusals_change_nothing(database: Address) -> None:
    await two_members()
    for one, other in (("a", "a"), ("b", "b")):
        told = await refused(one, other, NOON)
        assert isinstance(told, InvalidInput)
        assert told.reason == "merge.itself"
    assert isinstance(await refused("nobody", "b", NOON), NotFound)
    assert (await refused("a", "nobody", NOON)).path == ("survivor", "externalId")
    merged = await join("a", "b", NOON)
    again = await refused("a", "b", NOON)
    assert isinstance(again, AlreadyDecided)
    assert (again.reason, again.status) == ("merge.merged", "MERGED")
    assert isinstance(await refused("b", "a", NOON), InvalidInput)
    await part(merged, NOON)
    before = await everything()
    with pytest.raises(AlreadyDecided):
        await part(merged, NOON)
    assert await everything() == before
    await part(await join("a", "b", NOON), NOON)


async def test_held_value_is_settled_first(database: Address) -> None:
    await two_members()
    a, now = await number("a"), at(NOON)
    async with sql.transaction(), ledger.journal([a], [POINTS], recorded_at=now) as journal:
        held = await ledger.hold(
            journal, a, POINTS, 10, by=a, purpose="test", expires_at=at("2017-03-16")
        )
    told = await refused("a", "b", NOON)
    assert isinstance(told, NotAllowed)
    assert (told.reason, told.path) == ("merge.held", ("duplicate",))
    async with sql.transaction(), ledger.journal([a], [POINTS], recorded_at=now) as journal:
        await ledger.release(journal, held.id)
    await join("a", "b", NOON)


async def test_the_duplicate_leaves_its_household_and_is_back_in_it_afterwards(
    database: Address,
) -> None:
    await two_members()
    a, now = await number("a"), at(NOON)
    with clock.moved_to(now):
        async with sql.transaction():
            await households.found(a, None, now=now)
    merged = await join("a", "b", NOON)
    [row] = await sql.fetch("SELECT COUNT(*) FROM household_members WHERE left_at IS NULL")
    assert row[0] == 0
    await part(merged, "2017-03-20")
    [row] = await sql.fetch(
        "SELECT h.dissolved_at FROM household_members m JOIN households h"
        " ON h.id = m.household_id WHERE m.left_at IS NULL AND m.member_id = $1",
        a,
    )
    assert row[0] is None
    await check_books()
