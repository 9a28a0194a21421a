from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from server import messages
from server.cards import barcodes, graphql, rules, service
from server.cards.barcodes import Symbology
from server.cards.graphql import Card, CardMutations
from server.cards.service import CardView
from server.clock import Instant, datetime_of, moved_to
from server.edge import nodes
from server.edge.context import Context, Info
from server.edge.scalars import SCALARS
from server.principal import ANONYMOUS, Principal, PrincipalKind, Scope, StaffRole
from server.storage import sql
from tests.cards.conftest import NOW, Enrol

LATER = Instant(NOW + 60_000_000)
STAFF = Principal(PrincipalKind.STAFF, 2, staff_role=StaffRole.SUPPORT)
AUDITOR = Principal(PrincipalKind.STAFF, 3, staff_role=StaffRole.AUDITOR)
TILL = Principal(PrincipalKind.KEY, 4, scopes=frozenset({Scope.CARDS_WRITE}))
READER = Principal(PrincipalKind.KEY, 5, scopes=frozenset({Scope.MEMBERS_READ}))
UNKNOWN_NUMBER = rules.number_of(0)

MUTATIONS = ["blockCard", "unblockCard", "reportCardLost", "replaceCard"]

CARD = "id number maskedNumber status isLost issuedAt"
CHANGE = """
    mutation ($input: %(input)s!) { answer: %(name)s(input: $input) {
        __typename
        ... on CardChanged { card { %(card)s } }
        ... on Problem { code message }
        ... on InvalidInput { path value accepted }
        ... on NotFound { path }
        %(unusable)s
    } }
"""


@strawberry.type
class Query:
    @strawberry.field
    def card(self, info: Info, member: strawberry.ID) -> Card:
        return cast(Card, graphql.card_of_member(info.context, int(member)))

    @strawberry.field
    async def node(self, info: Info, opaque_id: strawberry.ID) -> nodes.Node | None:
        found: nodes.Node | None = await nodes.find(info, opaque_id)
        return found


SCHEMA = strawberry.Schema(
    query=Query, mutation=CardMutations, config=StrawberryConfig(scalar_map=SCALARS)
)


async def ask(query: str, caller: Principal, **variables: Any) -> Any:
    """The data of an answer without errors."""
    answer = await SCHEMA.execute(
        query, variable_values=variables, context_value=Context(principal=caller)
    )
    assert not answer.errors
    return answer.data


async def change(name: str, caller: Principal, key: str = "key", **input: Any) -> dict[str, Any]:
    """What the mutation answers, its instant being LATER."""
    query = CHANGE % {
        "name": name,
        "input": f"{name[0].upper()}{name[1:]}Input",
        "card": CARD,
        "unusable": "" if name == "replaceCard" else "... on CardUnusable { path status }",
    }
    with moved_to(LATER):
        data = await ask(query, caller, input={"idempotencyKey": key, **input})
    answer: dict[str, Any] = data["answer"]
    return answer


def shown(card: CardView) -> dict[str, Any]:
    return {
        "id": nodes.global_id("Card", card.id),
        "number": card.number,
        "maskedNumber": f"•••• {card.number[-4:]}",
        "status": card.status.name,
        "isLost": card.lost,
        "issuedAt": datetime_of(Instant(card.issued_at)).isoformat().replace("+00:00", "Z"),
    }


def changed(card: CardView) -> dict[str, Any]:
    return {"__typename": "CardChanged", "card": shown(card)}


EnrolWithCard = Callable[..., Awaitable[tuple[Principal, CardView]]]


@pytest.fixture
def enrol_with_card(enrol: Enrol) -> EnrolWithCard:
    """Adds a member with a card: the member as a caller, and the card."""

    async def add(external_id: str | None = None) -> tuple[Principal, CardView]:
        member_id = await enrol(external_id)
        async with sql.transaction():
            card = (await service.issue([member_id], NOW))[member_id]
        return Principal(PrincipalKind.MEMBER, member_id + 1, member_id=member_id), card

    return add


# ---------------------------------------------------------------- reading


