"""Files are read as what was written, whatever stands in them."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.definitions import bundles, tables, writing
from server.definitions.bundles import Item
from server.definitions.errors import InvalidDefinition
from server.definitions.formats import FileFormat
from server.definitions.rules import canonical, digest_of
from server.programme.reading import plain_data
from tests.definitions.things import NOW, Leaflet, Poster

# Texts that something else might be read for.
TRICKY = [
    *("NO", "true", "null", "~", "", "1e3", "0150", "1_000", "-5", "+1", "=1+1", "@a", "-x", "NaN"),
    *(
        " a",
        "a ",
        "a: b",
        "# c",
        "- d",
        '"',
        "'",
        "a\nb",
        "\n",
        "2017-05-08",
        "[1]",
        "{",
        "[x",
        "é",
    ),
    *(
        "a, b",
        ";",
        "\t",
        "\u2028",
        "\x85",
        "\ufeff",
        "😀",
        "1.5",
        ".5",
        "0x1F",
        "12:30",
        "*a",
        "&a",
    ),
]
texts = st.sampled_from(TRICKY) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20
)
leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | texts
documents = st.dictionaries(
    texts,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def digest(plain: Any) -> str:
    return digest_of(canonical(plain))


@given(documents | leaves)
def test_yaml_is_read_as_the_data_that_was_written(plain: Any) -> None:
    read, repeated = plain_data(writing.yaml_of(plain))
    assert (digest(read), repeated) == (digest(plain), [])


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("file_format", FileFormat)
def test_a_text_that_looks_like_something_else_stays_text(
    file_format: FileFormat, text: str
) -> None:
    plain = {"a": text, "b": [text], text: {"c": text}}
    file = bundles.written([Item("any", "a", None, plain)], file_format)
    (found,) = bundles.read(file, file_format)
    assert found.document == plain


items = st.builds(
    Item,
    st.sampled_from(["any", "other"]),
    st.sampled_from(["a", "b-2"]),
    st.none() | st.integers(0, 2**50).map(Instant),
    documents | st.none(),
)


@pytest.mark.parametrize("file_format", FileFormat)
@given(st.lists(items, max_size=5))
def test_a_file_is_read_as_the_items_that_were_written(
    file_format: FileFormat, given_items: list[Item]
) -> None:
    read = bundles.read(bundles.written(given_items, file_format), file_format)
    assert [(one.kind, one.key, one.effective_at) for one in read] == [
        (one.kind, one.key, one.effective_at) for one in given_items
    ]
    assert [digest(one.document) for one in read] == [digest(one.document) for one in given_items]


@given(documents)
def test_no_cell_begins_as_a_formula_does(plain: Any) -> None:
    text = bundles.written([Item("any", "a", NOW, plain)], FileFormat.CSV)
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            assert not cell or cell[0].isalnum() or cell[0] in '"[{_. '
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_table_has_a_row_for_each_and_a_column_for_each_leaf() -> None:
    first = {"discount": {"kind": "percent", "rate_bps": 500}, "tags": ["a", "=b"], "stores": []}
    second = {"title": {"en-GB": "1", "en": "Hi"}, "change": -5}
    text = bundles.written(
        [Item("any", "first", None, first), Item("any", "second", NOW, second), gone()],
        FileFormat.CSV,
    )
    assert text.splitlines() == [
        "kind,key,effective_at,discount.kind,discount.rate_bps,tags[0],tags[1],stores,title.en-GB,"
        "title.en,change,.",
        'any,first,,percent,500,a,"""=b""",[],,,,',
        'any,second,2026-03-04T17:00:00Z,,,,,,"""1""",Hi, -5,',
        "any,gone,,,,,,,,,,null",
    ]


def gone() -> Item:
    return Item("any", "gone", None, None)


def test_keys_stand_in_the_order_of_their_type() -> None:
    plain = {
        "tags": ["x"],
        "discount": {"rate_bps": 500, "kind": "percent"},
        "title": {"lt": "Vasara", "en": "Summer"},
    }
    assert writing.document_text(plain, Poster) == (
        "title:\n  en: Summer\n  lt: Vasara\n"
        "discount:\n  kind: percent\n  rate_bps: 500\n"
        "tags:\n- x\n"
    )
    assert writing.document_text({"copies": 2, "poster": "a"}, Leaflet) == "poster: a\ncopies: 2\n"


def problems(text: str, file_format: FileFormat) -> list[tuple[tuple[str | int, ...], str | None]]:
    with pytest.raises(InvalidDefinition) as refused:
        bundles.read(text, file_format)
    return [(one.path, one.value) for one in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [((), None)]),
        ("[1]", [((), "[1]")]),
        ("laurel_definitions: 2\ndefinitions: []", [(("laurel_definitions",), "2")]),
        ("laurel_definitions: true\ndefinitions: []", [(("laurel_definitions",), "true")]),
        ("definitions: []", [(("laurel_definitions",), None)]),
        ("laurel_definitions: 1", [(("definitions",), None)]),
        ("laurel_definitions: 1\ndefinitions: []\nmore: 1", [(("more",), "1")]),
        ("laurel_definitions: 1\ndefinitions: [1]", [(("definitions", 0), "1")]),
        (
            "laurel_definitions: 1\ndefinitions:\n- {kind: 1, key: a, document: {}}\n"
            "- {kind: a, key: b, document: {}, effective_at: soon, more: 1}",
            [
                (("definitions", 0, "kind"), "1"),
                (("definitions", 1, "more"), "1"),
                (("definitions", 1, "effective_at"), '"soon"'),
            ],
        ),
        ("a: 1\na: 2", [(("a",), "2"), (("laurel_definitions",), None), (("a",), "1")]),
        ("a: [", [((), '"line 2, column 1: did not find expected node content"')]),
    ],
)
def test_what_is_wrong_in_yaml_is_told_with_its_place(
    text: str, expected: list[tuple[tuple[str | int, ...], str | None]]
) -> None:
    assert problems(text, FileFormat.YAML)[: len(expected)] == expected


HEADER = "kind,key,effective_at"


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("", ("rows", 1), "[]"),
        ("kind,key,x\n", ("rows", 1), '["kind", "key", "x"]'),
        (f"{HEADER},a,a\n", ("rows", 1, "a"), '"a"'),
        (f"{HEADER},a..b\n", ("rows", 1, "a..b"), '"a..b"'),
        (f"{HEADER},a[01]\n", ("rows", 1, "a[01]"), '"a[01]"'),
        (f"{HEADER},a\nk,b,,1,2\n", ("rows", 2), '"5 cells"'),
        (f"{HEADER},a\nk,b,soon,1\n", ("rows", 2, "effective_at"), '"soon"'),
        (f"{HEADER},a\nk,b,,[1]\n", ("rows", 2, "a"), '"[1]"'),
        (f'{HEADER},a\nk,b,,"""x"\n', ("rows", 2, "a"), '"\\"x"'),
        (f"{HEADER},a\nk,b,,\n", ("rows", 2, "."), None),
        (f"{HEADER},a,a.b\nk,b,,1,2\n", ("rows", 2, "a.b"), None),
        (f"{HEADER},a.b,a\nk,b,,1,2\n", ("rows", 2, "a"), None),
        (f"{HEADER},a[0],a.b\nk,b,,1,2\n", ("rows", 2, "a.b"), None),
        (f"{HEADER},a[1]\nk,b,,1\n", ("rows", 2, "."), None),
        (f'{HEADER},a\nk,b,,"1\n', (), '"unexpected end of data"'),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_place(
    text: str, place: tuple[str | int, ...], value: str | None
) -> None:
    assert problems(text, FileFormat.CSV) == [(place, value)]


def test_a_table_may_come_from_a_spreadsheet_with_semicolons() -> None:
    text = "\ufeffkind;key;effective_at;a.b\r\nany;x;;1\r\n;;;\r\n"
    assert bundles.read(text, FileFormat.CSV) == [
        Item("any", "x", None, {"a": {"b": 1}}, ("rows", 2), ("rows", 2))
    ]


def test_a_cell_of_a_list_inside_is_read_at_its_place() -> None:
    plain = {"a": [[1, {"b": []}], {}], "c d": {"": None}}
    cells = tables.cells(plain)
    assert cells == {
        "a[0][0]": "1",
        "a[0][1].b": "[]",
        "a[1]": "{}",
        '["c d"][""]': "null",
    }
    read = tables.plain_of(cells, {name: tables.path_of(name) for name in cells})
    assert json.dumps(read) == json.dumps(plain)
