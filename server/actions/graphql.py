"""Rewarded actions in the schema: what members may do, telling that it is done, and surveys."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, cast

import strawberry

from server import clock
from server.actions import service
from server.actions.documents import Choice, FreeText, Nps
from server.actions.rules import text_in
from server.actions.service import Answer, Completed, Completion, MemberAction
from server.cards.graphql import CardUnusable, MemberReference, member_reference
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import MEMBER_DATA, OPERATORS, access, mutation, shown_to
from server.edge.problems import (
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.principal import PrincipalKind, Scope

_TELLERS = access(Scope.PURCHASES_WRITE, members=True, roles=OPERATORS)


@strawberry.enum(description="What an action is about.")
class RewardedActionType(Enum):
    """A type of action."""

    NEWSLETTER = strawberry.enum_value(
        "newsletter", description="To agree to advertising by e-mail."
    )
    REVIEW = strawberry.enum_value("review", description="To review a product that was bought.")
    SURVEY = strawberry.enum_value("survey", description="To answer questions.")
    PROFILE_COMPLETED = strawberry.enum_value(
        "profile_completed", description="To tell what the profile asks for."
    )
    CUSTOM = strawberry.enum_value(
        "custom", description="Something that the shop's own system tells of."
    )


@strawberry.enum(description="How a question is answered.")
class SurveyQuestionType(Enum):
    """A type of question."""

    NPS = strawberry.enum_value("nps", description="By a number from 0 to 10.")
    CHOICE = strawberry.enum_value("choice", description="By one of the options.")
    TEXT = strawberry.enum_value("text", description="In words: up to 2,000 characters.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="One of what a question can be answered with.")
class SurveyOption:
    """An option."""

    id: str = strawberry.field(description="What answers call it.")
    text: str = strawberry.field(description="What people read, in the caller's language.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A question of a survey.")
class SurveyQuestion:
    """A question."""

    id: str = strawberry.field(description="What answers call it.")
    type: SurveyQuestionType = strawberry.field(description="How it is answered.")
    text: str = strawberry.field(description="The question, in the caller's language.")
    is_required: bool = strawberry.field(description="Whether it must be answered.")
    options: list[SurveyOption] = strawberry.field(
        description="What to choose from; empty unless it is a CHOICE."
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="Something that the member is rewarded for.")
class RewardedAction:
    """An action, seen by a member."""

    key: str = strawberry.field(description="What completeAction calls it.")
    type: RewardedActionType = strawberry.field(description="What it is about.")
    text: str = strawberry.field(description="What to do, in the caller's language.")
    points: int = strawberry.field(description="Points for each time.")
    times_completed: int = strawberry.field(description="How often the member was rewarded.")
    times_left: int | None = strawberry.field(
        description="How often they can be still, today; null without a limit."
    )
    questions: list[SurveyQuestion] = strawberry.field(
        description="Of a survey, in their order; empty for anything else."
    )
    profile_fields: list[str] = strawberry.field(
        description="Of PROFILE_COMPLETED: what must have been told, of name, birthday and email."
    )


def question_shown(
    question: Nps | Choice | FreeText, language: str, default: str
) -> SurveyQuestion:
    """A question in the schema, for who reads the language."""
    kind = {Nps: "nps", Choice: "choice", FreeText: "text"}[type(question)]
    options = question.options if isinstance(question, Choice) else ()
    return SurveyQuestion(
        id=question.id,
        type=SurveyQuestionType(kind),
        text=text_in(question.texts, language, default),
        is_required=question.required,
        options=[
            SurveyOption(id=one.id, text=text_in(one.texts, language, default)) for one in options
        ],
    )


def _shown(action: MemberAction, language: str) -> RewardedAction:
    terms = action.terms
    default = terms.default_language
    return RewardedAction(
        key=action.key,
        type=RewardedActionType(terms.type),
        text=text_in(terms.texts, language, default),
        points=terms.points,
        times_completed=action.times,
        times_left=action.times_left,
        questions=[question_shown(one, language, default) for one in terms.questions],
        profile_fields=list(terms.fields),
    )


async def _actions(member_ids: list[int]) -> Sequence[list[MemberAction]]:
    found = await service.of_members(member_ids, now=clock.now())
    return [found[member_id] for member_id in member_ids]


async def actions_of_member(info: Info, member_id: int) -> list[RewardedAction]:
    """What the member may do, looked up together with other members'."""
    found = await info.context.loader(_actions).load(member_id)
    return [_shown(one, info.context.language) for one in found]


