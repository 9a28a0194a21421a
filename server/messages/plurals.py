"""Texts that depend on a count: one form for each plural category that the language has (CLDR).

In a file of texts such a one is a mapping: `count` names the fact that counts, the rest are the
forms, of which each language has its own.

    points.left:
      count: points
      one: "{points} point is left."
      other: "{points} points are left."
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from babel import Locale

_WHOLE_NUMBERS_WITH_EVERY_FORM = range(200)


@lru_cache(maxsize=32)
def categories(language: str) -> frozenset[str]:
    """The plural categories that whole numbers have in the language: "one" and "other" in English.

    Categories that only fractions have are left out: nothing with a fraction is counted here.
    """
    return frozenset(category(number, language) for number in _WHOLE_NUMBERS_WITH_EVERY_FORM)


def category(number: int, language: str) -> str:
    """The plural category of a whole number in the language: "one", "few", "many", "other"..."""
    return Locale.parse(language, sep="-").plural_form(number)


@dataclass(frozen=True, slots=True)
class CountedText:
    """A text with a form for each plural category; the fact named `count` chooses."""

    count: str
    forms: Mapping[str, str]

    @classmethod
    def of(cls, key: str, written: Mapping[str, str], language: str) -> Self:
        """The text of a key as it is written in a file of texts.

        Raises ValueError unless it has just the forms of its language and names what counts.
        """
        forms = {name: form for name, form in written.items() if name != "count"}
        if forms.keys() != categories(language):
            needed = ", ".join(sorted(categories(language)))
            raise ValueError(f"the message {key} needs the forms {needed} in {language}")
        if "count" not in written:
            raise ValueError(f"the message {key} does not say in {language} which fact counts")
        return cls(written["count"], forms)

    def form(self, number: int, language: str) -> str:
        """The form for the number."""
        return self.forms[category(number, language)]
