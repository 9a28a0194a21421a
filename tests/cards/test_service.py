import asyncio
import secrets
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from server.cards import models, rules, service
from server.cards.rules import CardStatus
from server.cards.service import CardView, MemberReference
from server.clock import Instant
from server.errors import CardUnusable, DomainError, InvalidInput, NotFound
from server.principal import ANONYMOUS, Principal, PrincipalKind, StaffRole
from server.storage import sql
from tests.cards.conftest import NOW, Enrol

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


# ---------------------------------------------------------------- finding


async def test_current_cards_of_many_members(enrol: Enrol) -> None:
    first, second, without = await enrol(), await enrol(), await enrol()
    old = await issued(first)
    new = await done(service.replace, first)
    blocked = await issued(second)
    await done(service.block, second)
    cards = await service.cards_of([first, second, without])
    assert set(cards) == {first, second}
    assert cards[first] == new
    assert cards[second].id == blocked.id
    assert set(await service.cards_by_id([old.id, blocked.id, UNKNOWN_ID])) == {old.id, blocked.id}


async def test_who_has_no_card(enrol: Enrol) -> None:
    member = await enrol()
    with pytest.raises(NotFound) as refusal:
        await service.card_of(member)
    assert refusal.value.reason == "card.none"


async def test_a_till_finds_a_member_by_number(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    assert await service.member_by_number(card.number) == member
    assert await service.member_by_number(rules.grouped_number(card.number)) == member


@pytest.mark.parametrize(
    ("verb", "reason", "status"),
    [
        (service.block, "card.blocked", "blocked"),
        (service.report_lost, "card.lost", "blocked"),
        (service.replace, "card.replaced", "replaced"),
    ],
    ids=["blocked", "lost", "replaced"],
)
async def test_a_card_that_does_not_work_is_refused(
    enrol: Enrol, verb: Verb, reason: str, status: str
) -> None:
    member = await enrol()
    card = await issued(member)
    await done(verb, member)
    with pytest.raises(CardUnusable) as refusal:
        await service.member_by_number(card.number, path=("input", "member", "cardNumber"))
    assert (refusal.value.reason, refusal.value.status) == (reason, status)
    assert refusal.value.path == ("input", "member", "cardNumber")
    assert (await service.card_by_number(card.number)).status == status


async def test_a_lost_card_that_was_replaced_is_replaced(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    await done(service.report_lost, member)
    await done(service.replace, member)
    with pytest.raises(CardUnusable) as refusal:
        await service.member_by_number(card.number)
    assert refusal.value.reason == "card.replaced"


async def test_a_number_of_no_card(database: object) -> None:
    with pytest.raises(NotFound) as refusal:
        await service.member_by_number(UNKNOWN_NUMBER, path=("number",))
    assert (refusal.value.reason, refusal.value.path) == ("card.not_found", ("number",))


async def test_a_slip_costs_no_look_up(database: object) -> None:
    with sql.counted_statements() as statements:
        with pytest.raises(InvalidInput):
            await service.member_by_number("9012345678901239")
        (refusal,) = await service.members_by_number(["9012345678901239"])
    assert isinstance(refusal, InvalidInput)
    assert not statements


async def test_many_numbers_take_one_statement(enrol: Enrol) -> None:
    first, second = await enrol(), await enrol()
    card, blocked = await issued(first), await issued(second)
    await done(service.block, second)
    with sql.counted_statements() as statements:
        found = await service.members_by_number(
            [card.number, "x", blocked.number, UNKNOWN_NUMBER, card.number], path=("cardNumber",)
        )
    assert len(statements) == 1
    assert [f if isinstance(f, int) else f.reason for f in found] == [
        first,
        "card.number_malformed",
        "card.blocked",
        "card.not_found",
        first,
    ]
    assert {f.path for f in found if isinstance(f, DomainError)} == {("cardNumber",)}


# ---------------------------------------------------------------- changing


async def test_blocking_and_unblocking(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    blocked = await done(service.block, member)
    assert blocked == msgspec.structs.replace(card, status=CardStatus.BLOCKED)
    assert await stored(card.id) == ("blocked", LATER, None)
    assert await done(service.unblock, member) == card
    assert await service.member_by_number(card.number) == member


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
    assert await service.member_by_number(new.number) == member


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


# ---------------------------------------------------------------- references to members


async def test_a_member_by_each_reference(enrol: Enrol) -> None:
    member = await enrol("anna@shop")
    card = await issued(member)
    assert await service.member_of(MemberReference(id=member)) == member
    assert await service.member_of(MemberReference(external_id="anna@shop")) == member
    assert await service.member_of(MemberReference(card_number=card.number)) == member


@pytest.mark.parametrize(
    ("reference", "error", "reason", "step"),
    [
        (MemberReference(id=UNKNOWN_ID), NotFound, "not_found", "id"),
        (MemberReference(id=0), NotFound, "not_found", "id"),
        (MemberReference(id=-1), NotFound, "not_found", "id"),
        (MemberReference(id=2**63), NotFound, "not_found", "id"),
        (MemberReference(external_id="nobody"), NotFound, "not_found", "externalId"),
        (MemberReference(external_id=""), NotFound, "not_found", "externalId"),
        (MemberReference(external_id="a\x00"), NotFound, "not_found", "externalId"),
        (MemberReference(external_id="\ud800"), NotFound, "not_found", "externalId"),
        (MemberReference(external_id="a" * 10_000), NotFound, "not_found", "externalId"),
        (MemberReference(card_number=""), InvalidInput, "card.number_malformed", "cardNumber"),
        (MemberReference(card_number=UNKNOWN_NUMBER), NotFound, "card.not_found", "cardNumber"),
        (MemberReference(), NotFound, "not_found", "id"),
    ],
    ids=repr,
)
async def test_a_reference_that_leads_nowhere(
    enrol: Enrol, reference: MemberReference, error: type[DomainError], reason: str, step: str
) -> None:
    await issued(await enrol("someone"))
    await issued(await enrol(None))
    with pytest.raises(error) as refusal:
        await service.member_of(reference, path=("input", "member"))
    assert refusal.value.reason == reason
    assert refusal.value.path == ("input", "member", step)


async def test_500_references_take_two_statements(enrol: Enrol) -> None:
    members = [await enrol(f"member {place}") for place in range(12)]
    async with sql.transaction():
        cards = await service.issue(members, NOW)
    await done(service.block, members[11])
    kinds: list[Callable[[int], MemberReference]] = [
        lambda place: MemberReference(id=members[place]),
        lambda place: MemberReference(external_id=f"member {place}"),
        lambda place: MemberReference(card_number=cards[members[place]].number),
    ]
    references = [kinds[turn % 3](turn // 3 % 11) for turn in range(497)]
    references += [
        MemberReference(id=UNKNOWN_ID),
        MemberReference(external_id="nobody"),
        MemberReference(card_number=cards[members[11]].number),
    ]
    with sql.counted_statements() as statements:
        found = await service.members_of(references)
    assert len(statements) == 2
    assert found[:497] == [members[turn // 3 % 11] for turn in range(497)]
    refusals = [refusal for refusal in found[497:] if isinstance(refusal, DomainError)]
    assert [refusal.below("input", 3).path for refusal in refusals] == [
        ("input", 3, "id"),
        ("input", 3, "externalId"),
        ("input", 3, "cardNumber"),
    ]
    assert isinstance(refusals[2], CardUnusable)


async def test_references_of_one_kind_take_one_statement(enrol: Enrol) -> None:
    member = await enrol("a")
    card = await issued(member)
    for references in (
        [MemberReference(id=member)] * 2,
        [MemberReference(external_id="a")],
        [MemberReference(card_number=card.number)],
    ):
        with sql.counted_statements() as statements:
            assert set(await service.members_of(references)) == {member}
        assert len(statements) == 1
    with sql.counted_statements() as statements:
        assert await service.members_of([]) == []
    assert not statements


async def test_members_without_an_external_id_are_told_apart(enrol: Enrol) -> None:
    first, second = await enrol(), await enrol()
    references = [MemberReference(id=second), MemberReference(id=first), MemberReference()]
    found = await service.members_of(references)
    assert found[:2] == [second, first]
    assert isinstance(found[2], NotFound)


async def test_two_refusals_of_one_reference_can_be_placed_apart(enrol: Enrol) -> None:
    first, second = await service.members_of([MemberReference(external_id="nobody")] * 2)
    assert isinstance(first, DomainError)
    assert isinstance(second, DomainError)
    assert first.below("input", 0).path == ("input", 0, "externalId")
    assert second.below("input", 1).path == ("input", 1, "externalId")


# ---------------------------------------------------------------- who may refer to whom

STAFF = Principal(PrincipalKind.STAFF, 1, staff_role=StaffRole.SUPPORT)


def signed_in(member_id: int) -> Principal:
    return Principal(PrincipalKind.MEMBER, 1, member_id=member_id)


async def test_a_signed_in_member_is_meant_without_a_reference(enrol: Enrol) -> None:
    member = await enrol()
    with sql.counted_statements() as statements:
        assert await service.resolve(None, signed_in(member)) == member
        assert await service.resolve_card(None, signed_in(member)) == (member, None)
    assert not statements


@pytest.mark.parametrize("resolve", [service.resolve, service.resolve_card])
async def test_others_must_refer_to_someone(
    database: object, resolve: Callable[..., Awaitable[object]]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await resolve(None, STAFF, path=("input", "member"))
    assert (refusal.value.reason, refusal.value.path) == ("input.required", ("input", "member"))


async def test_a_member_may_refer_to_no_one_else(enrol: Enrol) -> None:
    member, other = await enrol("me"), await enrol("other")
    card, others_card = await issued(member), await issued(other)
    await done(service.block, other)
    me = signed_in(member)
    for own in (
        MemberReference(id=member),
        MemberReference(external_id="me"),
        MemberReference(card_number=card.number),
    ):
        assert await service.resolve(own, me) == member
    pairs = [  # what is another's, and what does not exist
        (MemberReference(id=other), MemberReference(id=UNKNOWN_ID)),
        (MemberReference(external_id="other"), MemberReference(external_id="nobody")),
        (
            MemberReference(card_number=others_card.number),
            MemberReference(card_number=UNKNOWN_NUMBER),
        ),
    ]
    for resolve in (service.resolve, service.resolve_card):
        for pair in pairs:
            refusals = []
            for reference in pair:
                with pytest.raises(NotFound) as refusal:
                    await resolve(reference, me, path=("input",))
                refusals.append(refusal.value)
            assert vars(refusals[0]) == vars(refusals[1])


async def test_nobody_known_may_refer_to_no_one(enrol: Enrol) -> None:
    member = await enrol()
    for reference in (MemberReference(id=member), None):
        with pytest.raises((NotFound, InvalidInput)):
            await service.resolve(reference, ANONYMOUS)


async def test_a_blocked_card_can_be_named_to_change_it_not_to_use_it(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    await done(service.block, member)
    reference = MemberReference(card_number=card.number)
    for caller in (STAFF, signed_in(member)):
        assert await service.resolve_card(reference, caller) == (member, card.id)
        with pytest.raises(CardUnusable) as refusal:
            await service.resolve(reference, caller, path=("input", "member"))
        assert refusal.value.path == ("input", "member", "cardNumber")
