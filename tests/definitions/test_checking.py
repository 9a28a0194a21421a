"""What a document may hold is what its type says; everything wrong is told at once."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from server.definitions import checking, examples, service
from server.definitions.errors import InvalidDefinition
from tests.definitions.things import LEAFLET, POSTER


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class One(Struct, frozen=True, tag="one", tag_field="kind"):
    at: Annotated[datetime, Meta(tz=True)]


class Everything(Struct, frozen=True, omit_defaults=True):
    step: Annotated[int, Meta(ge=0, le=100, multiple_of=5)] = 0
    pair: tuple[int, int] = (0, 0)
    colours: frozenset[Colour] = frozenset()
    word: Literal["yes", "no"] | None = None
    one: One | None = None
    code: Annotated[str, Meta(pattern="^[A-Z]+$", max_length=3)] = "A"
    counts: Annotated[Mapping[str, int], Meta(max_length=2)] = {}


def problems(plain: Any) -> list[tuple[Any, str | None, str]]:
    with pytest.raises(InvalidDefinition) as refused:
        checking.checked(plain, Everything)
    return [(one.path, one.value, one.accepted) for one in refused.value.problems]


@pytest.mark.parametrize(
    ("plain", "place", "accepted"),
    [
        ([], (), "a mapping with the keys step, pair, colours, word, one, code, counts"),
        ({"step": 101}, ("step",), "a whole number from 0 to 100"),
        ({"step": 7}, ("step",), "a whole number from 0 to 100"),
        ({"step": True}, ("step",), "a whole number from 0 to 100"),
        ({"step": 5.0}, ("step",), "a whole number from 0 to 100"),
        ({"colours": ["red", "green"]}, ("colours", 1), "red or blue"),
        ({"colours": ["red", "red"]}, ("colours", 1), "each value once"),
        ({"colours": "red"}, ("colours",), "a list of 0 or more items"),
        ({"word": "maybe"}, ("word",), "no or yes"),
        (
            {"one": {"kind": "one", "at": "2026-12-01T00:00:00"}},
            ("one", "at"),
            "an instant with its zone, such as",
        ),
        ({"one": {"kind": "two", "at": "2026-12-01T00:00:00Z"}}, ("one", "kind"), "one"),
        ({"one": {"kind": "one"}}, ("one", "at"), "an instant with its zone, such as"),
        ({"one": {}}, ("one", "kind"), "one"),
        ({"code": "abc"}, ("code",), "text of at most 3 characters of the form ^[A-Z]+$"),
        ({"code": "A\x00"}, ("code",), "text of at most 3 characters of the form ^[A-Z]+$"),
        ({"code": 1}, ("code",), "text of at most 3 characters of the form ^[A-Z]+$"),
        ({"counts": {"a": 1, "b": 2, "c": 3}}, ("counts",), "a mapping of 0 to 2 keys"),
        ({"counts": {"a": "1"}}, ("counts", "a"), "a whole number"),
        ({"cuonts": {}}, ("cuonts",), "there is no such key; the nearest is counts"),
        ({"pair": [1]}, (), "Expected `array` of length 2, got 1 - at `$.pair`"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    plain: Any, place: tuple[Any, ...], accepted: str
) -> None:
    ((path, _value, told),) = problems(plain)
    assert path == place
    assert told.startswith(accepted)


def test_everything_wrong_is_told_at_once_and_100_places_at_most() -> None:
    assert len(problems({"step": -1, "word": 1, "code": ""})) == 3
    assert len(problems({f"x{number}": 1 for number in range(200)})) == 100


def test_what_fits_is_the_value() -> None:
    plain = {"step": 5, "pair": [1, 2], "one": {"kind": "one", "at": "2026-12-01T00:00:00Z"}}
    found = checking.checked(plain, Everything)
    assert (found.step, found.pair, found.one.at.year) == (5, (1, 2), 2026)


@pytest.mark.parametrize("kind", [POSTER, LEAFLET])
def test_the_example_of_a_kind_fits_its_type(kind: service.Kind) -> None:
    text = examples.example_text(kind)
    checking.checked(service.read(text), kind.document)


def test_the_schema_of_a_kind_has_its_descriptions_and_bounds() -> None:
    schema = examples.schema_text(LEAFLET)
    assert '"description": "The key of the poster."' in schema
    assert '"maximum": 1000' in schema
