"""Texts, messages and values of any kind, made up."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any

from hypothesis import strategies as st

from server.money import currency_codes
from server.notifications.agreeing import needed_forms
from server.notifications.templates import (
    DATE_STYLES,
    NONE,
    OTHER,
    Amount,
    Count,
    Day,
    Number,
    Part,
    Parts,
    Plain,
    Plural,
    Select,
    Words,
    written,
)
from server.notifications.triggers import (
    GREATEST_INTEGER,
    LEAST_INTEGER,
    TRIGGERS,
    Money,
    Value,
    Variable,
    VariableType,
    variables_of,
)

LANGUAGES = ("en", "lv", "lt", "ru", "cs", "zh-Hant", "ar", "fr", "de-CH", "sv", "fa", "pl")
WORDS = st.text(
    st.one_of(
        st.sampled_from("{}'#|,=<>\"\\/ é…🎁"),
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")),
    ),
    max_size=6,
)
_COUNTED = (VariableType.INT, VariableType.DAYS)
_LONG_DAYS = [date(2026, month, day) for month in (2, 5, 9, 12) for day in range(21, 28)]


def merged(parts: list[tuple[str, Part]]) -> Parts:
    """The parts, each after its words; what are words in a row are one part."""
    found: list[Part] = []
    for words, part in parts:
        for one in (Words(words), part):
            last = found[-1] if found else None
            if isinstance(one, Words) and isinstance(last, Words):
                found[-1] = Words(last.text + one.text)
            elif one != Words(""):
                found.append(one)
    return tuple(found)


Variables = tuple[Variable, ...]


def parts(variables: Iterable[Variable], language: str, depth: int = 2) -> st.SearchStrategy[Any]:
    """Parts that agree with the variables and the language, with so many forms in forms."""
    return _parts(tuple(variables), language, depth, is_plural=False)


@cache
def _parts(
    variables: Variables, language: str, depth: int, *, is_plural: bool
) -> st.SearchStrategy[Any]:
    choices: list[st.SearchStrategy[Any]] = [st.just(Words("x"))]
    if is_plural:
        choices.append(st.just(Count()))
    for variable in variables:
        choices += _mentions(variable)
        if depth:
            choices += _choices(variable, variables, language, depth)
    return st.lists(st.tuples(WORDS, st.one_of(choices)), max_size=3).map(merged)


def _mentions(variable: Variable) -> list[st.SearchStrategy[Any]]:
    name = variable.name
    if variable.type in _COUNTED:
        return [st.sampled_from([Plain(name), Number(name)])]
    if variable.type is VariableType.MONEY:
        return [st.sampled_from([Plain(name), Amount(name)])]
    if variable.type is VariableType.TEXT:
        return [st.just(Plain(name))]
    if variable.can_be_empty:
        return []
    return [st.sampled_from([Plain(name), *(Day(name, style) for style in DATE_STYLES)])]


def _choices(
    variable: Variable, variables: Variables, language: str, depth: int
) -> list[st.SearchStrategy[Any]]:
    name = variable.name
    if variable.type in _COUNTED:
        inner = _parts(variables, language, depth - 1, is_plural=True)
        return [_forms(Plural, name, dict.fromkeys([*needed_forms(language), "=0"], inner))]
    inner = _parts(variables, language, depth - 1, is_plural=False)
    if variable.type is VariableType.TEXT:
        return [_forms(Select, name, dict.fromkeys([NONE, "Gold", OTHER], inner))]
    if variable.type is VariableType.DATE and variable.can_be_empty:
        known = Variable(name, VariableType.DATE, "", None)
        others = tuple(one for one in variables if one is not variable)
        present = _parts((*others, known), language, depth - 1, is_plural=False)
        return [_forms(Select, name, {NONE: inner, OTHER: present})]
    return []


def _forms(kind: Any, name: str, forms: dict[str, Any]) -> st.SearchStrategy[Any]:
    made = st.tuples(*forms.values())
    return made.map(lambda inner: kind(name, tuple(zip(forms, inner, strict=True))))


def value(variable: Variable) -> st.SearchStrategy[Value]:
    """A value of the variable."""
    extremes = st.sampled_from([LEAST_INTEGER, GREATEST_INTEGER, 0, 1])
    integers = extremes | st.integers(LEAST_INTEGER, GREATEST_INTEGER)
    if variable.type in _COUNTED:
        return integers
    if variable.type is VariableType.MONEY:
        codes = st.sampled_from(sorted(currency_codes()))
        return st.builds(Money, integers, codes, st.integers(0, 4))
    if variable.type is VariableType.DATE:
        days = st.sampled_from(_LONG_DAYS) | st.dates(date.min, date.max)
        return st.none() | days if variable.can_be_empty else days
    longest = st.just("\U0001f381" * 500)
    return st.one_of(longest, st.just("Gold"), st.text(st.characters(), max_size=150))


def values(variables: Mapping[str, Variable]) -> st.SearchStrategy[dict[str, Value]]:
    """A value of each variable."""
    return st.fixed_dictionaries({name: value(one) for name, one in variables.items()})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A plain document of a message whose texts agree with its variables."""
    trigger = draw(st.sampled_from([None, *TRIGGERS]))
    variables = variables_of(trigger)
    languages = draw(st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=2, unique=True))

    def text(language: str, maximum: int) -> str:
        made = written(draw(parts(variables.values(), language, 1)))
        return made if made.strip() and len(made) <= maximum else "x"

    made: dict[str, Any] = {
        "category": "points",
        "default_language": languages[0],
        "texts": {one: {"title": text(one, 200), "body": text(one, 1_000)} for one in languages},
        "data": {"x": "{name}"} | ({"points": "{points}"} if "points" in variables else {}),
        "link": draw(st.sampled_from(["app://x/{name}?p={programme}", "https://example.com/a"])),
        "collapse_key": "a",
        "image": "https://example.com/a.png",
        "android": {"channel_id": "offers", "color": "#ff0000"},
        "apns": {"sound": "default", "interruption_level": "time-sensitive"},
        "web_push": {"urgency": "low", "require_interaction": True},
    }
    if trigger is not None:
        made["trigger"] = {"kind": trigger}
    return made
