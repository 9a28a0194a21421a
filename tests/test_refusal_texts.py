"""Everything that people are told can be told: each key in the code has its texts, and no sentence
stands in the code itself."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import msgspec
import pytest
import yaml

from server import errors, messages
from server.cards.rules import CardStatus
from server.errors import InvalidInput, NotFound, Phrase, phrase
from server.ledger.rules import Reason
from server.messages import told
from server.payouts.rules import PayoutStatus
from server.refusals import Refusal
from server.webhooks.payloads import EventType

SERVER = Path(messages.__file__).parent.parent
LANGUAGES = messages.languages()

KEY_AT = {"RequestRefused": 1, "PersistedQueryNotFound": None, "DocumentRefused": None}
"""Where the message key stands among the arguments; 0 for all that are not named here."""
OPTIONS = {"path", "value", "accepted", "status", "limit", "left", "headers", "extensions"}
"""What is said to a refusal beside its message's facts."""

IN_ENGLISH = {
    "edge/documents.py": "of the document's syntax, as GraphQL's own messages are",
    "edge/scalars.py": "of the values of variables, as GraphQL's own messages are",
    "edge/validating.py": "a rule of GraphQL's specification, in the words of its library",
}
"""Where GraphQLError is raised with a sentence, and of what it speaks: to developers."""


@cache
def trees() -> Sequence[tuple[str, ast.Module]]:
    return [
        (file.relative_to(SERVER).as_posix(), ast.parse(file.read_text(encoding="utf-8")))
        for file in sorted(SERVER.rglob("*.py"))
    ]


@cache
def constants() -> Sequence[tuple[str, str]]:
    """Every text in the code, and where it stands."""
    return [
        (place, node.value)
        for place, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def refusals_by_name(tree: ast.Module) -> dict[str, str]:
    """The refusals that the module knows, also those that it calls by another name."""
    known = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.DomainError)
    }
    names = {name: name for name in known | {"RequestRefused", "phrase"}}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "server.errors":
            names |= {one.asname: one.name for one in node.names if one.asname}
    return names


