"""Members' offers in the schema: what each has, and how it stands for them; activating."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.cards.service import MemberReference as Reference
from server.clock import Instant
from server.definitions import service as definitions
from server.edge import nodes, pages
from server.edge.context import Context, Info
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import (
    MEMBER_DATA,
    OPERATORS,
    PURCHASE_DATA,
    access,
    mutation,
    shown_to,
)
from server.edge.problems import (
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.edge.scalars import Money
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.messages import language_of_locale
from server.offers import clipping, eligible
from server.offers.clipping import Activated
from server.offers.documents import Activation, Offer
from server.offers.eligible import Had, OfferState
from server.offers.eligible import MemberOffer as Standing
from server.offers.shapes import OfferDiscount, OfferScope, discount_shown, scope_shown
from server.offers.uses import KIND
from server.offers.wording import Wording, text_of
from server.principal import PrincipalKind, Scope
from server.programme.graphql import present_now
from server.programme.present import Present

_ACTIVATORS = access(Scope.PURCHASES_WRITE, members=True, roles=OPERATORS)
TYPE = "Offer"

described(
    OfferState,
    description="How an offer stands for a member.",
    AVAILABLE="It counts now; it may have to be activated first.",
    PAUSED="It has begun, and counts again at another hour, on another day or in another season.",
    USED_UP="A limit leaves nothing of it for the member.",
)


# ---------------------------------------------------------------- types


@strawberry.type
class OfferContent(Node):
    """What everybody who sees an offer sees of it; a part of two types."""

    key: str = strawberry.field(description="The offer's name in the shop's systems.")
    language: str = strawberry.field(
        description="The language of the texts, as a language tag (BCP 47): the caller's, the "
        "member's or the offer's own, whichever the offer has first."
    )
    title: str = strawberry.field(description="The offer in a few words.")
    description: str | None = strawberry.field(description="What it is about; null if not said.")
    terms: str | None = strawberry.field(description="The small print; null if there is none.")
    image_url: str | None = strawberry.field(description="A picture; null if there is none.")
    discount: OfferDiscount = strawberry.field(description="What the offer gives.")
    discount_text: str = strawberry.field(
        description="What the offer gives, in a few words of the caller's language."
    )
    scope: OfferScope = strawberry.field(description="Which lines of which baskets it is for.")
    minimum_spend: Money | None = strawberry.field(
        description="What a basket has to cost for it; null if it asks for none."
    )
    minimum_quantity: int | None = strawberry.field(
        description="How many units a basket needs for it; null if it asks for none."
    )
    needs_activation: bool = strawberry.field(
        description="Whether the member has to activate it with activateOffer first."
    )
    needs_coupon: bool = strawberry.field(description="Whether a coupon has to be shown.")


@shown_to(PURCHASE_DATA)
@strawberry.type(description="An offer that is for a member, as it stands for them.")
class MemberOffer(OfferContent):
    """A member's offer."""

    state: OfferState = strawberry.field(description="How it stands for the member.")
    starts_at: Instant | None = strawberry.field(
        description="Since when it counts for the member, early access included; null: always."
    )
    ends_at: Instant | None = strawberry.field(
        description="When it is over, not included; null if no end is planned."
    )
    opens_at: Instant | None = strawberry.field(
        description="When it counts again, if it is PAUSED; null otherwise."
    )
    is_activated: bool = strawberry.field(description="Whether the member has activated it.")
    uses_left: int | None = strawberry.field(
        description="In how many baskets the member can use it still, at most; null: no limit."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="An offer with its place in the list.")
class MemberOfferEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The offer's place, for `after`.")
    node: MemberOffer = strawberry.field(description="The offer.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of a member's offers, the newest first.")
class MemberOfferConnection:
    """Relay's connection."""

    edges: list[MemberOfferEdge] = strawberry.field(description="The offers with their places.")
    nodes: list[MemberOffer] = strawberry.field(description="The offers alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def content(
    number: int,
    key: str,
    offer: Offer,
    context: Context,
    *,
    locale: str | None,
    money: Callable[[int], Money],
    wording: Wording,
) -> dict[str, Any]:
    """The fields of OfferContent."""
    language, text = text_of(offer, context.asked_language, locale)
    requires = offer.requires
    least = requires.minimum_spend_minor
    return {
        "id": nodes.global_id(TYPE, number),
        "key": key,
        "language": language,
        "title": text.title,
        "description": text.description,
        "terms": text.terms,
        "image_url": offer.image_url,
        "discount": discount_shown(offer.discount, money),
        "discount_text": wording.sentence(offer.discount),
        "scope": scope_shown(offer.scope),
        "minimum_spend": None if least is None else money(least),
        "minimum_quantity": requires.minimum_quantity,
        "needs_activation": offer.activation is Activation.CLIP,
        "needs_coupon": offer.needs_coupon,
    }


def _shown(
    one: Standing, document: Offer, context: Context, *, currency: str, digits: int
) -> MemberOffer:
    language = context.asked_language or language_of_locale(one.locale)
    return MemberOffer(
        **content(
            one.number,
            one.key,
            document,
            context,
            locale=one.locale,
            money=lambda amount_minor: Money.of(amount_minor, currency, digits),
            wording=Wording(language, currency=currency, digits=digits),
        ),
        state=one.state,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        opens_at=one.opens_at,
        is_activated=one.is_activated,
        uses_left=one.uses_left,
    )


