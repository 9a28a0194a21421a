"""What a shop writes down of an action that members are rewarded for."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAXIMUM_POINTS = 2**31 - 1
MAXIMUM_COMPLETIONS = 2**31 - 1
MAXIMUM_TEXT = 2_000

Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
Id = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$", max_length=64)]
_Limit = Annotated[int, Meta(ge=1, le=MAXIMUM_COMPLETIONS)]
Texts = dict[Language, Annotated[str, Meta(min_length=1, max_length=500)]]


class Nps(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="nps"):
    """How likely the member is to recommend the shop: 0 to 10."""

    id: Annotated[Id, Meta(description="What answers call the question; unique in the survey.")]
    texts: Annotated[Texts, Meta(min_length=1, max_length=50, description="By language tag.")]
    required: Annotated[bool, Meta(description="Whether it must be answered.")] = True


class Option(Struct, frozen=True, omit_defaults=True):
    """Something to choose."""

    id: Annotated[Id, Meta(description="What answers call it; unique in the question.")]
    texts: Annotated[Texts, Meta(min_length=1, max_length=50, description="By language tag.")]


class Choice(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="choice"):
    """One of some options."""

    id: Annotated[Id, Meta(description="What answers call the question; unique in the survey.")]
    texts: Annotated[Texts, Meta(min_length=1, max_length=50, description="By language tag.")]
    options: Annotated[
        tuple[Option, ...], Meta(min_length=2, max_length=50, description="What to choose from.")
    ]
    required: Annotated[bool, Meta(description="Whether it must be answered.")] = True


class FreeText(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text"):
    """The member's own words, up to 2,000 characters."""

    id: Annotated[Id, Meta(description="What answers call the question; unique in the survey.")]
    texts: Annotated[Texts, Meta(min_length=1, max_length=50, description="By language tag.")]
    required: Annotated[bool, Meta(description="Whether it must be answered.")] = False


Question = Nps | Choice | FreeText


class ActionCaps(Struct, frozen=True, omit_defaults=True):
    """How often it is rewarded; without a limit as often as it is told."""

    per_member: Annotated[_Limit | None, Meta(description="Times for each member, in all.")] = None
    per_day: Annotated[
        _Limit | None, Meta(description="Times for each member on one local day.")
    ] = None
    per_subject: Annotated[
        _Limit | None, Meta(description="Times for each member about the same subject.")
    ] = None
    total: Annotated[_Limit | None, Meta(description="Times for all members together.")] = None


class ActionTerms(Struct, frozen=True, omit_defaults=True):
    """An action, and what it brings."""

    type: Annotated[
        Literal["newsletter", "review", "survey", "profile_completed", "custom"],
        Meta(
            description="What the member does: agrees to advertising by e-mail, reviews a product "
            "that they bought, answers questions, or has told what the profile asks for; `custom` "
            "is told by a shop's system alone."
        ),
    ]
    points: Annotated[int, Meta(ge=0, le=MAXIMUM_POINTS, description="Points for each time.")]
    default_language: Annotated[
        Language, Meta(description="The language of those whose own has no text.")
    ]
    texts: Annotated[
        Texts, Meta(min_length=1, max_length=50, description="What to do, by language tag.")
    ]
    caps: Annotated[ActionCaps, Meta(description="How often it is rewarded.")] = ActionCaps(
        per_member=1
    )
    questions: Annotated[
        tuple[Question, ...], Meta(max_length=50, description="Of a survey, in their order.")
    ] = ()
    fields: Annotated[
        tuple[Literal["name", "birthday", "email"], ...],
        Meta(max_length=3, description="Of `profile_completed`: what must have been told."),
    ] = ()
