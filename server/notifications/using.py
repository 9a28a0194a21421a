"""Texts put to use: made into functions of their variables' values, and at their longest."""

from collections.abc import Callable, Mapping
from datetime import date
from enum import Enum, auto
from typing import cast

from server.messages import plurals
from server.notifications import values
from server.notifications.templates import (
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
)
from server.notifications.triggers import Money, Value, Variable, VariableType
from server.notifications.values import Measure

Given = Mapping[str, Value]
Saying = Callable[[Given], str]
"""What a text says, of the values of its variables."""


class Use(Enum):
    """What reads a text."""

    WORDS = auto()  # people
    DATA = auto()  # the app: a plain mention is for programs
    LINK = auto()  # the app or a browser: values are percent-encoded


def saying(
    parts: Parts, variables: Mapping[str, Variable], language: str, use: Use = Use.WORDS
) -> Saying:
    """The text as a function. Assumes that it fits its variables."""
    return _joined([_said(part, variables, language, use, "") for part in parts])


def _joined(said: list[Saying | str]) -> Saying:
    if all(isinstance(one, str) for one in said):
        fixed = "".join(cast(list[str], said))
        return lambda _given: fixed
    if len(said) == 1:
        return cast(Saying, said[0])
    return lambda given: "".join([one if type(one) is str else one(given) for one in said])  # type: ignore[operator]


def _said(
    part: Part, variables: Mapping[str, Variable], language: str, use: Use, counted: str
) -> Saying | str:
    """What a part says; `counted` names the variable that # stands for."""
    if isinstance(part, Words):
        return part.text
    if isinstance(part, Count):
        return lambda given: values.number(cast(int, given[counted]), language)
    if isinstance(part, Plural | Select):
        return _chosen(part, variables, language, use, counted)
    if isinstance(part, Plain):
        return _plain(variables[part.name], language, use)
    return _formatted(part, language)


def _chosen(
    part: Plural | Select, variables: Mapping[str, Variable], language: str, use: Use, counted: str
) -> Saying:
    name = part.name
    inner = name if isinstance(part, Plural) else counted
    forms = {
        selector: _joined([_said(one, variables, language, use, inner) for one in form])
        for selector, form in part.forms
    }
    if isinstance(part, Plural):
        return lambda given: _counted(forms, cast(int, given[name]), language)(given)
    return lambda given: _selected(forms, given[name])(given)


def _formatted(part: Number | Amount | Day, language: str) -> Saying:
    name = part.name
    if isinstance(part, Number):
        return lambda given: values.number(cast(int, given[name]), language)
    if isinstance(part, Amount):
        return lambda given: values.money(cast(Money, given[name]), language)
    style = part.style
    return lambda given: values.day(cast(date, given[name]), style, language)


def _counted(forms: Mapping[str, Saying], number: int, language: str) -> Saying:
    exact = forms.get(f"={number}")
    if exact is not None:
        return exact
    return forms.get(plurals.category(number, language)) or forms[OTHER]


def _selected(forms: Mapping[str, Saying], value: Value) -> Saying:
    chosen = NONE if value is None or value == "" else str(value)
    return forms.get(chosen) or forms[OTHER]


def _plain(variable: Variable, language: str, use: Use) -> Saying:
    name, maximum, type_ = variable.name, variable.maximum, variable.type
    if use is Use.LINK:
        return lambda given: values.linked(given[name], maximum)
    if type_ is VariableType.TEXT:
        return lambda given: values.words(cast(str, given[name]), maximum)
    if use is Use.DATA:
        return lambda given: values.raw(given[name], maximum)
    if type_ is VariableType.MONEY:
        return lambda given: values.money(cast(Money, given[name]), language)
    if type_ is VariableType.DATE:
        return lambda given: values.day(cast(date, given[name]), "medium", language)
    return lambda given: values.number(cast(int, given[name]), language)


# ---------------------------------------------------------------- at their longest


def longest(
    parts: Parts,
    variables: Mapping[str, Variable],
    language: str,
    measure: Measure,
    use: Use = Use.WORDS,
) -> str:
    """A text that is at least as long as whatever the text can say, as `measure` counts.

    `measure` must be the sum over the characters.
    """
    return "".join(_longest(part, variables, language, measure, use) for part in parts)


def _longest(
    part: Part, variables: Mapping[str, Variable], language: str, measure: Measure, use: Use
) -> str:
    if isinstance(part, Words):
        return part.text
    if isinstance(part, Count | Number):
        return values.longest_number(language)
    if isinstance(part, Plural | Select):
        forms = (longest(form, variables, language, measure, use) for _selector, form in part.forms)
        return max(forms, key=measure)
    if isinstance(part, Amount):
        return values.longest_money(language, measure)
    if isinstance(part, Day):
        return values.longest_day(part.style, language, measure)
    return _longest_plain(part, variables, language, measure, use)


def _longest_plain(
    part: Plain, variables: Mapping[str, Variable], language: str, measure: Measure, use: Use
) -> str:
    variable = variables[part.name]
    if use is Use.WORDS:
        return values.longest_shown(variable, language, measure)
    value = values.longest_value(variable)
    shown = values.linked if use is Use.LINK else values.raw
    return shown(value, variable.maximum)