def _had(one: Had, context: Context, present: Present) -> MemberOffer:
    return _shown(
        one.offer, one.document, context, currency=present.currency, digits=present.digits
    )


# ---------------------------------------------------------------- reading


async def _offers(member_ids: list[int], present: Present, at: Instant) -> Sequence[list[Had]]:
    found = await eligible.member_offers(member_ids, present, at)
    return [found.get(member_id, []) for member_id in member_ids]


async def offers_of_member(
    info: Info,
    member_id: int,
    *,
    first: int,
    after: str | None,
    state: OfferState | None,
    is_activated: bool | None,
) -> MemberOfferConnection:
    """A page of the member's offers; one look-up for all members asked for."""
    limit, position = pages.page(first, after)
    before = pages.before(position)
    present = present_now(info.context)
    now = await present if isinstance(present, Awaitable) else present
    found = await info.context.loader(_offers, now, info.context.at).load(member_id)
    wanted = [
        one
        for one in found
        if one.offer.number < before
        and state in (None, one.offer.state)
        and is_activated in (None, one.offer.is_activated)
    ]
    return pages.connected(
        MemberOfferConnection,
        MemberOfferEdge,
        [(one.offer.number, _had(one, info.context, now)) for one in wanted[:limit]],
        has_next=len(wanted) > limit,
        after=after,
    )


async def member_offer(info: Info, member_id: int, number: int) -> MemberOffer | None:
    """The offer with that number as it stands for the member; None if they do not have it."""
    present = present_now(info.context)
    now = await present if isinstance(present, Awaitable) else present
    found = await info.context.loader(_offers, now, info.context.at).load(member_id)
    for one in found:
        if one.offer.number == number:
            return _had(one, info.context, now)
    return None


# ---------------------------------------------------------------- activating


@strawberry.input(description="An offer to activate.")
class ActivateOfferInput:
    """Input of activateOffer."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    offer_id: strawberry.ID = strawberry.field(description="The offer's id.")
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose offer; the signed-in member's, if left out. Members may name no one.",
    )


@strawberry.input(description="An offer whose activation to take back.")
class DeactivateOfferInput:
    """Input of deactivateOffer."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    offer_id: strawberry.ID = strawberry.field(description="The offer's id.")
    member: MemberReference | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose offer; the signed-in member's, if left out. Members may name no one.",
    )


@shown_to(_ACTIVATORS)
@strawberry.type(description="The offer is active, or is not any more.")
class OfferActivated:
    """Success of activateOffer and deactivateOffer."""

    offer: MemberOffer = strawberry.field(description="The offer as it stands now.")
    is_changed: bool = strawberry.field(
        description="Whether it stood otherwise before; false if nothing was to be done."
    )


ActivateOfferResult = Annotated[
    OfferActivated
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("ActivateOfferResult", description="The active offer, or why it is not."),
]
DeactivateOfferResult = Annotated[
    OfferActivated | InvalidInput | NotFound | CardUnusable | NotAllowed | IdempotencyConflict,
    strawberry.union(
        "DeactivateOfferResult", description="The offer, not active any more, or why it is."
    ),
]
_Verb = Callable[..., Awaitable[Activated]]


def _member_of(info: Info, given: MemberReference | None) -> Reference:
    reference, principal = member_reference(given or None), info.context.principal
    if principal.kind is PrincipalKind.MEMBER:
        if reference is not None:
            raise InvalidInputError(
                "offer.member", path=("member",), accepted=phrase("accepted.nothing_for_member")
            )
        return Reference(id=principal.member_id)
    if reference is None:
        raise InvalidInputError(
            "input.required", path=("member",), accepted=phrase("accepted.member")
        )
    return reference


async def _change(info: Info, input: ActivateOfferInput | DeactivateOfferInput, verb: _Verb) -> Any:
    async def work() -> Activated:
        try:
            whose = await cards.member_of(_member_of(info, input.member), path=("member",))
            number = nodes.number_of(input.offer_id, TYPE)
            return await verb(whose, number, now=clock.now())
        except DomainError as error:
            raise error.below("input") from None

    async def present(done: Activated) -> OfferActivated:
        stands, shelf = done.offer, (await definitions.shelves()).of(KIND)
        document = shelf.numbered(stands.key, stands.version).document
        offer = _shown(stands, document, info.context, currency=done.currency, digits=done.digits)
        return OfferActivated(offer=offer, is_changed=done.is_change)

    return await write_once(info, input, work=work, result=Activated, present=present)


@strawberry.type
class OfferMutations:
    """The mutations of members' offers, for the schema's root."""

    @mutation(
        _ACTIVATORS,
        description="Activate an offer that counts only for members who do. Who has activated it "
        "is told so again. Offers that the member does not see are NotFound.",
    )
    async def activate_offer(
        self,
        info: Info,
        input: Annotated[ActivateOfferInput, strawberry.argument(description="Which offer.")],
    ) -> ActivateOfferResult:
        """Activate an offer."""
        return cast(ActivateOfferResult, await _change(info, input, clipping.activate))

    @mutation(
        _ACTIVATORS,
        description="Take the activation of an offer back. What was used of it stays used.",
    )
    async def deactivate_offer(
        self,
        info: Info,
        input: Annotated[DeactivateOfferInput, strawberry.argument(description="Which offer.")],
    ) -> DeactivateOfferResult:
        """Deactivate an offer."""
        return cast(DeactivateOfferResult, await _change(info, input, clipping.deactivate))
