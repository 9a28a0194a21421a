"""Finding cards and members by what a till has of them, and who may refer to whom."""

from collections.abc import Callable

import pytest

from server.cards import rules, service
from server.cards.service import MemberReference
from server.errors import CardUnusable, DomainError, InvalidInput, NotFound
from server.principal import ANONYMOUS, Principal, PrincipalKind, StaffRole
from server.storage import sql
from tests.cards.acting import UNKNOWN_ID, UNKNOWN_NUMBER, Verb, done, issued
from tests.cards.conftest import NOW, Enrol

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
    for number in (card.number, rules.grouped_number(card.number)):
        assert await service.member_of(MemberReference(card_number=number)) == member


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
        await service.member_of(MemberReference(card_number=card.number), path=("input", "member"))
    assert (refusal.value.reason, refusal.value.status) == (reason, status)
    assert refusal.value.path == ("input", "member", "cardNumber")
    assert (await service.card_by_number(card.number)).status == status


async def test_a_lost_card_that_was_replaced_is_replaced(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    await done(service.report_lost, member)
    await done(service.replace, member)
    with pytest.raises(CardUnusable) as refusal:
        await service.member_of(MemberReference(card_number=card.number))
    assert refusal.value.reason == "card.replaced"


async def test_a_number_of_no_card(database: object) -> None:
    with pytest.raises(NotFound) as refusal:
        await service.card_by_number(UNKNOWN_NUMBER, path=("number",))
    assert (refusal.value.reason, refusal.value.path) == ("card.not_found", ("number",))


async def test_a_slip_costs_no_look_up(database: object) -> None:
    with sql.counted_statements() as statements:
        with pytest.raises(InvalidInput):
            await service.card_by_number("9012345678901239")
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


async def test_500_references_take_one_exchange_or_on_sqlite_two_statements(enrol: Enrol) -> None:
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
    assert len(statements) == {"sqlite": 2, "postgres": 1}[sql.engine()]
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
        assert await service.resolve_card(None, signed_in(member)) == (member, None)
    assert not statements


async def test_others_must_refer_to_someone(database: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await service.resolve_card(None, STAFF, path=("input", "member"))
    assert (refusal.value.reason, refusal.value.path) == ("input.required", ("input", "member"))


async def test_a_member_may_refer_to_no_one_else(enrol: Enrol) -> None:
    member, other = await enrol("me"), await enrol("other")
    card, others_card = await issued(member), await issued(other)
    await done(service.block, other)
    me = signed_in(member)
    for own, card_id in (
        (MemberReference(id=member), None),
        (MemberReference(external_id="me"), None),
        (MemberReference(card_number=card.number), card.id),
    ):
        assert await service.resolve_card(own, me) == (member, card_id)
    pairs = [  # what is another's, and what does not exist
        (MemberReference(id=other), MemberReference(id=UNKNOWN_ID)),
        (MemberReference(external_id="other"), MemberReference(external_id="nobody")),
        (
            MemberReference(card_number=others_card.number),
            MemberReference(card_number=UNKNOWN_NUMBER),
        ),
    ]
    for pair in pairs:
        refusals = []
        for reference in pair:
            with pytest.raises(NotFound) as refusal:
                await service.resolve_card(reference, me, path=("input",))
            refusals.append(refusal.value)
        assert vars(refusals[0]) == vars(refusals[1])


async def test_nobody_known_may_refer_to_no_one(enrol: Enrol) -> None:
    member = await enrol()
    for reference in (MemberReference(id=member), None):
        with pytest.raises((NotFound, InvalidInput)):
            await service.resolve_card(reference, ANONYMOUS)


async def test_a_blocked_card_can_be_named_to_change_it(enrol: Enrol) -> None:
    member = await enrol()
    card = await issued(member)
    await done(service.block, member)
    reference = MemberReference(card_number=card.number)
    for caller in (STAFF, signed_in(member)):
        assert await service.resolve_card(reference, caller) == (member, card.id)
