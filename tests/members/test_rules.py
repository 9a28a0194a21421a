"""What names, addresses, dates and passwords are taken, and how they're stored."""

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest

from server.errors import InvalidInput
from server.members import rules
from server.messages import told

TODAY = date(2026, 3, 4)


def refused(check: Callable[[], object], *, path: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        check()
    assert caught.value.path == (path,)
    assert told(caught.value.accepted, "en")
    return caught.value


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada ", "Ada"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("李", "李"),
        ("x" * 120, "x" * 120),
    ],
)
def test_a_name_is_stored_composed_and_without_outer_spaces(typed: str, stored: str) -> None:
    assert rules.valid_name(typed) == stored


@pytest.mark.parametrize("typed", ["", "   ", "x" * 121, "A\x00B", "A\nB", "A\u2028B", "A\ud800"])
def test_a_name_has_1_to_120_characters_on_one_line(typed: str) -> None:
    assert refused(lambda: rules.valid_name(typed), path="name").reason == "member.name"


@pytest.mark.parametrize("typed", ["2026-03-04", "1990-02-28", "1896-03-04", "1895-03-05"])
def test_a_birthday_is_a_date_of_the_last_130_years(typed: str) -> None:
    assert rules.valid_birthday(typed, today=TODAY) == typed


@pytest.mark.parametrize(
    "typed",
    [
        "2026-03-05",
        "1895-03-03",
        "2023-02-29",
        "19900228",
        "1990-W09-3",
        "90-02-28",
        "",
        "٢٠٢٠-٠١-٠١",
    ],
)
def test_other_birthdays_are_refused(typed: str) -> None:
    error = refused(lambda: rules.valid_birthday(typed, today=TODAY), path="birthday")
    assert error.reason == "member.birthday"
    assert error.value == typed


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("en", "en"),
        ("en-gb", "en-GB"),
        ("PT-br", "pt-BR"),
        ("zh-TW", "zh-Hant-TW"),
        ("sr-Latn", "sr-Latn"),
        ("es-419", "es-419"),
    ],
)
def test_a_locale_is_stored_in_its_usual_spelling(typed: str, stored: str) -> None:
    assert rules.valid_locale(typed) == stored


@pytest.mark.parametrize(
    "typed", ["", "english", "xx", "en_GB", "en-", "en-XX", "e" * 300, "../en"]
)
def test_an_unknown_locale_is_refused(typed: str) -> None:
    assert refused(lambda: rules.valid_locale(typed), path="locale").reason == "member.locale"


@pytest.mark.parametrize("typed", ["UTC", "Europe/London", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_an_iana_name(typed: str) -> None:
    assert rules.valid_time_zone(typed) == typed


@pytest.mark.parametrize(
    "typed", ["", "utc", "Europe/Atlantis", "+02:00", "/etc/localtime", "../UTC", "localtime"]
)
def test_an_unknown_time_zone_is_refused(typed: str) -> None:
    error = refused(lambda: rules.valid_time_zone(typed), path="timeZone")
    assert error.reason == "member.time_zone"


@pytest.mark.parametrize("typed", ["1", "household 2375", "å-1", "x" * 64])
def test_an_external_id_is_kept_as_it_is(typed: str) -> None:
    assert rules.valid_external_id(typed) == typed


@pytest.mark.parametrize("typed", ["", " 1", "1 ", "x" * 65, "a\tb", "a\x00", "\ud800"])
def test_an_external_id_is_printable_without_outer_spaces(typed: str) -> None:
    error = refused(lambda: rules.valid_external_id(typed), path="externalId")
    assert error.reason == "member.external_id"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [(None, None), ("  ", None), (" Pixel 9 ", "Pixel 9"), ("x" * 120, "x" * 120)],
)
def test_a_device_may_have_a_name(typed: str | None, stored: str | None) -> None:
    assert rules.valid_device_name(typed) == stored


@pytest.mark.parametrize("typed", ["x" * 121, "a\x1bb"])
def test_a_device_name_is_short_and_on_one_line(typed: str) -> None:
    refused(lambda: rules.valid_device_name(typed), path="deviceName")


@pytest.mark.parametrize(
    "typed",
    [
        "ada@example.com",
        "a@b.co",
        "ada+till@localhost",
        "ÅSA@exämple.se",
        "x" * 64 + "@example.com",
    ],
)
def test_an_address_is_stored_as_typed_without_outer_spaces(typed: str) -> None:
    assert rules.valid_email(f" {typed}\n") == typed


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "@example.com",
        "ada@",
        "ada@example",
        "ada@@example.com",
        "ada@b@example.com",
        "ada\uff20b@example.com",  # a second @ once its width is folded
        "a da@example.com",
        "ada@exam\u00a0ple.com",
        "ada@example..com",
        "ada@.example.com",
        "ada@example.com.",
        "ada@-example.com",
        "ada@example-.com",
        "ada\x00@example.com",
        "ada\u200b@example.com",
        "ada\ud800@example.com",
        "x" * 65 + "@example.com",
        "ada@" + "x" * 247 + ".com",
        "\ufdfa" * 20 + "@example.com",  # 18 characters each once they are folded
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    assert refused(lambda: rules.valid_email(typed), path="email").reason == "account.email"


@pytest.mark.parametrize(
    "spelled",
    [
        "ada@example.com",
        "Ada@Example.COM",
        " ada@example.com ",
        "\uff41da@example.com",
        "ADA@EXAMPLE.COM",
    ],
)
def test_spellings_of_one_address_have_one_key(spelled: str) -> None:
    assert rules.email_key(spelled) == "ada@example.com"


def test_case_is_folded_and_not_merely_lowered() -> None:
    assert rules.email_key("STRASSE@example.com") == rules.email_key("straße@example.com")


@pytest.mark.parametrize("typed", ["12345678", "x" * 128, "        ", "pässwörd", "😀" * 8])
def test_a_password_is_any_8_to_128_characters(typed: str) -> None:
    assert rules.valid_password(typed) == typed


def test_a_password_is_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "pässwörd")
    assert decomposed != "pässwörd"
    assert rules.valid_password(decomposed) == "pässwörd"


@pytest.mark.parametrize(
    "typed", ["", "1234567", "e\u0301" * 7, "x" * 129, "12345678\ud800", "x" * 9999]
)
def test_a_refused_password_is_not_repeated(typed: str) -> None:
    error = refused(lambda: rules.valid_password(typed), path="password")
    assert error.reason == "account.password"
    assert error.value is None
    assert told(error.accepted, "en") == "8 to 128 characters of any kind"
