"""What Laurel says to people: one text for each message key, in each language that has it.

The texts lie beside this file, one folder a language, one YAML file a domain: `key: "text {fact}"`.
"""

from functools import lru_cache
from pathlib import Path

import yaml

FALLBACK_LANGUAGE = "en"
_FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that have texts, the fallback first."""
    found = sorted(entry.name for entry in _FOLDER.iterdir() if (entry / "common.yaml").exists())
    return (FALLBACK_LANGUAGE, *(name for name in found if name != FALLBACK_LANGUAGE))


@lru_cache(maxsize=32)
def _texts(language: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.yaml")):
        for key, text in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items():
            if key in texts:
                raise ValueError(f"the message {key} stands twice in {language}")
            texts[key] = text
    return texts


def text(key: str, language: str, **facts: str | int) -> str:
    """The message in the language, or in English where that language lacks it.

    Raises KeyError for a key that no language has.
    """
    template = _texts(language).get(key) if language in languages() else None
    if template is None:
        template = _texts(FALLBACK_LANGUAGE)[key]
    return template.format(**facts) if facts else template


def keys(language: str) -> frozenset[str]:
    """All message keys of a language."""
    return frozenset(_texts(language))


def preferred_language(accept_language: str | None) -> str:
    """The best language for an Accept-Language header (RFC 9110, 12.5.4); English by default."""
    if not accept_language:
        return FALLBACK_LANGUAGE
    offers: list[tuple[float, int, str]] = []
    for position, part in enumerate(accept_language[:200].split(",")):
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        offers.append((-weight, position, tag.strip().lower()))
    for weight, _position, tag in sorted(offers):
        if weight < 0:
            for language in languages():
                if tag == language.lower() or tag.split("-")[0] == language.lower():
                    return language
    return FALLBACK_LANGUAGE
