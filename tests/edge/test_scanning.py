"""The first look at a text counts as GraphQL's own lexer does, and is over at once."""

import time
from typing import Any

import pytest
from graphql import Source, TokenKind, get_introspection_query, parse
from graphql.language import Lexer
from hypothesis import given
from hypothesis import strategies as st

from server.edge import scanning
from server.edge.graphiql import Example
from server.edge.limits import DocumentLimits, VariableLimits
from server.edge.refusing import RequestRefused
from server.examples import EXAMPLES
from server.replay import operations

LIMITS = DocumentLimits()
MEGABYTE = 1_000_000
SENT_BY_REPLAY = [
    one.document for one in vars(operations).values() if isinstance(one, operations.Operation)
]


def lexed(text: str) -> int:
    lexer = Lexer(Source(text))
    count = 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    return count


def refusal(text: str, limits: DocumentLimits = LIMITS) -> tuple[str, object, object] | None:
    try:
        scanning.check(text, limits)
    except RequestRefused as refused:
        return refused.code, refused.extensions["requested"], refused.extensions["allowed"]
    return None


TOKENS = st.one_of(
    st.sampled_from(["...", "!", "$", "&", "(", ")", ":", "=", "@", "[", "]", "{", "|", "}"]),
    st.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,8}", fullmatch=True),
    st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(
        r'"([^"\\\x00-\x1f\ud800-\udfff]|\\["\\/bfnrt]|\\u00[0-9a-f]{2}){0,8}"', fullmatch=True
    ),
    st.lists(st.sampled_from(["a", '\\"""', "\n", "\\", " ", "#", "ž", '" ']), max_size=6).map(
        lambda parts: f'"""{"".join(parts).rstrip(chr(92))}"""'
    ),
)
IGNORED = st.sampled_from([" ", "\n", "\r\n", "\t", ",", "\ufeff", '# a "comment" {\n', "#\n"])


@given(st.lists(st.tuples(TOKENS, IGNORED), max_size=30))
def test_the_tokens_are_those_of_the_lexer(parts: list[tuple[str, str]]) -> None:
    text = "".join(token + ignored for token, ignored in parts)
    unlimited = DocumentLimits(nesting=100, directives=100)
    assert scanning.check(text, unlimited) == lexed(text) == len(parts)


@pytest.mark.parametrize(
    ("fits", "exceeds", "told"),
    [
        (" a" * 1000, " a" * 1001, ("TOO_MANY_TOKENS", 1001, 1000)),
        ("#\n" * 1000, "#\n" * 1001, ("TOO_MANY_TOKENS", 1001, 1000)),
        (" " * 32_768, " " * 32_769, ("TOO_LONG", 32_769, 32_768)),
        ("{[(" * 21 + "{", "{[(" * 21 + "{(", ("TOO_DEEP", 65, 64)),
        ("{}" * 400, "{}" * 400 + "(" * 65, ("TOO_DEEP", 65, 64)),
        ("@a" * 50, "@a" * 51, ("TOO_MANY_DIRECTIVES", 51, 50)),
    ],
    ids=["tokens", "comments", "characters", "nesting", "nesting later", "directives"],
)
def test_what_is_too_much_is_refused_with_figures(
    fits: str, exceeds: str, told: tuple[str, int, int]
) -> None:
    assert refusal(fits) is None
    assert refusal(exceeds) == told


@pytest.mark.parametrize(
    "text", ['{ a(b: "{{{{', '{ a(b: """{{{ \\"""', "# {{{{{{{{", '"@@@@" "{("']
)
def test_brackets_and_signs_in_strings_and_comments_are_none(text: str) -> None:
    assert refusal(text, DocumentLimits(nesting=2, directives=0)) is None


HOSTILE = {
    "quotes": '"' * MEGABYTE,
    "unterminated block": '"""' + "a" * MEGABYTE,
    "escaped blocks": '"""' + '\\"""' * (MEGABYTE // 4),
    "backslashes in a block": '"""' + "\\" * MEGABYTE,
    "backslashes in a string": '"' + "\\" * MEGABYTE,
    "unterminated strings": '"a\n' * (MEGABYTE // 3),
    "NUL": "\0" * MEGABYTE,
    "lone surrogates": "\ud800" * MEGABYTE,
    "comments": "#\n" * (MEGABYTE // 2),
    "a comment": "#" + "a" * MEGABYTE,
    "brackets": "{" * MEGABYTE,
    "digits": "9" * MEGABYTE,
    "fractions": "1." * (MEGABYTE // 2),
    "exponents": "1e" * (MEGABYTE // 2),
    "signs": "-" * MEGABYTE,
    "dots": "." * MEGABYTE,
    "spaces": " " * MEGABYTE,
    "byte order marks": "\ufeff" * MEGABYTE,
    "a name": "a" * MEGABYTE,
    "empty blocks": '""""""' * (MEGABYTE // 6),
    "quotes in a block": '"""' + '""a' * (MEGABYTE // 3),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_anything_is_refused_at_once(text: str) -> None:
    quickest = 1.0
    told = None
    for _ in range(3):
        start = time.thread_time()
        told = refusal(text)
        quickest = min(quickest, time.thread_time() - start)
    assert told is not None
    assert quickest < 0.05  # it is 7 ms at most where nothing else runs


@pytest.mark.parametrize(
    "text",
    [
        *(example.query for example in EXAMPLES),
        *SENT_BY_REPLAY,
        get_introspection_query(),
        get_introspection_query(descriptions=False),
    ],
)
def test_what_people_send_is_at_most_a_fifth_of_the_limit(text: str) -> None:
    parse(text)
    assert scanning.check(text, LIMITS) <= LIMITS.tokens // 5


def test_there_is_something_that_replay_sends() -> None:
    assert len(SENT_BY_REPLAY) >= 4
    assert all(isinstance(example, Example) for example in EXAMPLES)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES = VariableLimits(variables=3, depth=4, values=10)


@pytest.mark.parametrize(
    ("fits", "exceeds", "told"),
    [
        (dict.fromkeys("abc"), dict.fromkeys("abcd"), ("TOO_MANY_VARIABLES", 4, 3)),
        ({"a": nested(4)}, {"a": nested(5)}, ("VARIABLES_TOO_DEEP", 5, 4)),
        ({"a": [1] * 9}, {"a": [1] * 10}, ("TOO_MANY_VALUES", 11, 10)),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": [{"c": [1] * 9}]}}, ("TOO_MANY_VALUES", 13, 10)),
    ],
    ids=["variables", "depth", "values in a list", "values in objects"],
)
def test_variables_are_limited(
    fits: dict[str, Any], exceeds: dict[str, Any], told: tuple[str, int, int]
) -> None:
    scanning.check_variables(fits, VALUES)
    with pytest.raises(RequestRefused) as refused:
        scanning.check_variables(exceeds, VALUES)
    extensions = refused.value.extensions
    assert (refused.value.code, extensions["requested"], extensions["allowed"]) == told


def test_very_deep_variables_are_no_trouble() -> None:
    with pytest.raises(RequestRefused) as refused:
        scanning.check_variables({"a": nested(100_000)}, VariableLimits())
    assert refused.value.code == "VARIABLES_TOO_DEEP"