# ---------------------------------------------------------------- completing


@strawberry.input(description="An answer to one question: exactly one of the three.")
class SurveyAnswerInput:
    """An answer."""

    question_id: str = strawberry.field(description="The question's id.")
    number: int | None = strawberry.field(default=None, description="For NPS: 0 to 10.")
    option_id: str | None = strawberry.field(
        default=None, description="For CHOICE: the option's id."
    )
    text: str | None = strawberry.field(
        default=None, description="For TEXT: 1 to 2,000 characters."
    )


@strawberry.input(description="An action that a member completed.")
class CompleteActionInput:
    """Input of completeAction."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    action_key: str = strawberry.field(description="Which one: `RewardedAction.key`.")
    member: MemberReference | None = strawberry.field(
        default=None,
        description="Who did it; the signed-in member, if left out. Members may name no one.",
    )
    subject: str | None = strawberry.field(
        default=None,
        description="What it is about: for a REVIEW the product's id, 1 to 64 characters.",
    )
    answers: list[SurveyAnswerInput] | None = strawberry.field(
        default=None, description="For a SURVEY: the answers, one to a question."
    )


@shown_to(_TELLERS)
@strawberry.type(description="The action is rewarded.")
class ActionCompleted:
    """Success of completeAction."""

    id: strawberry.ID = strawberry.field(description="The completion's opaque id.")
    action_key: str = strawberry.field(description="Which action it was.")
    member_id: strawberry.ID = strawberry.field(description="The id of the member who did it.")
    points: int = strawberry.field(description="Points that the member got.")
    completed_at: Instant = strawberry.field(description="When.")


CompleteActionResult = Annotated[
    ActionCompleted
    | InvalidInput
    | NotFound
    | CardUnusable
    | NotAllowed
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("CompleteActionResult", description="The reward, or why there is none."),
]


def _completion(info: Info, input: CompleteActionInput) -> Completion:
    principal = info.context.principal
    reference = member_reference(input.member)
    is_own = principal.kind is PrincipalKind.MEMBER
    if is_own:
        if reference is not None:
            raise InvalidInputError(
                "action.member", path=("member",), accepted=phrase("accepted.nothing_for_member")
            )
        reference = service.MemberReference(id=principal.member_id)
    elif reference is None:
        raise InvalidInputError(
            "input.required", path=("member",), accepted=phrase("accepted.member")
        )
    answers = tuple(
        Answer(one.question_id, one.number, one.option_id, one.text) for one in input.answers or ()
    )
    return Completion(reference, input.action_key, principal.name, is_own, input.subject, answers)


def _completed_shown(done: Completed) -> ActionCompleted:
    return ActionCompleted(
        id=nodes.global_id("ActionCompletion", done.id),
        action_key=done.action,
        member_id=nodes.global_id("Member", done.member_id),
        points=done.points,
        completed_at=done.completed_at,
    )


@strawberry.type
class ActionMutations:
    """The mutations of actions, for the schema's root."""

    @mutation(
        _TELLERS,
        description="Tell that a member completed an action, and reward it. A NEWSLETTER needs "
        "their consent, a REVIEW a product that they bought and kept, PROFILE_COMPLETED the fields "
        "in question; CUSTOM is told by tills, shops and staff alone.",
    )
    async def complete_action(
        self,
        info: Info,
        input: Annotated[CompleteActionInput, strawberry.argument(description="What was done.")],
    ) -> CompleteActionResult:
        """Complete an action."""

        async def work() -> Completed:
            try:
                return await service.complete(_completion(info, input), now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info, input, work=work, result=Completed, present=_completed_shown
        )
        return cast(CompleteActionResult, answer)
