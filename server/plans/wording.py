"""A plan's texts in the reader's language."""

from collections.abc import Mapping
from typing import TypeVar

from server.plans.documents import Plan, PlanText

_Text = TypeVar("_Text")


def _tag(texts: Mapping[str, object], language: str, otherwise: str) -> str:
    """The tag of the language, or of its longest beginning that there is a text in."""
    by_tag = {tag.lower(): tag for tag in texts}
    subtags = language.lower().split("-")
    while subtags:
        found = by_tag.get("-".join(subtags))
        if found is not None:
            return found
        subtags.pop()
    return otherwise


def text_of(plan: Plan, language: str) -> tuple[str, PlanText]:
    """The language and the text for who reads the language."""
    tag = _tag(plan.texts, language, plan.default_language)
    return tag, plan.texts[tag]


def words_of(plan: Plan, texts: Mapping[str, str], language: str) -> str:
    """One of the plan's other texts for who reads the language."""
    return texts[_tag(texts, language, plan.default_language)]
