"""What Laurel says to people: one text for each message key, in each language that has it.

The texts lie beside this file, one folder a language, one YAML file a domain: `key: "text {fact}"`,
or the forms that a counted text takes (`plurals`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from server.errors import Phrase
from server.messages.formatting import shown_number
from server.messages.plurals import CountedText

FALLBACK_LANGUAGE = "en"
_FOLDER = Path(__file__).parent

_NEAREST = {"zh": "zh-Hant", "cmn": "zh-Hant", "yue": "zh-Hant"}
"""For languages without texts of their own: the one that their readers can read."""

_MAXIMUM_OFFERS = 20
_OFFER = re.compile(
    r"\s*(?P<tag>[a-z]{1,8}(?:-[a-z0-9]{1,8})*)"
    r"\s*(?:;\s*q\s*=\s*(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.IGNORECASE | re.ASCII,
)


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that have texts, as language tags (BCP 47), the fallback first."""
    found = sorted(entry.name for entry in _FOLDER.iterdir() if (entry / "common.yaml").exists())
    return (FALLBACK_LANGUAGE, *(name for name in found if name != FALLBACK_LANGUAGE))


@lru_cache(maxsize=32)
def _texts(language: str) -> Mapping[str, str | CountedText]:
    texts: dict[str, str | CountedText] = {}
    for file in sorted((_FOLDER / language).glob("*.yaml")):
        for key, written in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items():
            if key in texts:
                raise ValueError(f"the message {key} stands twice in {language}")
            counts = isinstance(written, dict)
            texts[key] = CountedText.of(key, written, language) if counts else written
    return texts


def text(key: str, language: str, **facts: str | int) -> str:
    """The message in the language, or in English where that language lacks it.

    The integers of a counted text are written as numbers of the language: "1,500 points"; those
    of the others, and those that stand as `{fact:d}`, in digits alone, as programs write them.
    Raises KeyError for a key that no language has, and where a counted text lacks its count.
    """
    if language not in languages() or key not in _texts(language):
        language = FALLBACK_LANGUAGE
    template = _texts(language)[key]
    if isinstance(template, CountedText):
        form = template.form(int(facts[template.count]), language)
        return form.format(**{name: _shown(fact, language) for name, fact in facts.items()})
    return template.format(**facts) if facts else template


def told(words: Phrase | str, language: str) -> str:
    """The words in the language; a plain text is the same in all of them."""
    return words if isinstance(words, str) else text(words.key, language, **words.facts)


@dataclass(frozen=True, slots=True)
class _Number:
    """A whole number that a text writes as its language does, or as `{fact:d}` in digits alone."""

    number: int
    language: str

    def __format__(self, form: str) -> str:
        return format(self.number, form) if form else shown_number(self.number, self.language)


def _shown(fact: str | int, language: str) -> _Number | str:
    return _Number(fact, language) if isinstance(fact, int) else fact


def keys(language: str) -> frozenset[str]:
    """All message keys of a language."""
    return frozenset(_texts(language))


def language_of_locale(locale: str) -> str:
    """The language with texts for a member's locale (BCP 47): "lt" for "lt-LT"; English if none."""
    return _looked_up(locale) or FALLBACK_LANGUAGE


def preferred_language(accept_language: str | None) -> str:
    """The best language for an Accept-Language header (RFC 9110, 12.5.4); English by default."""
    return asked_language(accept_language) or FALLBACK_LANGUAGE


def asked_language(accept_language: str | None) -> str | None:
    """The best language for an Accept-Language header; None if it names none that has texts.

    Each range is looked up as RFC 4647, 3.4 says. What is not a range is passed over, and so are
    `*`, which asks for nothing in particular, and everything after the first 20.
    """
    offers: list[tuple[int, str]] = []
    for part in (accept_language or "").split(",", _MAXIMUM_OFFERS)[:_MAXIMUM_OFFERS]:
        if (offer := _OFFER.fullmatch(part)) and (weight := _thousandths(offer["weight"] or "1")):
            offers.append((weight, offer["tag"]))
    by_weight = sorted(offers, key=lambda offer: -offer[0])  # equals stay in their order
    return next((found for _, tag in by_weight if (found := _looked_up(tag))), None)


def _thousandths(weight: str) -> int:
    whole, _, fraction = weight.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def _looked_up(tag: str) -> str | None:
    """The language of the tag, or of its longest beginning that has texts; None if none has."""
    by_tag = {language.lower(): language for language in languages()}
    subtags = tag.lower().split("-")
    while subtags:
        beginning = "-".join(subtags)
        if found := by_tag.get(beginning) or _NEAREST.get(beginning):
            return found
        subtags.pop()
    return None
