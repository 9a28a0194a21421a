"""Choices in the schema: which messages a member wants, where, and since when."""

from collections.abc import Sequence
from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.cards import service as cards
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import pages
from server.edge.context import Info
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, OPERATORS, STAFF, access, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotAllowed, NotFound
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.notifications import choices
from server.notifications.choices import ChoiceEvidence, ChoiceSource, ChoiceView, Statement
from server.notifications.message_words import Category, Channel
from server.principal import PrincipalKind

_READERS = MEMBER | STAFF
_WRITERS = access(members=True, roles=OPERATORS)

described(
    ChoiceSource,
    name="MessageChoiceSource",
    description="Who stated what a member wants to be told.",
    MEMBER="The member, signed in.",
    STAFF="Staff, as the member told them.",
    LINK="Who opened the unsubscribe link of a letter to the member.",
)


@shown_to(_READERS)
@strawberry.type(
    description="Whether a member gets a category of messages on a channel. Of all that they said "
    "of the category on the channel, and of all advertising on it (setConsent), the latest counts. "
    "Marketing by push and e-mail needs such a statement; the inbox has everything that is not "
    "switched off."
)
class MessageChoice:
    """A choice."""

    channel: Channel = strawberry.field(description="How messages reach the member.")
    category: Category = strawberry.field(description="What they are about.")
    is_given: bool = strawberry.field(description="Whether the member gets them now.")
    changed_at: Instant | None = strawberry.field(
        description="When what counts was stated; null if nothing was."
    )
    source: ChoiceSource | None = strawberry.field(description="Who stated it; null if nobody has.")


@shown_to(_READERS)
@strawberry.type(description="One statement of what a member wants, as it is kept for ever.")
class MessageChoiceChange:
    """Evidence."""

    channel: Channel = strawberry.field(description="How messages reach the member.")
    category: Category = strawberry.field(description="What they are about.")
    is_given: bool = strawberry.field(description="Whether the member wanted them from then on.")
    changed_at: Instant = strawberry.field(description="When it was stated.")
    source: ChoiceSource = strawberry.field(description="Who stated it.")
    text_version: str = strawberry.field(
        description="The version of the words that the member was shown."
    )
    stated_by: str = strawberry.field(
        description="The caller who stated it: the sort and the number of their account, such as "
        "member:7.",
        directives=[STAFF.directive],
    )


@shown_to(_READERS)
@strawberry.type(description="A statement and its cursor.")
class MessageChoiceChangeEdge:
    """An edge."""

    cursor: str = strawberry.field(description="The statement's opaque position.")
    node: MessageChoiceChange = strawberry.field(description="The statement.")