def literals(node: ast.expr) -> list[str]:
    """The texts that the expression can be, as far as they stand there."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    return []


@cache
def calls() -> Sequence[tuple[str, str, ast.Call]]:
    """Every call that makes a refusal or a phrase: where, of what, and the call."""
    return list(_calls())


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    for place, tree in trees():
        names = refusals_by_name(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                name = node.func.id if isinstance(node.func, ast.Name) else called
                # GraphQL's own types of the same names are made by `edge/problems.py` alone.
                if name in names and place != "edge/problems.py":
                    yield f"{place}:{node.lineno}", names[name], node


@cache
def keyed() -> Sequence[tuple[str, str, set[str], bool]]:
    """Where a message key stands with its facts: the place, the key, the facts, and if all are
    known."""
    return list(_keyed())


def _keyed() -> Iterator[tuple[str, str, set[str], bool]]:
    for place, name, call in calls():
        at = KEY_AT.get(name, 0)
        if at is None or len(call.args) <= at:
            continue
        facts = {one.arg for one in call.keywords if one.arg}
        are_all = all(one.arg for one in call.keywords)
        for key in literals(call.args[at]):
            if "." in key or name == "phrase":
                yield place, key, facts, are_all


NO_KEYS = {
    "cashback.caps",
    "cashback.tier_rates_basis_points",
    "household.code_",
    "coupon.limit_",
    "payment.failed",
    "payment.refunded",
    "payment.succeeded",
    "account.opened",
    "password.changed",
    "webhook.disabled_",
}
"""Places of a programme document, the beginning of keys that are put together, what a provider of
payments tells, and the events that no webhook has."""

CHOSEN: list[tuple[str, Iterable[str]]] = [
    ("card.", (one.value for one in CardStatus if one is not CardStatus.ACTIVE)),
    ("statement.", (one.value for one in Reason)),
    ("hold.", ("settled", "released", "expired")),
    ("voucher.", ("used", "cancelled")),
    ("payout.", (one.value for one in PayoutStatus if one is not PayoutStatus.REQUESTED)),
    ("household.code_", ("accepted", "expired", "withdrawn")),
    ("request.", ("tokens", "depth", "characters", "directives", "operations", "fragments")),
]
"""Keys that are put together: their beginning, and what may follow."""


def placeholders(language: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file in (SERVER / "messages" / language).glob("*.yaml"):
        for key, text in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            forms: dict[str, str] = text if isinstance(text, dict) else {"": text}
            found[key] = {
                name
                for kind, form in forms.items()
                if kind != "count"
                for _, name, _, _ in Formatter().parse(form)
                if name is not None
            }
    return found


def test_there_is_something_to_look_at() -> None:
    places = keyed()
    assert len(places) > 250
    assert len({key for _, key, _, _ in places}) > 180
    assert sum(1 for _, name, _ in calls() if name == "phrase") > 80


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_in_the_code_has_a_text(language: str) -> None:
    known = messages.keys(language)
    assert [(place, key) for place, key, _, _ in keyed() if key not in known] == []


def test_what_looks_like_a_key_is_one() -> None:
    """Also where it is handed on to what makes the refusal."""
    known = messages.keys("en")
    families = {key.split(".")[0] for key in known}
    strangers = {
        text
        for place, text in constants()
        if place != "sizes.py" and not text.startswith("http.")
        if re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", text) and text.split(".")[0] in families
    }
    events = {kind.value for kind in EventType}
    assert strangers - known - events == NO_KEYS


@pytest.mark.parametrize(("beginning", "ends"), CHOSEN)
def test_a_key_that_is_put_together_has_a_text_for_every_choice(
    beginning: str, ends: Iterable[str]
) -> None:
    assert [end for end in ends if beginning + end not in messages.keys("en")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_given_the_facts_that_it_tells(language: str) -> None:
    wanted = placeholders(language)
    given_by_themselves = {"CardUnusable": {"status"}, "AlreadyDecided": {"status"}}
    assert given_by_themselves.keys() <= vars(errors).keys()
    wrong = [
        (place, key, sorted(wanted[key] - facts))
        for place, key, facts, are_all in keyed()
        if are_all and wanted[key] - facts
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_is_given_no_fact_that_its_text_leaves_out(language: str) -> None:
    wanted = placeholders(language)
    phrases = {place for place, name, _ in calls() if name == "phrase"}
    wrong = [
        (place, key, sorted(facts - wanted[key] - OPTIONS))
        for place, key, facts, _ in keyed()
        if place in phrases and facts - wanted[key] - OPTIONS
    ]
    assert wrong == []


def test_what_would_be_accepted_is_never_a_sentence_in_the_code() -> None:
    sentences = [
        (place, ast.unparse(one.value))
        for place, _, call in calls()
        for one in call.keywords
        if one.arg in ("accepted", "value")
        and (
            isinstance(one.value, ast.JoinedStr) or any(" " in text for text in literals(one.value))
        )
    ]
    assert sentences == []


def test_no_top_level_error_is_a_sentence_in_the_code_but_those_about_documents() -> None:
    places = {
        place
        for place, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "GraphQLError"
    }
    assert places == IN_ENGLISH.keys()


def test_every_phrase_that_is_written_is_used() -> None:
    used = {key for _, key, _, _ in keyed()}
    written = {key for key in messages.keys("en") if key.startswith(("accepted.", "given."))}
    assert written - used == set()


# ---------------------------------------------------------------- phrases


def test_a_phrase_is_told_in_the_language_of_whoever_is_told() -> None:
    words = phrase("accepted.printable", minimum=3, maximum=500)
    assert told(words, "en") == "3 to 500 printable characters"
    assert told(words, "lt") == "nuo 3 iki 500 spausdinamųjų ženklų"
    assert told(words, "ru") == "от 3 до 500 печатных знаков"
    assert told(phrase("accepted.printable", minimum=1, maximum=21), "ru").endswith(
        "21 печатного знака"
    )
    assert told("EUR", "zh-Hant") == "EUR"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "an instant within the next 3650 days"),
        ("lt", "laikas per artimiausias 3\u00a0650 dienų"),
        ("cs", "čas během příštích 3\u00a0650 dnů"),
        ("zh-Hant", "未來 3,650 天內的時間"),
    ],
)
def test_figures_for_people_are_written_as_their_language_does(language: str, said: str) -> None:
    assert told(phrase("accepted.days_ahead", days=3650), language) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_that_are_sent_are_digits_in_every_language(language: str) -> None:
    for words in (
        phrase("accepted.range", minimum=1000, maximum=2147483647),
        phrase("accepted.minor_units", minimum=2147483647),
        phrase("accepted.payments_within", most=2147483647),
    ):
        assert "2147483647" in told(words, language)


ASKED = InvalidInput(
    "import.count",
    path=("lines",),
    value=phrase("given.import_lines", number=501),
    accepted=phrase("accepted.import_lines", maximum=500),
)


def stored(error: errors.DomainError) -> dict[str, Any]:
    """The refusal as it stands in a stored answer."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(Refusal.of(error)))
    return found


def again(kept: dict[str, Any]) -> errors.DomainError:
    """The refusal that a stored answer holds."""
    return msgspec.convert(kept, Refusal).error()


def test_a_refusal_that_was_kept_is_told_again_in_any_language() -> None:
    error = again(stored(ASKED))
    assert vars(error) == vars(ASKED)
    assert isinstance(error, InvalidInput)
    assert isinstance(error.accepted, Phrase)
    assert [told(error.accepted, language) for language in ("en", "lv")] == [
        "1 to 500 lines",
        "no 1 līdz 500 rindām",
    ]


def test_a_refusal_that_was_kept_before_there_were_phrases_is_told_as_it_was() -> None:
    kept = stored(ASKED)
    kept["state"] |= {"value": "501 lines", "accepted": "1 to 500 lines"}
    error = again(kept)
    assert isinstance(error, InvalidInput)
    assert (error.value, error.accepted) == ("501 lines", "1 to 500 lines")
    assert told(error.accepted, "lt") == "1 to 500 lines"


def test_refusals_without_words_are_kept_as_before() -> None:
    error = again(stored(NotFound("member.not_found", path=("input", "id"))))
    assert (type(error), error.reason, error.path) == (
        NotFound,
        "member.not_found",
        ("input", "id"),
    )
