"""Which YAML is read, as what, and what is refused before anything is built from it."""

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from server.programme import reading
from server.programme.errors import DocumentProblem, InvalidDocument
from server.programme.reading import MAXIMUM_BYTES, plain_data


def refused(text: str) -> DocumentProblem:
    with pytest.raises(InvalidDocument) as raised:
        plain_data(text)
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("150_000", 150000),
        ("'5'", "5"),
        ("0150", "0150"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("e", "e"),
        ("E5", "E5"),
        (".inf", float("inf")),
        ("true", True),
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("", None),
        ("~", None),
        ("null", None),
        ("2017-01-01", "2017-01-01"),
        ("<<", "<<"),
        ("=", "="),
        ("9" * 41, "9" * 41),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_a_scalar_is_read_as(text: str, value: Any) -> None:
    read, repeated = plain_data(f"key: {text}")
    assert read == {"key": value}
    assert isinstance(read, dict)
    assert type(read["key"]) is type(value)
    assert repeated == []


def test_an_empty_text_is_nothing() -> None:
    assert plain_data("") == (None, [])
    assert plain_data("# only a comment\n") == (None, [])


def test_json_is_read() -> None:
    assert plain_data('{"a": [1, "1", null, {"b": {}}]}')[0] == {"a": [1, "1", None, {"b": {}}]}


def test_keys_that_stand_twice_are_all_reported() -> None:
    _, repeated = plain_data("a: 1\nb: {c: 1, 'c': 2}\na: 3\n")
    assert repeated == [
        DocumentProblem(("b", "c"), "2", "each key once; it stands again in line 2"),
        DocumentProblem(("a",), "3", "each key once; it stands again in line 3"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1", DocumentProblem(("a",), '"&x"', "the value alone; no YAML anchors")),
        ("a: [&x {}]", DocumentProblem(("a", 0), '"&x"', "the value alone; no YAML anchors")),
        ("&x a: 1", DocumentProblem((), '"&x"', "the value alone; no YAML anchors")),
        ("a: {b: *x}", DocumentProblem(("a", "b"), '"*x"', "the value itself; no YAML aliases")),
        (
            "a: !!python/object/apply:os.system [ls]",
            DocumentProblem(
                ("a",),
                '"tag:yaml.org,2002:python/object/apply:os.system"',
                "the value alone; no YAML tags",
            ),
        ),
        ("a: ! 1", DocumentProblem(("a",), '"!"', "the value alone; no YAML tags")),
        ("? [a]\n: 1", DocumentProblem((), '"a list or mapping as a key"', "text as a key")),
        ("a: 1\n---\nb: 1", DocumentProblem((), '"a second document after ---"', "one document")),
        (
            "\ud800",
            DocumentProblem((), '"half of a surrogate pair"', "text in Unicode"),
        ),
        (
            "x" * (MAXIMUM_BYTES + 1),
            DocumentProblem((), '"262145 bytes"', "a document of at most 262144 bytes"),
        ),
        (
            "ž" * (MAXIMUM_BYTES // 2 + 1),
            DocumentProblem((), '"262146 bytes"', "a document of at most 262144 bytes"),
        ),
    ],
)
def test_what_is_more_than_data_is_refused(text: str, problem: DocumentProblem) -> None:
    assert refused(text) == problem


def test_billion_laughs_are_refused_at_the_first() -> None:
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert refused("\n".join(lines)).path == ("a0",)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 60_000, "- " * 100_000], ids=len)
def test_deep_nesting_is_refused_without_being_followed(text: str) -> None:
    problem = refused(text)
    assert len(problem.path) == 17
    assert problem.accepted == "values nested at most 16 deep"


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 1\n b: 2", "\x00", "a: '", "%YAML 9.9", "\t- a", '"\\q"']
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str) -> None:
    problem = refused(text)
    assert problem.path == ()
    assert problem.accepted == "a YAML document"


@given(st.text(max_size=200) | st.text("{}[]:,-&*!|>'\"#%@`? \nab01", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidDocument):
        plain_data(text)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize("text", [r'a: "\ud800"', r'"\ud800": 1', r'a: "\U00110000"'])
def test_letters_that_do_not_exist_are_refused_by_either_parser(
    loader: object, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LOADER", loader)
    assert refused(text).line.encode()


@given(text=st.text(st.characters(codec="utf-8"), max_size=50))
def test_json_is_read_with_all_its_escapes(text: str) -> None:
    assert plain_data(json.dumps({"a": text + "\\\\ud83d💥"})) == (
        {"a": text + "\\\\ud83d💥"},
        [],
    )


def test_half_a_surrogate_pair_in_json_is_refused() -> None:
    assert refused(r'{"a": "\ud83d"}').accepted == "a YAML document"