async def test_a_card_and_its_barcodes(enrol_with_card: EnrolWithCard) -> None:
    caller, card = await enrol_with_card()
    data = await ask(
        "query ($member: ID!) { card(member: $member) { "
        + CARD
        + """
            barcode { symbology value svg }
            bars: barcode(symbology: CODE_128) { symbology svg }
            aztec: barcode(symbology: AZTEC) { symbology svg }
        } }""",
        caller,
        member=str(card.member_id),
    )
    assert data["card"] == {
        **shown(card),
        "barcode": {
            "symbology": "QR",
            "value": card.number,
            "svg": barcodes.svg(card.number, Symbology.QR),
        },
        "bars": {"symbology": "CODE_128", "svg": barcodes.svg(card.number, Symbology.CODE_128)},
        "aztec": {"symbology": "AZTEC", "svg": barcodes.svg(card.number, Symbology.AZTEC)},
    }


async def test_cards_of_many_members_take_one_statement(enrol_with_card: EnrolWithCard) -> None:
    cards = [(await enrol_with_card())[1] for _ in range(5)]
    fields = " ".join(
        f'c{place}: card(member: "{card.member_id}") {{ number }}'
        for place, card in enumerate(cards)
    )
    with sql.counted_statements() as statements:
        data = await ask(f"{{ {fields} }}", STAFF)
    assert [data[f"c{place}"]["number"] for place in range(5)] == [card.number for card in cards]
    assert len(statements) == 1


async def test_node_finds_a_card_for_those_who_may_see_it(enrol_with_card: EnrolWithCard) -> None:
    owner, card = await enrol_with_card()
    stranger, _ = await enrol_with_card()
    query = "query ($id: ID!) { node(opaqueId: $id) { id ... on Card { number } } }"
    opaque = nodes.global_id("Card", card.id)
    for caller in (owner, STAFF, AUDITOR, READER):
        data = await ask(query, caller, id=opaque)
        assert data["node"] == {"id": opaque, "number": card.number}
    for caller in (stranger, TILL, ANONYMOUS):
        assert (await ask(query, caller, id=opaque))["node"] is None
    assert (await ask(query, STAFF, id=nodes.global_id("Card", 1)))["node"] is None


# ---------------------------------------------------------------- changing


async def test_a_member_blocks_unblocks_loses_and_replaces_the_own_card(
    enrol_with_card: EnrolWithCard,
) -> None:
    caller, card = await enrol_with_card()
    number = card.number

    blocked = await change("blockCard", caller)
    assert blocked["card"] == {**shown(card), "status": "BLOCKED"}
    assert await change("unblockCard", caller) == changed(card)

    lost = await change("reportCardLost", caller)
    assert lost["card"] == {**shown(card), "status": "BLOCKED", "isLost": True}
    assert await change("unblockCard", caller, key="again") == {
        "__typename": "CardUnusable",
        "code": "CARD_UNUSABLE",
        "message": "This card was reported lost and no longer works. Replace it to get a new one.",
        "path": [],
        "status": "BLOCKED",
    }

    replaced = await change("replaceCard", caller)
    new = await service.card_of(card.member_id)
    assert replaced == changed(new)
    assert (new.issued_at, new.status.name) == (LATER, "ACTIVE")
    assert new.number != number


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_repeated_request_answers_the_same(
    enrol_with_card: EnrolWithCard, name: str
) -> None:
    caller, card = await enrol_with_card()
    first = await change(name, caller)
    assert first["__typename"] == "CardChanged"
    before = await service.card_of(card.member_id)
    assert await change(name, caller) == first
    assert await service.card_of(card.member_id) == before
    other = await change(name, caller, member={"id": nodes.global_id("Member", card.member_id)})
    assert other["__typename"] == "IdempotencyConflict"


@pytest.mark.parametrize("caller", [STAFF, TILL], ids=["staff", "till"])
@pytest.mark.parametrize("name", MUTATIONS)
async def test_staff_and_tills_refer_to_the_member(
    enrol_with_card: EnrolWithCard, name: str, caller: Principal
) -> None:
    member, card = await enrol_with_card("anna")
    references = [
        {"id": nodes.global_id("Member", card.member_id)},
        {"externalId": "anna"},
        {"cardNumber": rules.grouped_number(card.number)},
    ]
    for place, reference in enumerate(references):
        answer = await change(name, caller, key=str(place), member=reference)
        assert answer["__typename"] == "CardChanged"
    answer = await change(name, caller, key="none")
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", ["input", "member"])
    assert member.member_id == card.member_id


