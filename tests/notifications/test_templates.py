"""The language of messages' texts: what it reads, what it refuses and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.notifications.templates import (
    MAXIMUM_DEPTH,
    Amount,
    Count,
    Day,
    InvalidTemplate,
    Number,
    Parts,
    Plain,
    Plural,
    Select,
    Words,
    arguments,
    parsed,
    written,
)
from server.notifications.triggers import TRIGGERS
from tests.notifications.templates_made import LANGUAGES, parts


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ()),
        ("Hello", (Words("Hello"),)),
        ("{name}", (Plain("name"),)),
        ("{ name }!", (Plain("name"), Words("!"))),
        ("{points, number}", (Number("points"),)),
        ("{points,number}", (Number("points"),)),
        ("{amount, money}", (Amount("amount"),)),
        ("{day, date}", (Day("day", "medium"),)),
        ("{day, date, full}", (Day("day", "full"),)),
        (
            "{n, plural, =0 {none} one {# point} other {# points}}",
            (
                Plural(
                    "n",
                    (
                        ("=0", (Words("none"),)),
                        ("one", (Count(), Words(" point"))),
                        ("other", (Count(), Words(" points"))),
                    ),
                ),
            ),
        ),
        (
            "{tier,select,Gold{gold}other{for {name}}}",
            (
                Select(
                    "tier",
                    (("Gold", (Words("gold"),)), ("other", (Words("for "), Plain("name")))),
                ),
            ),
        ),
        ("#1, |x|, a=b", (Words("#1, |x|, a=b"),)),
        ("line\nline", (Words("line\nline"),)),
        # Apostrophes, as in ICU.
        ("It's here", (Words("It's here"),)),
        ("It''s here", (Words("It's here"),)),
        ("'{'name'}'", (Words("{name}"),)),
        ("'{name} isn''t one'", (Words("{name} isn't one"),)),
        ("'#' '", (Words("'#' '"),)),
        ("at the end'", (Words("at the end'"),)),
        ("{n, plural, other {'#' #}}", (Plural("n", (("other", (Words("# "), Count())),)),)),
    ],
)
def test_a_text_is_read_as_its_parts(source: str, expected: Parts) -> None:
    assert parsed(source) == expected


@pytest.mark.parametrize(
    ("source", "where", "accepted"),
    [
        ("{", "line 1, column 2", "the name of a variable, such as {points}"),
        ("{}", "line 1, column 2", "the name of a variable, such as {points}"),
        ("a\nb {1}", "line 2, column 4", "the name of a variable, such as {points}"),
        ("{name", "line 1, column 6", "a closing brace, or a comma and a format"),
        ("{name, upper}", "line 1, column 8", "number, money, date, plural or select"),
        ("{n, number, x}", "line 1, column 11", "a closing brace"),
        ("{d, date, tiny}", "line 1, column 11", "short, medium, long or full"),
        ("a }", "line 1, column 3", "no closing brace without an opening one; as a character it"),
        ("l'{name}", "line 1, column 2", "a second apostrophe; before a brace one begins"),
        ("{n, plural}", "line 1, column 11", "a comma, and then the forms"),
        ("{n, plural, one {x}}", "line 1, column 20", "a form for other: other {…}"),
        ("{n, plural, some {x}}", "line 1, column 13", "one of few, many, one, other, two, zero"),
        ("{n, plural, other {x} other {y}}", "line 1, column 23", "each form once; other stands"),
        ("{n, plural, =01 {x}}", "line 1, column 15", "an opening brace, and then the form"),
        ("{t, select, a b {x}}", "line 1, column 15", "an opening brace, and then the form"),
        ("{t, select, other {x}", "line 1, column 22", "the name of a form, such as other {…}"),
        ("{t, select, other {x", "line 1, column 21", "a closing brace"),
        (
            "{n, plural, other {{t, select, other {#}}}}",
            "line 1, column 39",
            "here the variable's name, as in {points, number}, in place of #",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(
    source: str, where: str, accepted: str
) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        parsed(source)
    assert raised.value.accepted.endswith(f"({where})")
    assert raised.value.accepted.startswith(accepted)


def test_forms_stand_in_forms_so_deep_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        return "x" if not depth else f"{{t, select, other {{{nested(depth - 1)}}}}}"

    assert len(list(arguments(parsed(nested(MAXIMUM_DEPTH))))) == MAXIMUM_DEPTH
    with pytest.raises(InvalidTemplate, match=f"at most {MAXIMUM_DEPTH} deep"):
        parsed(nested(MAXIMUM_DEPTH + 1))


@given(st.data(), st.sampled_from(sorted(TRIGGERS)), st.sampled_from(LANGUAGES))
def test_parts_that_are_written_are_read_as_the_same_parts(
    data: st.DataObject, trigger: str, language: str
) -> None:
    made: Parts = data.draw(parts(TRIGGERS[trigger].variables.values(), language))
    assert parsed(written(made)) == made


@pytest.mark.parametrize(
    ("made", "source"),
    [
        ((Words("It's"),), "It''s"),
        ((Words("{it's} '"),), "'{it''s} '''"),
        ((Words("'{"), Plain("a")), "'''{'{a}"),
        ((Words("#"),), "#"),
        ((Plural("n", (("other", (Words("a #"), Count())),)),), "{n, plural, other {a '#'#}}"),
    ],
)
def test_special_characters_are_written_between_apostrophes(made: Parts, source: str) -> None:
    assert written(made) == source
    assert parsed(source) == made


@given(st.text(st.sampled_from("{}'#,= \nnother=0plural select date number"), max_size=60))
def test_any_text_is_read_or_refused(source: str) -> None:
    try:
        found = parsed(source)
    except InvalidTemplate:
        return
    assert parsed(written(found)) == found
