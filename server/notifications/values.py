"""The values of variables as texts show them, and how long that can get at most."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date
from babel.numbers import get_currency_symbol

from server.messages.formatting import shown_money, shown_number
from server.money import currency_codes, decimal_of
from server.notifications.templates import DateStyle
from server.notifications.triggers import (
    GREATEST_INTEGER,
    LEAST_INTEGER,
    Money,
    Value,
    Variable,
    VariableType,
)

ELLIPSIS = "…"
LONGEST_CHARACTER = "\U0001f381"
"""Four bytes, and twelve where it is percent-encoded: no character takes more."""
MOST_DIGITS = 4
"""No currency has more of them behind its point."""

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

Measure = Callable[[str], int]


def words(value: str | None, maximum: int | None) -> str:
    """A text as a message shows it: on one line, and cut at its maximum with an ellipsis."""
    if value is None:
        return ""
    shown = value if value.isprintable() else _UNSHOWN.sub(" ", value)
    if maximum is None or len(shown) <= maximum:
        return shown
    return shown[: maximum - 1].rstrip() + ELLIPSIS


def number(value: int, language: str) -> str:
    """A whole number as the language writes it: 12,345 in English."""
    assert LEAST_INTEGER <= value <= GREATEST_INTEGER, "a number that no column holds"
    return shown_number(value, language)


def money(value: Money, language: str) -> str:
    """An amount as the language writes it: €12.34 in English."""
    assert LEAST_INTEGER <= value.amount_minor <= GREATEST_INTEGER, "an amount no column holds"
    return shown_money(value.amount_minor, value.currency, digits=value.digits, language=language)


@lru_cache(maxsize=4096)
def day(value: date | None, style: DateStyle, language: str) -> str:
    """A calendar day as the language writes it: Oct 3, 2026 in English, at medium length."""
    return "" if value is None else format_date(value, format=style, locale=_locale(language))


def raw(value: Value, maximum: int | None) -> str:
    """A value for programs: digits alone, 12.34 for an amount, 2026-10-03 for a day."""
    if isinstance(value, Money):
        return f"{decimal_of(value.amount_minor, value.digits):f}"
    if isinstance(value, int | date):
        return str(value)
    return words(value, maximum)


def linked(value: Value, maximum: int | None) -> str:
    """A value as part of a link: percent-encoded."""
    return quote(raw(value, maximum), safe="")


# ---------------------------------------------------------------- at their longest


def longest_value(variable: Variable) -> Value:
    """A value of the variable than which none is longer in digits alone or in a link."""
    if variable.type is VariableType.TEXT:
        return LONGEST_CHARACTER * (variable.maximum or 0)
    if variable.type is VariableType.MONEY:
        return Money(LEAST_INTEGER, "XXX", MOST_DIGITS)
    return date.max if variable.type is VariableType.DATE else LEAST_INTEGER


def longest_number(language: str) -> str:
    """A number than which none is longer."""
    return number(LEAST_INTEGER, language)


@lru_cache(maxsize=256)
def longest_money(language: str, measure: Measure) -> str:
    """An amount than which none is longer, in whatever currency."""
    amounts = (
        Money(LEAST_INTEGER, code, digits)
        for code in _longest_currencies(language, measure)
        for digits in range(MOST_DIGITS + 1)
    )
    return max((money(amount, language) for amount in amounts), key=measure)


def _longest_currencies(language: str, measure: Measure) -> Iterable[str]:
    """The currencies with the longest signs: the longest of all, and of those that letters end,
    which stand apart from the figures."""
    by_sign = {
        get_currency_symbol(code, locale=_locale(language)): code
        for code in sorted(currency_codes())
    }
    lettered = [sign for sign in by_sign if sign[-1].isalpha()]
    return {by_sign[max(each, key=measure)] for each in (list(by_sign), lettered) if each}


@lru_cache(maxsize=1024)
def longest_day(style: DateStyle, language: str, measure: Measure) -> str:
    """A day than which none is longer: from the 10th to the 31st, each month has each weekday."""
    days = (date(2026, month, 10 + one) for month in range(1, 13) for one in range(18))
    return max((day(one, style, language) for one in days), key=measure)


def longest_shown(variable: Variable, language: str, measure: Measure) -> str:
    """What a plain mention of the variable gives at its longest."""
    if variable.type is VariableType.MONEY:
        return longest_money(language, measure)
    if variable.type is VariableType.DATE:
        return longest_day("medium", language, measure)
    if variable.type is VariableType.TEXT:
        return LONGEST_CHARACTER * (variable.maximum or 0)
    return longest_number(language)


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")