@shown_to(_READERS)
@strawberry.type(description="A page of statements, the newest first.")
class MessageChoiceChangeConnection:
    """A page."""

    edges: list[MessageChoiceChangeEdge] = strawberry.field(
        description="The statements with their cursors."
    )
    nodes: list[MessageChoiceChange] = strawberry.field(description="The statements themselves.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@strawberry.input(description="Whether a member wants a category of messages on a channel.")
class MessageChoiceInput:
    """A statement."""

    channel: Channel = strawberry.field(description="How messages reach the member.")
    category: Category = strawberry.field(description="What they are about.")
    is_given: bool = strawberry.field(
        description="Whether the member wants them from now on. SERVICE may be false for PUSH "
        "alone."
    )


@strawberry.input(description="What a member wants to be told, and what no more.")
class SetMessageChoicesInput:
    """Input of setMessageChoices."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    choices: list[MessageChoiceInput] = strawberry.field(
        description="1 to 12 choices, each channel and category once; all others stay as they are."
    )
    text_version: str = strawberry.field(
        description="The version of the words that the member was shown, as the app names it: 1 to "
        "40 characters on one line. It is kept with the evidence."
    )
    member: MemberReference | None = strawberry.field(
        default=None,
        description="Who wants it; the signed-in member, if left out. Members may name no one.",
    )


@shown_to(_WRITERS)
@strawberry.type(description="What the member wants was noted, with its evidence.")
class MessageChoicesSet:
    """Success of setMessageChoices."""

    message_choices: list[MessageChoice] = strawberry.field(
        description="All 12 choices as they stand now."
    )


SetMessageChoicesResult = Annotated[
    MessageChoicesSet | InvalidInput | NotAllowed | NotFound | CardUnusable | IdempotencyConflict,
    strawberry.union(
        "SetMessageChoicesResult", description="The choices, or why they are as they were."
    ),
]


class _Set(msgspec.Struct, frozen=True):
    """What setMessageChoices answers."""

    choices: tuple[ChoiceView, ...]


def _shown(view: ChoiceView) -> MessageChoice:
    return MessageChoice(
        channel=view.channel,
        category=view.category,
        is_given=view.is_given,
        changed_at=view.changed_at,
        source=view.source,
    )


def _change_shown(one: ChoiceEvidence) -> MessageChoiceChange:
    return MessageChoiceChange(
        channel=one.channel,
        category=one.category,
        is_given=one.is_given,
        changed_at=one.changed_at,
        source=one.source,
        text_version=one.text_version,
        stated_by=one.stated_by,
    )


async def _choices(member_ids: list[int]) -> Sequence[Sequence[ChoiceView]]:
    found = await choices.of_members(member_ids)
    return [found[member_id] for member_id in member_ids]


async def choices_of_member(info: Info, member_id: int) -> list[MessageChoice]:
    """How the member stands to each category on each channel, looked up with other members'."""
    return [_shown(one) for one in await info.context.loader(_choices).load(member_id)]


async def _pages(member_ids: list[int], limit: int, before: int) -> list[list[ChoiceEvidence]]:
    found = await choices.evidence_of_members(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def changes_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> MessageChoiceChangeConnection:
    """A page of what the member stated; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    found = await info.context.loader(_pages, limit + 1, pages.before(before)).load(member_id)
    return pages.connected(
        MessageChoiceChangeConnection,
        MessageChoiceChangeEdge,
        [(one.id, _change_shown(one)) for one in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _whose(info: Info, given: MemberReference | None) -> int:
    """The member meant; members mean nobody but themselves."""
    principal = info.context.principal
    reference = member_reference(given)
    if principal.kind is PrincipalKind.MEMBER:
        if reference is not None:
            raise InvalidInputError(
                "choice.member", path=("member",), accepted=phrase("accepted.nothing_for_member")
            )
        return principal.member_id or 0
    if reference is None:
        raise InvalidInputError(
            "input.required", path=("member",), accepted=phrase("accepted.member")
        )
    return await cards.member_of(reference, path=("member",))


@strawberry.type
class ChoiceMutations:
    """The mutations of choices, for the schema's root."""

    @mutation(
        _WRITERS,
        description="Note which messages a member wants, or no more. It counts at once, also for "
        "what is waiting to be sent; each statement is kept for ever as evidence, also one that "
        "changes nothing. Members state their own; staff what a member told them.",
    )
    async def set_message_choices(
        self,
        info: Info,
        input: Annotated[
            SetMessageChoicesInput, strawberry.argument(description="What the member wants.")
        ],
    ) -> SetMessageChoicesResult:
        """Note choices."""
        principal = info.context.principal
        is_member = principal.kind is PrincipalKind.MEMBER

        async def work() -> _Set:
            try:
                member_id = await _whose(info, input.member)
                await choices.state(
                    member_id,
                    [Statement(one.channel, one.category, one.is_given) for one in input.choices],
                    text_version=input.text_version,
                    source=ChoiceSource.MEMBER if is_member else ChoiceSource.STAFF,
                    by=principal.name,
                    now=clock.now(),
                )
            except DomainError as error:
                raise error.below("input") from None
            return _Set((await choices.of_members([member_id]))[member_id])

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Set,
            present=lambda done: MessageChoicesSet(
                message_choices=[_shown(one) for one in done.choices]
            ),
        )
        return cast(SetMessageChoicesResult, answer)
