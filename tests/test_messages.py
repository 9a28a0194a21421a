"""Every language says all that English says, with the same facts, and people get their language."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest
import yaml

from server import messages
from server.messages import language_of_locale, plurals, preferred_language

FOLDER = Path(messages.__file__).parent
LANGUAGES = ("en", "cs", "lt", "lv", "ru", "zh-Hant")
TRANSLATIONS = LANGUAGES[1:]
NUMBERS = (0, 1, 2, 5, 10, 11, 21, 22, 111, 1_500)

Written = str | dict[str, str]


def files(language: str) -> dict[str, dict[str, Written]]:
    """The texts of a language as they are written, by file."""
    return {
        file.name: yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in (FOLDER / language).iterdir()
    }


def written(language: str) -> dict[str, Written]:
    return {key: text for texts in files(language).values() for key, text in texts.items()}


def forms(text: Written) -> Mapping[str, str]:
    if isinstance(text, str):
        return {"": text}
    return {name: form for name, form in text.items() if name != "count"}


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def all_forms(language: str) -> Iterator[tuple[str, str]]:
    for key, text in written(language).items():
        for name, form in forms(text).items():
            yield f"{key} {name}".strip(), form


def test_these_are_the_languages() -> None:
    assert messages.languages() == LANGUAGES
    assert {entry.name for entry in FOLDER.iterdir() if (entry / "common.yaml").exists()} == set(
        LANGUAGES
    )


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_says_what_english_says_file_by_file(language: str) -> None:
    english, translated = files("en"), files(language)
    missing = {
        name: sorted(texts.keys() - translated.get(name, {}).keys())
        for name, texts in english.items()
        if texts.keys() - translated.get(name, {}).keys()
    }
    superfluous = {
        name: sorted(texts.keys() - english.get(name, {}).keys())
        for name, texts in translated.items()
        if texts.keys() - english.get(name, {}).keys()
    }
    assert (missing, superfluous) == ({}, {})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_of_a_text_has_the_placeholders_of_the_english_one(language: str) -> None:
    english = {
        key: set().union(*(placeholders(form) for form in forms(text).values()))
        for key, text in written("en").items()
    }
    differing = {
        key: form
        for key, text in written(language).items()
        for form in forms(text).values()
        if placeholders(form) != english[key]
    }
    assert differing == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_counted_text_has_all_forms_of_its_language_and_says_what_counts(language: str) -> None:
    counted = {key: text for key, text in written(language).items() if isinstance(text, dict)}
    assert counted
    for key, text in counted.items():
        assert forms(text).keys() == plurals.categories(language), key
        assert all(text["count"] in placeholders(form) for form in forms(text).values()), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_said_of_every_number(language: str) -> None:
    for key, text in written(language).items():
        names = {name for form in forms(text).values() for name in placeholders(form)}
        for number in NUMBERS:
            said = messages.text(key, language, **dict.fromkeys(names, number))
            assert said.strip() == said != ""
            assert "{" not in said


def sentences(language: str) -> list[tuple[str, str]]:
    """All forms that have words of their own beside what is filled in."""
    return [
        (name, form)
        for name, form in all_forms(language)
        if re.search(r"\w", re.sub(r"\{\w+\}", "", form))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_one_clean_line_in_the_script_of_their_language(language: str) -> None:
    script = {"ru": "[а-яё]", "zh-Hant": "[\u4e00-\u9fff]"}.get(language, "[a-z]")
    for name, form in sentences(language):
        assert re.search(script, form, re.IGNORECASE), name
        assert "  " not in form, name
        assert form.isprintable(), name


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_leaves_no_sentence_in_english(language: str) -> None:
    english = {form for _, form in sentences("en")}
    assert [name for name, form in sentences(language) if form in english] == []


def test_no_key_stands_twice() -> None:
    for language in LANGUAGES:
        lines = [
            line.split(":", 1)[0]
            for file in (FOLDER / language).iterdir()
            for line in file.read_text(encoding="utf-8").splitlines()
            if re.match(r"[a-z]", line)
        ]
        assert len(lines) == len(set(lines)), language


@pytest.mark.parametrize(
    ("language", "categories"),
    [
        ("en", {"one", "other"}),
        ("lt", {"one", "few", "other"}),
        ("lv", {"zero", "one", "other"}),
        ("cs", {"one", "few", "other"}),
        ("ru", {"one", "few", "many"}),
        ("zh-Hant", {"other"}),
    ],
)
def test_the_plural_categories_of_whole_numbers(language: str, categories: set[str]) -> None:
    assert plurals.categories(language) == categories


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 1, "1 place in it is not"),
        ("en", 2, "2 places in it are not"),
        ("lt", 1, "1 netinkama vieta."),
        ("lt", 2, "2 netinkamos vietos."),
        ("lt", 10, "10 netinkamų vietų."),
        ("lt", 11, "11 netinkamų vietų."),
        ("lt", 21, "21 netinkama vieta."),
        ("lv", 1, "1 nederīga vieta."),
        ("lv", 2, "2 nederīgas vietas."),
        ("lv", 11, "11 nederīgu vietu."),
        ("lv", 20, "20 nederīgu vietu."),
        ("lv", 21, "21 nederīga vieta."),
        ("cs", 1, "1 nepřijatelné místo."),
        ("cs", 4, "4 nepřijatelná místa."),
        ("cs", 5, "5 nepřijatelných míst."),
        ("cs", 21, "21 nepřijatelných míst."),
        ("ru", 1, "1 недопустимое место."),
        ("ru", 3, "3 недопустимых места."),
        ("ru", 5, "5 недопустимых мест."),
        ("ru", 11, "11 недопустимых мест."),
        ("ru", 21, "21 недопустимое место."),
        ("ru", 1_001, "1\u00a0001 недопустимое место."),
        ("zh-Hant", 1_001, "1,001 處"),
    ],
)
def test_the_count_chooses_the_form_and_is_written_as_the_language_does(
    language: str, count: int, said: str
) -> None:
    assert said in messages.text("programme.invalid", language, count=count)


def test_a_language_without_texts_is_answered_in_english() -> None:
    assert messages.text("not_found", "fr") == messages.text("not_found", "en")
    assert "1 place" in messages.text("programme.invalid", "ru-RU", count=1)
    with pytest.raises(KeyError):
        messages.text("no.such_key", "lt")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ({"count": "n", "one": "{n}", "other": "{n}"}, "needs the forms few, one, other"),
        ({"count": "n", "one": "1", "few": "2", "many": "3", "other": "4"}, "needs the forms"),
        ({"one": "{n}", "few": "{n}", "other": "{n}"}, "does not say in lt which fact counts"),
    ],
)
def test_a_counted_text_that_is_not_whole_is_not_taken(
    text: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        plurals.CountedText.of("some.key", text, "lt")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("lt", "lt"),
        ("LT-lt", "lt"),
        ("lt-LT,lt;q=0.9,en;q=0.8", "lt"),
        ("lv-LV", "lv"),
        ("cs-CZ;q=0.9", "cs"),
        ("ru-UA, en;q=0.5", "ru"),
        ("zh", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-CN", "zh-Hant"),
        ("zh-Hant", "zh-Hant"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hans-CN", "zh-Hant"),
        ("yue-HK", "zh-Hant"),
        ("en-GB", "en"),
        ("fr", "en"),
        ("fr-FR, de;q=0.9", "en"),
        ("fr, lt;q=0.1", "lt"),
        ("en;q=0.1, lt;q=0.12", "lt"),
        ("lt;q=0.5, cs;q=0.5", "lt"),
        ("cs;q=0.500,lt;q=0.501", "lt"),
        ("lt;q=0, cs", "cs"),
        ("lt;q=0.000", "en"),
        ("*", "en"),
        ("*, lv;q=0.2", "lv"),
        ("fr, *;q=0.5", "en"),
        ("lt ; q=1.0", "lt"),
        ("\tru\t,en;q=0.3", "ru"),
        (",, lv,", "lv"),
        ("ltx, lv;q=0.5", "lv"),
        ("lt;q=2, cs;q=0.1", "cs"),
        ("lt;q=nan, cs;q=0.1", "cs"),
        ("lt;q=-1, cs;q=0.1", "cs"),
        ("lt;level=1, cs;q=0.1", "cs"),
        ("lt_LT, cs;q=0.1", "cs"),
        ("../lt", "en"),
        ("ąž, cs;q=0.1", "cs"),
        (",".join(["fr"] * 19 + ["lt"]), "lt"),
        (",".join(["fr"] * 20 + ["lt"]), "en"),
        ("lt-" + "x" * 10_000, "en"),
    ],
)
def test_the_language_is_looked_up_by_the_header(header: str | None, language: str) -> None:
    assert preferred_language(header) == language


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("lt", "lt"),
        ("lt-LT", "lt"),
        ("lv-LV", "lv"),
        ("cs-CZ", "cs"),
        ("ru-KZ", "ru"),
        ("zh", "zh-Hant"),
        ("zh-TW", "zh-Hant"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hans-CN", "zh-Hant"),
        ("yue", "zh-Hant"),
        ("en-GB", "en"),
        ("pl-PL", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_looked_up_by_a_members_locale(locale: str, language: str) -> None:
    assert language_of_locale(locale) == language
