"""Becoming a member, in the schema: by oneself in the app, or at a till."""

from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.cards.graphql import Card, shown_card
from server.cards.service import CardView, card_of
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import EVERYONE, OPERATORS, access, mutation, shown_to
from server.edge.problems import ExternalIdConflict, IdempotencyConflict, InvalidInput
from server.enrolment import service
from server.errors import DomainError
from server.members.graphql import answer_sign_up
from server.members.shapes import SignUpInput, SignUpResult
from server.principal import Scope
from server.programme import service as programme

_ENROLLERS = access(Scope.MEMBERS_ENROL, roles=OPERATORS)


class Enrolled(msgspec.Struct, frozen=True):
    """A new member, as it was first answered."""

    member_id: int
    external_id: str
    enrolled_at: Instant
    card: CardView


@shown_to(_ENROLLERS)
@strawberry.type(description="A person has become a member, with a card and the welcome points.")
class EnrolledMember:
    """Success of enrolMember."""

    member_id: strawberry.ID = strawberry.field(description="The member's id in this API.")
    external_id: str = strawberry.field(description="The member's id in the operator's systems.")
    enrolled_at: Instant = strawberry.field(description="Since when the person is a member.")
    card: Card = strawberry.field(description="The member's first card.")


@strawberry.input(description="Who becomes a member.")
class EnrolMemberInput:
    """Input of enrolMember."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    external_id: str = strawberry.field(
        description="The person's id in the operator's systems, unique for ever: 1 to 64 printable "
        "characters."
    )
    name: str | None = strawberry.field(
        default=None, description="The name to greet with: 1 to 120 characters."
    )
    locale: str | None = strawberry.field(
        default=None, description="The language, as a BCP 47 tag such as en-GB; en if left out."
    )
    time_zone: str | None = strawberry.field(
        default=None,
        description="The time zone, as an IANA name; the programme's if left out.",
    )
    referral_code: str | None = strawberry.field(
        default=None,
        description="The code of the member who brought them (`Member.referral`); null for nobody.",
    )
    payment_fingerprint: str | None = strawberry.field(
        default=None,
        description="What a means of payment of theirs is known by: 1 to 200 printable characters, "
        "always the same for it; kept as a keyed hash alone.",
    )
    address_fingerprint: str | None = strawberry.field(
        default=None, description="The same of an address of theirs."
    )


EnrolMemberResult = Annotated[
    EnrolledMember | InvalidInput | ExternalIdConflict | IdempotencyConflict,
    strawberry.union("EnrolMemberResult", description="The member, or why there is none."),
]


def _shown(enrolled: Enrolled) -> EnrolledMember:
    return EnrolledMember(
        member_id=nodes.global_id("Member", enrolled.member_id),
        external_id=enrolled.external_id,
        enrolled_at=enrolled.enrolled_at,
        card=shown_card(enrolled.card),
    )


async def _enrol_by_oneself(input: SignUpInput) -> int:
    now = clock.now()
    published = (await programme.rulebook()).at(now)
    return await service.enrol(
        service.newcomer(
            now,
            published,
            name=input.name,
            birthday=None if input.birthday is None else input.birthday.isoformat(),
            locale=input.locale,
            time_zone=input.time_zone,
        ),
        invitation=service.Invitation(
            input.referral_code, service.Marks(device=input.device_id), input.email
        ),
    )


async def _enrol(input: EnrolMemberInput) -> Enrolled:
    now = clock.now()
    published = (await programme.rulebook()).at(now)
    try:
        member_id = await service.enrol(
            service.newcomer(
                now,
                published,
                external_id=input.external_id,
                name=input.name,
                locale=input.locale,
                time_zone=input.time_zone,
            ),
            invitation=service.Invitation(
                input.referral_code,
                service.Marks(payment=input.payment_fingerprint, address=input.address_fingerprint),
            ),
        )
    except DomainError as error:
        raise error.below("input") from None
    return Enrolled(member_id, input.external_id, now, await card_of(member_id))


@strawberry.type
class EnrolmentMutations:
    """The mutations of enrolment, for the schema's root."""

    @mutation(
        EVERYONE,
        description="Become a member: an account, a card, the welcome points and a session. The "
        "refusal of an address does not tell whether it has an account.",
    )
    async def sign_up(
        self,
        info: Info,
        input: Annotated[SignUpInput, strawberry.argument(description="Who signs up.")],
    ) -> SignUpResult:
        """Sign up."""
        return await answer_sign_up(info, input, enrol=_enrol_by_oneself)

    @mutation(
        _ENROLLERS,
        description="Make a member of a person whom a till or another system knows by an id.",
    )
    async def enrol_member(
        self,
        info: Info,
        input: Annotated[EnrolMemberInput, strawberry.argument(description="Who is enrolled.")],
    ) -> EnrolMemberResult:
        """Enrol a person."""
        answer = await write_once(
            info, input, work=lambda: _enrol(input), result=Enrolled, present=_shown
        )
        return cast(EnrolMemberResult, answer)
