"""Numbers, money, days and instants, written as people of a language write them (CLDR)."""

import re
from copy import copy
from datetime import date
from functools import lru_cache
from itertools import chain

from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import (
    NumberPattern,
    format_decimal,
    format_percent,
    get_currency_symbol,
)

from server.clock import Instant, LocalDay, date_of, local_datetime
from server.money import decimal_of


def shown_number(number: int, language: str) -> str:
    """A whole number, its thousands set apart: 12,345 in English."""
    return format_decimal(number, locale=_locale(language))


def shown_share(rate_bps: int, language: str) -> str:
    """A share in basis points as a percentage, exact: 12.5% in English."""
    share = decimal_of(rate_bps, 4)
    return format_percent(share, locale=_locale(language), decimal_quantization=False)


def shown_multiple(percent: int, language: str) -> str:
    """How many times as much a percentage is, exact: 2.5 for 250 in English."""
    times = decimal_of(percent, 2)
    return format_decimal(times, locale=_locale(language), decimal_quantization=False)


def shown_money(amount_minor: int, currency: str, *, digits: int, language: str) -> str:
    """An amount in minor units with its currency, an ISO 4217 code: €12.34 in English.

    `digits` is how many digits the minor unit takes: 0 for yen, 3 for Tunisian dinars. All of them
    are shown, and the amount is exact.
    """
    figures = str(abs(amount_minor)).zfill(digits + 1)
    shape = _money_shape(
        len(figures), amount_minor < 0, currency=currency, digits=digits, language=language
    )
    if len(shape) > len(figures):  # all there is between the figures, the ends included
        return "".join(chain.from_iterable(zip(shape, figures, strict=False))) + shape[-1]
    return _written_money(amount_minor, currency, digits=digits, language=language)


@lru_cache(maxsize=1024)
def _money_shape(
    length: int, is_negative: bool, *, currency: str, digits: int, language: str
) -> tuple[str, ...]:
    """What stands around each of the figures of an amount of so many: the same for all of them, for
    it goes by how many there are. Nothing, if that can't be told."""
    sample = int("8" * length)
    written = _written_money(
        -sample if is_negative else sample, currency, digits=digits, language=language
    )
    shape = tuple(written.split("8"))
    return shape if len(shape) == length + 1 else ()


def _written_money(amount_minor: int, currency: str, *, digits: int, language: str) -> str:
    pattern = _money_pattern(currency, digits=digits, language=language)
    return str(
        pattern.apply(
            decimal_of(amount_minor, digits),
            _locale(language),
            currency=currency,
            currency_digits=False,
        )
    )


def shown_day(day: LocalDay | date, language: str) -> str:
    """A calendar day with its year: Oct 3, 2026 in English."""
    day_of_year = day if isinstance(day, date) else date_of(day)
    return format_date(day_of_year, format="medium", locale=_locale(language))


def shown_instant(instant: Instant, *, zone_name: str, language: str) -> str:
    """An instant as the day and the minute in the time zone: Oct 3, 2026, 2:05 PM in English."""
    locale = _locale(language)
    wall_clock = local_datetime(instant, zone_name)
    pattern = str(get_datetime_format("medium", locale=locale)).replace("'", "")
    return pattern.format(
        format_time(wall_clock, format="short", locale=locale),
        format_date(wall_clock, format="medium", locale=locale),
    )


@lru_cache(maxsize=32)
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


@lru_cache(maxsize=128)
def _money_pattern(currency: str, *, digits: int, language: str) -> NumberPattern:
    locale = _locale(language)
    pattern: NumberPattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    if get_currency_symbol(currency, locale=locale)[-1].isalpha():
        # Letters keep a distance that signs don't: TND 1.250, but €1.25 (CLDR, currency spacing).
        positive, negative = (re.sub("¤$", "¤\u00a0", prefix) for prefix in pattern.prefix)
        pattern.prefix = (positive, negative)
    return pattern
