"""Issuing and changing cards: one that works for each member, whoever asks how often."""

import asyncio
import secrets

import msgspec
import pytest

from server.cards import models, rules, service
from server.cards.rules import CardStatus
from server.cards.service import CardView, MemberReference
from server.clock import Instant
from server.errors import CardUnusable, NotFound
from server.storage import sql
from tests.cards.acting import (
    LATER,
    UNKNOWN_ID,
    UNKNOWN_NUMBER,
    VERBS,
    Verb,
    all_verbs,
    count_of_cards,
    done,
    draws,
    issued,
    stored,
)
from tests.cards.conftest import NOW, Enrol

# ---------------------------------------------------------------- issuing


async def test_a_member_gets_an_active_card_with_a_right_number(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    assert card == CardView(card.id, member, card.number, CardStatus.ACTIVE, NOW, False)
    assert rules.parsed_number(card.number) == card.number
    assert await stored(card.id) == ("active", NOW, None)
    assert await service.card_of(member) == card


async def test_who_has_a_card_keeps_it(enrol: Enrol) -> None:
    first, second = await enrol(), await enrol()
    card = await issued(first)
    async with sql.transaction():
        cards = await service.issue([second, first, second], LATER)
    assert cards[first] == card
    assert cards[second].issued_at == LATER
    assert await count_of_cards() == 2


async def test_many_cards_take_two_statements(enrol: Enrol) -> None:
    members = [await enrol() for _ in range(50)]
    async with sql.transaction():
        with sql.counted_statements() as statements:
            cards = await service.issue(members, NOW)
    assert len(statements) == 2
    assert sorted(cards) == sorted(members)
    assert len({card.number for card in cards.values()}) == 50
    assert {card.number[:2] for card in cards.values()} == {"90"}


async def test_nobody_gets_nothing_without_a_statement(database: object) -> None:
    async with sql.transaction():
        with sql.counted_statements() as statements:
            assert await service.issue([], NOW) == {}
    assert not statements
    assert await service.cards_of([]) == {}


async def test_a_number_that_is_taken_is_drawn_again(
    enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = await enrol(), await enrol(), await enrol()
    draws(monkeypatch, 7, 7, 8, 8, 9)
    taken = await issued(first)
    async with sql.transaction():
        cards = await service.issue([second, third], NOW)
    assert taken.number == rules.number_of(7)
    assert [cards[second].number, cards[third].number] == [rules.number_of(9), rules.number_of(8)]


async def test_broken_chance_is_a_defect_not_an_endless_loop(
    enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await enrol(), await enrol()
    monkeypatch.setattr(secrets, "randbelow", lambda _: 7)
    await issued(first)
    with pytest.raises(RuntimeError, match="taken"):
        await issued(second)
    assert await count_of_cards() == 1


async def test_two_issues_at_once_give_one_card(enrol: Enrol) -> None:
    member = await enrol()
    cards = await asyncio.gather(*(issued(member) for _ in range(4)))
    assert len({card.id for card in cards}) == 1
    assert await count_of_cards() == 1


# ---------------------------------------------------------------- changing


async def test_blocking_and_unblocking(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    blocked = await done(service.block, member)
    assert blocked == msgspec.structs.replace(card, status=CardStatus.BLOCKED)
    assert await stored(card.id) == ("blocked", LATER, None)
    assert await done(service.unblock, member) == card
    assert await service.member_of(MemberReference(card_number=card.number)) == member


@pytest.mark.parametrize("verb", [service.block, service.report_lost], ids=["block", "lost"])
async def test_a_repetition_changes_nothing(enrol: Enrol, verb: Verb) -> None:
    member = await enrol()
    card = await issued(member)
    first = await done(verb, member)
    before = await stored(card.id)
    assert await done(verb, member, Instant(LATER + 1)) == first
    assert await stored(card.id) == before


async def test_unblocking_an_active_card_changes_nothing(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    assert await done(service.unblock, member) == card
    assert await stored(card.id) == ("active", NOW, None)


async def test_a_lost_card_never_works_again(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    lost = await done(service.report_lost, member)
    assert lost == msgspec.structs.replace(card, status=CardStatus.BLOCKED, lost=True)
    with pytest.raises(CardUnusable) as refusal:
        await done(service.unblock, member, Instant(LATER + 1))
    assert (refusal.value.reason, refusal.value.status) == ("card.lost", "blocked")
    assert await done(service.block, member, Instant(LATER + 1)) == lost
    assert await stored(card.id) == ("blocked", LATER, LATER)


async def test_a_blocked_card_can_be_reported_lost(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    await done(service.block, member, LATER)
    assert (await done(service.report_lost, member, Instant(LATER + 1))).lost
    assert await stored(card.id) == ("blocked", LATER, LATER + 1)


@pytest.mark.parametrize(
    "before", [None, service.block, service.report_lost], ids=["active", "blocked", "lost"]
)
async def test_a_new_card_takes_the_place_of_the_old(enrol: Enrol, before: Verb | None) -> None:
    member = await enrol()
    old = await issued(member)
    if before is not None:
        await done(before, member, NOW)
    new = await done(service.replace, member)
    assert new == CardView(new.id, member, new.number, CardStatus.ACTIVE, LATER, False)
    assert new.id != old.id
    assert new.number != old.number
    assert (await stored(old.id))[:2] == ("replaced", LATER)
    assert await service.card_of(member) == new
    assert await service.member_of(MemberReference(card_number=new.number)) == member


async def test_one_card_is_replaced_once_however_often_it_is_asked(enrol: Enrol) -> None:
    member = await enrol()
    old = await issued(member)
    new = await done(service.replace, member, card_id=old.id)
    assert await done(service.replace, member, Instant(LATER + 1), card_id=old.id) == new
    assert await count_of_cards() == 2
    newest = await done(service.replace, member, Instant(LATER + 2), card_id=new.id)
    assert newest.id != new.id
    assert await count_of_cards() == 3


async def test_two_replacements_of_one_card_at_once_give_one_new_card(enrol: Enrol) -> None:
    member = await enrol()
    old = await issued(member)
    cards = await asyncio.gather(*(done(service.replace, member, card_id=old.id) for _ in range(4)))
    assert len({card.id for card in cards}) == 1
    assert cards[0].id != old.id
    assert await count_of_cards() == 2


async def test_unnamed_replacements_at_once_leave_one_current_card(enrol: Enrol) -> None:
    member = await enrol()
    await issued(member)
    cards = await asyncio.gather(*(done(service.replace, member) for _ in range(4)))
    current = await service.card_of(member)
    assert current in cards
    others = await sql.fetch(
        "SELECT id FROM cards WHERE member_id = $1 AND status <> 'replaced'", member
    )
    assert [row[0] for row in others] == [current.id]


async def test_changes_at_once_leave_a_state_that_some_order_gives(enrol: Enrol) -> None:
    member = await enrol()
    old = await issued(member)
    replaced, lost = await asyncio.gather(
        done(service.replace, member, card_id=old.id),
        done(service.report_lost, member, card_id=old.id),
        return_exceptions=True,
    )
    assert isinstance(replaced, CardView)
    assert isinstance(lost, CardView | CardUnusable)
    assert (await stored(old.id))[0] == "replaced"
    assert await service.card_of(member) == replaced
    assert not replaced.lost


@pytest.mark.parametrize("verb", VERBS[:3], ids=["block", "unblock", "report_lost"])
async def test_a_replaced_card_is_not_changed(enrol: Enrol, verb: Verb) -> None:
    member = await enrol()
    old = await issued(member)
    new = await done(service.replace, member)
    before = await stored(old.id)
    with pytest.raises(CardUnusable) as refusal:
        await done(verb, member, Instant(LATER + 1), card_id=old.id)
    assert (refusal.value.reason, refusal.value.status) == ("card.replaced", "replaced")
    assert await stored(old.id) == before
    assert await service.card_of(member) == new


@all_verbs
async def test_another_members_card_is_not_found(enrol: Enrol, verb: Verb) -> None:
    owner, stranger = await enrol(), await enrol()
    card, own = await issued(owner), await issued(stranger)
    for card_id in (card.id, UNKNOWN_ID):
        with pytest.raises(NotFound):
            await done(verb, stranger, card_id=card_id)
    assert await service.card_of(owner) == card
    assert await service.card_of(stranger) == own


@all_verbs
async def test_who_has_no_card_can_change_none(enrol: Enrol, verb: Verb) -> None:
    member = await enrol()
    with pytest.raises(NotFound):
        await done(verb, member)
    assert await count_of_cards() == 0


@all_verbs
async def test_nobody_elses_card_changes(enrol: Enrol, verb: Verb) -> None:
    member, other = await enrol(), await enrol()
    await issued(member)
    card = await issued(other)
    await done(verb, member)
    assert await service.card_of(other) == card
    assert await stored(card.id) == ("active", NOW, None)


async def test_a_view_survives_storing_as_json(enrol: Enrol) -> None:
    card = await issued(await enrol())
    assert msgspec.json.decode(msgspec.json.encode(card), type=CardView) == card


async def test_the_database_holds_no_two_current_cards(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    async with sql.transaction():
        await models.insert([(card.id + 1, member, UNKNOWN_NUMBER, NOW)])
    assert await count_of_cards() == 1
