"""Numbers, money, days and instants are written as each language does, and stay exact."""

from datetime import UTC, date, datetime

import pytest

from server.clock import day_of, instant_of
from server.messages import languages
from server.messages.formatting import shown_day, shown_instant, shown_money, shown_number

SPACE = "\u00a0"
LARGEST = 2**63 - 1


def plain(shown: str) -> str:
    """With usual spaces, so that the tests can be read."""
    return shown.replace(SPACE, " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "1,234,567"),
        ("lt", "1 234 567"),
        ("lv", "1 234 567"),
        ("cs", "1 234 567"),
        ("ru", "1 234 567"),
        ("zh-Hant", "1,234,567"),
    ],
)
def test_a_number(language: str, shown: str) -> None:
    assert plain(shown_number(1_234_567, language)) == shown


@pytest.mark.parametrize(
    ("amount_minor", "currency", "digits", "language", "shown"),
    [
        (123_456, "EUR", 2, "en", "€1,234.56"),
        (123_456, "EUR", 2, "lt", "1 234,56 €"),
        (123_456, "EUR", 2, "lv", "1 234,56 €"),
        (123_450, "CZK", 2, "cs", "1 234,50 Kč"),
        (-5, "RUB", 2, "ru", "-0,05 ₽"),
        (5, "EUR", 2, "ru", "0,05 €"),
        (123_456, "TWD", 2, "zh-Hant", "$1,234.56"),
        (1_234, "TWD", 0, "zh-Hant", "$1,234"),
        (123_456, "JPY", 0, "en", "¥123,456"),
        (-123_456, "JPY", 0, "lv", "-123 456 ¥"),
        (0, "JPY", 0, "zh-Hant", "¥0"),
        (1_250, "TND", 3, "en", "TND 1.250"),
        (-1_250, "TND", 3, "en", "-TND 1.250"),
        (1_250, "TND", 3, "cs", "1,250 TND"),
        (1_250, "TND", 3, "zh-Hant", "TND 1.250"),
        (LARGEST, "EUR", 2, "en", "€92,233,720,368,547,758.07"),
        (-LARGEST, "TND", 3, "ru", "-9 223 372 036 854 775,807 TND"),
    ],
)
def test_an_amount_of_money(
    *, amount_minor: int, currency: str, digits: int, language: str, shown: str
) -> None:
    assert plain(shown_money(amount_minor, currency, digits=digits, language=language)) == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Oct 3, 2026"),
        ("lt", "2026-10-03"),
        ("lv", "2026. gada 3. okt."),
        ("cs", "3. 10. 2026"),
        ("ru", "3 окт. 2026 г."),
        ("zh-Hant", "2026年10月3日"),
    ],
)
def test_a_day(language: str, shown: str) -> None:
    day = date(2026, 10, 3)
    assert plain(shown_day(day, language)) == plain(shown_day(day_of(day), language)) == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Oct 4, 2026, 12:05 AM"),
        ("lt", "2026-10-04 00:05"),
        ("lv", "2026. gada 4. okt. 00:05"),
        ("cs", "4. 10. 2026 0:05"),
        ("ru", "4 окт. 2026 г., 00:05"),
        ("zh-Hant", "2026年10月4日 凌晨12:05"),
    ],
)
def test_an_instant_is_shown_in_the_zone(language: str, shown: str) -> None:
    instant = instant_of(datetime(2026, 10, 3, 21, 5, tzinfo=UTC))
    assert plain(shown_instant(instant, zone_name="Europe/Vilnius", language=language)) == shown


def test_every_language_writes_all_of_them() -> None:
    for language in languages():
        assert shown_number(0, language) == "0"
        assert "2026" in shown_day(date(2026, 1, 31), language)