async def test_a_card_named_by_its_number_is_replaced_once(
    enrol_with_card: EnrolWithCard,
) -> None:
    caller, card = await enrol_with_card()
    reference = {"cardNumber": card.number}
    first = await change("replaceCard", caller, key="a", member=reference)
    assert await change("replaceCard", STAFF, key="b", member=reference) == first
    for name in MUTATIONS[:3]:
        answer = await change(name, caller, key="c", member=reference)
        assert answer == {
            "__typename": "CardUnusable",
            "code": "CARD_UNUSABLE",
            "message": "This card was replaced and no longer works."
            " Use the card that took its place.",
            "path": ["input", "member", "cardNumber"],
            "status": "REPLACED",
        }


@pytest.mark.parametrize("name", MUTATIONS)
async def test_anothers_card_looks_as_one_that_does_not_exist(
    enrol_with_card: EnrolWithCard, name: str
) -> None:
    _, card = await enrol_with_card("anna")
    stranger, _ = await enrol_with_card()
    pairs: list[tuple[dict[str, str], dict[str, str]]] = [
        (
            {"id": nodes.global_id("Member", card.member_id)},
            {"id": nodes.global_id("Member", 2**70)},
        ),
        ({"externalId": "anna"}, {"externalId": "nobody"}),
        ({"cardNumber": card.number}, {"cardNumber": UNKNOWN_NUMBER}),
    ]
    for of_another, of_nobody in pairs:
        answers = [
            await change(name, stranger, key=str(key), member=reference)
            for key, reference in enumerate((of_another, of_nobody))
        ]
        assert answers[0] == answers[1]
        assert answers[0]["__typename"] == "NotFound"
        assert answers[0]["path"] == ["input", "member", *of_another]
    assert await service.card_of(card.member_id) == card


@pytest.mark.parametrize(
    ("reference", "step", "problem"),
    [
        ({"cardNumber": "4111 1111 1111 1111"}, "cardNumber", "InvalidInput"),
        ({"cardNumber": ""}, "cardNumber", "InvalidInput"),
        ({"id": "x"}, "id", "NotFound"),
        ({"id": ""}, "id", "NotFound"),
        ({"id": nodes.global_id("Card", 1)}, "id", "NotFound"),
    ],
)
async def test_a_reference_of_no_possible_member(
    database: object, reference: dict[str, str], step: str, problem: str
) -> None:
    answer = await change("blockCard", STAFF, member=reference)
    assert answer["__typename"] == problem
    assert answer["path"] == ["input", "member", step]


@pytest.mark.parametrize(
    ("caller", "code"),
    [(ANONYMOUS, "UNAUTHENTICATED"), (AUDITOR, "FORBIDDEN"), (READER, "FORBIDDEN")],
    ids=["anonymous", "auditor", "reader"],
)
@pytest.mark.parametrize("name", MUTATIONS)
async def test_who_may_not_change_cards_changes_nothing(
    enrol_with_card: EnrolWithCard, name: str, caller: Principal, code: str
) -> None:
    _, card = await enrol_with_card()
    answer = await SCHEMA.execute(
        f'mutation {{ {name}(input: {{idempotencyKey: "k", member: '
        f'{{cardNumber: "{card.number}"}}}}) {{ __typename }} }}',
        context_value=Context(principal=caller),
    )
    assert answer.errors is not None
    assert [error.extensions for error in answer.errors] == [{"code": code}]
    assert await service.card_of(card.member_id) == card


def test_every_refusal_has_its_text() -> None:
    reasons = {
        f"card.{reason}"
        for reason in (
            "number_malformed",
            "number_foreign",
            "check_digit_wrong",
            "not_found",
            "none",
            "blocked",
            "lost",
            "replaced",
        )
    }
    assert {key for key in messages.keys("en") if key.startswith("card.")} == reasons
    assert {"not_found", "input.required"} <= messages.keys("en")
