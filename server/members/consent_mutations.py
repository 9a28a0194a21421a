"""Consents in the schema: what a member has agreed to, and changing it."""

from collections.abc import Sequence
from typing import Annotated, cast

import strawberry

from server import clock
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import MEMBER, STAFF, access, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.members import consents, service
from server.members.consents import ConsentPurpose, ConsentSource, ConsentView
from server.principal import PrincipalKind, StaffRole

_READERS = MEMBER | STAFF
_WRITERS = access(members=True, roles=frozenset({StaffRole.SUPPORT, StaffRole.MANAGER}))

described(
    ConsentPurpose,
    description="What a member's data may be used for, if the member agrees.",
    EMAIL="Advertising by e-mail.",
    PUSH="Advertising by push message.",
    SMS="Advertising by text message.",
    PROFILING="Offers that are chosen by what the member buys.",
)
described(
    ConsentSource,
    description="Who stated what a member agrees to.",
    MEMBER="The member, signed in.",
    STAFF="Staff, as the member told them.",
)


@shown_to(_READERS)
@strawberry.type(description="Whether a member agrees to one use of their data.")
class Consent:
    """A consent."""

    purpose: ConsentPurpose = strawberry.field(description="The use.")
    is_given: bool = strawberry.field(
        description="Whether they agree now; false until they have said so."
    )
    changed_at: Instant | None = strawberry.field(
        description="When they said so last; null if never."
    )
    source: ConsentSource | None = strawberry.field(
        description="Who stated it; null if nobody has."
    )


@strawberry.input(description="What a member agrees to, or no more.")
class SetConsentInput:
    """Input of setConsent."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    purpose: ConsentPurpose = strawberry.field(description="The use.")
    is_given: bool = strawberry.field(description="Whether the member agrees to it from now on.")
    member_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Whose consent; only a signed-in member may leave it out, for their own.",
    )
    note: str | None = strawberry.field(
        default=None,
        description="What belongs to the evidence, such as how the member told it: 1 to 200 "
        "characters on one line.",
    )
    text_version: str | None = strawberry.field(
        default=None,
        description="The version of the words that the member was shown, as the app names it: 1 to "
        "40 characters on one line. It is kept with the evidence.",
    )


@shown_to(_WRITERS)
@strawberry.type(description="What the member agrees to was noted, with its evidence.")
class ConsentSet:
    """Success of setConsent."""

    consent: Consent = strawberry.field(description="The consent as it stands now.")


SetConsentResult = Annotated[
    ConsentSet | InvalidInput | NotFound | IdempotencyConflict,
    strawberry.union("SetConsentResult", description="The consent, or why it is as it was."),
]


def _shown(view: ConsentView) -> Consent:
    return Consent(
        purpose=view.purpose,
        is_given=view.is_given,
        changed_at=view.changed_at,
        source=view.source,
    )


async def _consents(member_ids: list[int]) -> Sequence[Sequence[ConsentView]]:
    found = await consents.consents(member_ids)
    return [found[member_id] for member_id in member_ids]


async def consents_of_member(info: Info, member_id: int) -> list[Consent]:
    """What the member said of each purpose, looked up together with other members'."""
    said = {one.purpose: one for one in await info.context.loader(_consents).load(member_id)}
    return [
        _shown(said[purpose])
        if purpose in said
        else Consent(purpose=purpose, is_given=False, changed_at=None, source=None)
        for purpose in ConsentPurpose
    ]


async def _whose(info: Info, member_id: strawberry.ID | None) -> int:
    """The member meant; members mean nobody but themselves."""
    principal = info.context.principal
    own = principal.member_id if principal.kind is PrincipalKind.MEMBER else None
    if member_id is None:
        if own is None:
            raise InvalidInputError(
                "input.required",
                path=("memberId",),
                accepted=phrase("accepted.member_or_oneself"),
            )
        return own
    number = nodes.number_of(member_id, "Member")
    number = (await service.survivors([number])).get(number, number)
    return 0 if own is not None and number != own else number


@strawberry.type
class ConsentMutations:
    """The mutations of consents, for the schema's root."""

    @mutation(
        _WRITERS,
        description="Note that a member agrees to a use of their data, or no more. It counts at "
        "once; each statement is kept for ever as evidence, also one that changes nothing. "
        "Members set their own; staff what a member told them.",
    )
    async def set_consent(
        self,
        info: Info,
        input: Annotated[
            SetConsentInput, strawberry.argument(description="What the member agrees to.")
        ],
    ) -> SetConsentResult:
        """Note a consent."""
        principal = info.context.principal
        is_member = principal.kind is PrincipalKind.MEMBER

        async def work() -> ConsentView:
            try:
                return await consents.set_consent(
                    await _whose(info, input.member_id),
                    input.purpose,
                    is_given=input.is_given,
                    source=ConsentSource.MEMBER if is_member else ConsentSource.STAFF,
                    by=principal.name,
                    note=input.note,
                    text_version=input.text_version,
                    now=clock.now(),
                )
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info,
            input,
            work=work,
            result=ConsentView,
            present=lambda view: ConsentSet(consent=_shown(view)),
        )
        return cast(SetConsentResult, answer)
