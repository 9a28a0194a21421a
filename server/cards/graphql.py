"""Cards in the schema, and how a caller refers to a member."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import strawberry

from server import clock, errors
from server.cards import barcodes, rules, service
from server.cards.barcodes import Symbology
from server.cards.rules import CardStatus
from server.cards.service import CardView
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Context, Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.loading import shown
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.permissions import (
    ALL_STAFF,
    EVERYONE,
    MEMBER_DATA,
    OPERATORS,
    access,
    mutation,
    shown_to,
)
from server.edge.problems import (
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    Problem,
    Telling,
    presents,
    shown_path,
)
from server.principal import PrincipalKind, Scope
from server.storage import parts

_READERS = access(Scope.MEMBERS_READ, roles=ALL_STAFF)
_WRITERS = access(Scope.CARDS_WRITE, members=True, roles=OPERATORS)
_CARD_DATA = MEMBER_DATA | access(Scope.MEMBERS_ENROL, Scope.CARDS_WRITE)

_Value = TypeVar("_Value")

# ---------------------------------------------------------------- enums


described(
    CardStatus,
    description="Whether a card's number works.",
    ACTIVE="Tills accept the card.",
    BLOCKED="Tills refuse the card until it is unblocked, or replaced by another.",
    REPLACED="Another card has taken its place; it is never accepted again.",
)

described(
    Symbology,
    name="BarcodeSymbology",
    description="A kind of barcode.",
    QR="QR code (ISO/IEC 18004), a square for cameras and modern scanners.",
    CODE_128="Code 128 (ISO/IEC 15417), bars for every till's scanner. Show it at least 300 of the "
    "device's pixels wide.",
    AZTEC="Aztec code (ISO/IEC 24778), a small square that scans well from a screen.",
)


# ---------------------------------------------------------------- types


@shown_to(_CARD_DATA | access(Scope.POINTS_REDEEM))
@strawberry.type(description="A card's number, or a code, as a picture that a till scans.")
class Barcode:
    """A barcode."""

    symbology: Symbology = strawberry.field(description="The kind of barcode.")
    svg: str = strawberry.field(
        description="An SVG picture that stands for itself: no scripts, no references, black on "
        "white with the margin that scanners need, so that it scans on a dark page too. It fills "
        "the frame that it is shown in and keeps its proportions."
    )
    value: str = strawberry.field(description="What a scanner reads in it.")


@shown_to(_CARD_DATA)
@strawberry.type(description="A member's digital card. Value belongs to the member, not to it.")
class Card(Node):
    """A card."""

    number: str = strawberry.field(
        description="Its 16 digits without spaces, the last one a Luhn check digit."
    )
    status: CardStatus = strawberry.field(description="Whether the number works.")
    is_lost: bool = strawberry.field(
        description="Whether it was reported lost: then it can be replaced, not unblocked."
    )
    issued_at: Instant = strawberry.field(description="When the member got it.")

    @computed(description="The number with only its last four digits readable.", is_exact=True)
    def masked_number(self) -> str:
        """Show the last digits alone."""
        return rules.masked_number(self.number)

    @computed(description="The number as a barcode.", is_exact=True)
    def barcode(
        self,
        symbology: Annotated[
            Symbology, strawberry.argument(description="The kind of barcode.")
        ] = Symbology.QR,
    ) -> Barcode:
        """Draw the number."""
        return Barcode(
            symbology=symbology, svg=barcodes.svg(self.number, symbology), value=self.number
        )


def shown_card(card: CardView) -> Card:
    """A card as the schema shows it."""
    return Card(
        id=nodes.global_id("Card", card.id),
        number=card.number,
        status=card.status,
        is_lost=card.lost,
        issued_at=Instant(card.issued_at),
    )


def card_of_member(context: Context, member_id: int) -> Card | Awaitable[Card]:
    """The member's current card, looked up together with those of other members."""

    def current_shown(card: CardView | None) -> Card:
        if card is None:
            raise LookupError(f"member {member_id} has no card")
        return shown_card(card)

    given: CardView | None = context.given(_current_cards, member_id)
    if given is not None:
        return shown_card(given)
    return shown(context.loader(_current_cards).get(member_id), current_shown)


async def _current_cards(member_ids: list[int]) -> list[CardView | None]:
    found = await parts.shared(service.CURRENT_CARD, member_ids)
    return [service.current_card(found[member_id]) for member_id in member_ids]


def prime_card(context: Context, member_id: int, found: parts.Found) -> None:
    """The request knows the member's card."""
    context.give(_current_cards, member_id, service.current_card(found))


async def _cards(card_ids: list[int]) -> list[CardView | None]:
    cards = await service.cards_by_id(card_ids)
    return [cards.get(card_id) for card_id in card_ids]


@nodes.fetches("Card")
async def _card(info: Info, card_id: int) -> Card | None:
    card = await info.context.loader(_cards).load(card_id)
    principal = info.context.principal
    if card is None:
        return None
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == card.member_id
    return shown_card(card) if is_own or _READERS.allows(principal) else None


# ---------------------------------------------------------------- problems


@shown_to(EVERYONE)
@strawberry.type(description="The card is blocked, or was replaced by another.")
class CardUnusable(Problem):
    """A card that does not work."""

    path: list[str] = strawberry.field(
        description="Where the card stands in the arguments, from the argument down; positions "
        "count from 0. Empty for the caller's own card."
    )
    status: CardStatus = strawberry.field(description="The card's status.")


@presents(errors.CardUnusable)
def _card_unusable(error: errors.CardUnusable, telling: Telling) -> Problem:
    return CardUnusable(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        status=CardStatus(error.status),
    )


# ---------------------------------------------------------------- references to members


@strawberry.input(one_of=True, description="What the caller has of a member: exactly one of these.")
class MemberReference:
    """A reference to a member."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id that this API gave to the member."
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The id that the operator's systems use."
    )
    card_number: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The number of the member's card, as scanned or typed: spaces and hyphens "
        "may separate its digits.",
    )


def member_reference(given: MemberReference | None) -> service.MemberReference | None:
    """The reference for the services, None for none."""
    if not given:
        return None
    opaque_id = _unset_is_none(given.id)
    return service.MemberReference(
        id=None if opaque_id is None else nodes.number_of(opaque_id, "Member"),
        external_id=_unset_is_none(given.external_id),
        card_number=_unset_is_none(given.card_number),
    )


def _unset_is_none(value: _Value | None) -> _Value | None:
    return None if value is strawberry.UNSET else value


# ---------------------------------------------------------------- mutations


@strawberry.input
class _ChangeInput:
    """What the inputs below have in common; the schema shows those alone."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose card; the signed-in member's, if left out. A card's number names that "
        "card; any other reference means the member's current one.",
    )


@strawberry.input(description="Which card to block.")
class BlockCardInput(_ChangeInput):
    """Input of blockCard."""


@strawberry.input(description="Which card to unblock.")
class UnblockCardInput(_ChangeInput):
    """Input of unblockCard."""


@strawberry.input(description="Which card is lost.")
class ReportCardLostInput(_ChangeInput):
    """Input of reportCardLost."""


@strawberry.input(description="Which card to replace.")
class ReplaceCardInput(_ChangeInput):
    """Input of replaceCard."""


@shown_to(_WRITERS)
@strawberry.type(description="The request was done; repeating it changes nothing more.")
class CardChanged:
    """Success of the mutations of cards."""

    card: Card = strawberry.field(
        description="The card afterwards; for a replacement, the new card."
    )


BlockCardResult = Annotated[
    CardChanged | InvalidInput | NotFound | CardUnusable | IdempotencyConflict,
    strawberry.union("BlockCardResult", description="The blocked card, or why there is none."),
]
UnblockCardResult = Annotated[
    CardChanged | InvalidInput | NotFound | CardUnusable | IdempotencyConflict,
    strawberry.union("UnblockCardResult", description="The active card, or why there is none."),
]
ReportCardLostResult = Annotated[
    CardChanged | InvalidInput | NotFound | CardUnusable | IdempotencyConflict,
    strawberry.union("ReportCardLostResult", description="The lost card, or why there is none."),
]
ReplaceCardResult = Annotated[
    CardChanged | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("ReplaceCardResult", description="The new card, or why there is none."),
]

_MEMBER_PATH = ("input", "member")
_Verb = Callable[..., Awaitable[CardView]]


async def _change(info: Info, input: _ChangeInput, verb: _Verb) -> Any:
    async def work() -> CardView:
        reference = member_reference(input.member)
        member_id, card_id = await service.resolve_card(
            reference, info.context.principal, path=_MEMBER_PATH
        )
        try:
            return await verb(member_id, clock.now(), card_id=card_id)
        except errors.DomainError as refusal:
            if card_id is None:
                raise
            raise refusal.below(*_MEMBER_PATH, "cardNumber") from None

    return await write_once(
        info,
        input,
        work=work,
        result=CardView,
        present=lambda card: CardChanged(card=shown_card(card)),
    )


@strawberry.type
class CardMutations:
    """The mutations of cards, for the schema's root."""

    @mutation(
        _WRITERS,
        description="Block a card: tills refuse it until it is unblocked. Blocking a blocked card "
        "changes nothing. Value stays with the member.",
    )
    async def block_card(
        self,
        info: Info,
        input: Annotated[BlockCardInput, strawberry.argument(description="Which card to block.")],
    ) -> BlockCardResult:
        """Block a card."""
        answer: BlockCardResult = await _change(info, input, service.block)
        return answer

    @mutation(
        _WRITERS,
        description="Make a blocked card work again. One that was reported lost stays blocked: "
        "CardUnusable.",
    )
    async def unblock_card(
        self,
        info: Info,
        input: Annotated[
            UnblockCardInput, strawberry.argument(description="Which card to unblock.")
        ],
    ) -> UnblockCardResult:
        """Unblock a card."""
        answer: UnblockCardResult = await _change(info, input, service.unblock)
        return answer

    @mutation(
        _WRITERS,
        description="Report a card as lost: its number never works again. Value stays with the "
        "member; `replaceCard` gives a new card.",
    )
    async def report_card_lost(
        self,
        info: Info,
        input: Annotated[
            ReportCardLostInput, strawberry.argument(description="Which card is lost.")
        ],
    ) -> ReportCardLostResult:
        """Report a loss."""
        answer: ReportCardLostResult = await _change(info, input, service.report_lost)
        return answer

    @mutation(
        _WRITERS,
        description="Replace a card by a new one with a new number; the old number stops working "
        "and value stays with the member. A card that is named by its number is replaced once: "
        "later requests answer the member's current card.",
    )
    async def replace_card(
        self,
        info: Info,
        input: Annotated[
            ReplaceCardInput, strawberry.argument(description="Which card to replace.")
        ],
    ) -> ReplaceCardResult:
        """Replace a card."""
        answer: ReplaceCardResult = await _change(info, input, service.replace)
        return answer
