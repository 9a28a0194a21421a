"""What is noted of a request has few values, whatever its document calls things."""

import pytest

from server.edge.observing import (
    Outcome,
    note_error,
    note_operation,
    note_refusal,
    note_repetition,
    observing,
)
from server.errors import ProblemCode


@pytest.mark.parametrize(
    ("root_fields", "root_field"),
    [
        (("me",), "me"),
        (("__typename",), "introspection"),
        (("__schema", "__type"), "introspection"),
        (("me", "__typename"), "me"),
        (("me", "programme"), "several"),
    ],
)
def test_an_operation_is_known_by_its_root_field(
    root_fields: tuple[str, ...], root_field: str
) -> None:
    with observing() as observed:
        assert (observed.kind, observed.root_field) == ("unknown", "unknown")
        note_operation("query", root_fields, name="AnnaSample", cost=7)
    assert (observed.kind, observed.root_field) == ("query", root_field)
    assert observed.traced == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "AnnaSample",
        "laurel.field": root_field,
        "laurel.cost": 7,
        "laurel.outcome": "broken_off",
    }


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ([], Outcome.ANSWERED),
        (["FORBIDDEN"], Outcome.DENIED),
        (["UNAUTHENTICATED"], Outcome.DENIED),
        (["GRAPHQL_VALIDATION_FAILED"], Outcome.INVALID),
        (["THROTTLED", "BAD_REQUEST"], Outcome.LIMITED),
        (["FORBIDDEN", "INTERNAL"], Outcome.FAILED),
        (["UNAVAILABLE"], Outcome.UNAVAILABLE),
        (["SOMETHING_ELSE"], Outcome.INVALID),
    ],
)
def test_the_gravest_error_tells_how_it_ended(codes: list[str], outcome: Outcome) -> None:
    with observing() as observed:
        for code in codes:
            note_error(code)
    assert observed.outcome is Outcome.BROKEN_OFF
    observed.is_answered = True
    assert observed.outcome is outcome


def test_a_refusal_is_an_outcome() -> None:
    with observing() as observed:
        note_refusal(ProblemCode.NOT_FOUND)
        note_repetition()
        observed.is_answered = True
    assert observed.outcome is Outcome.REFUSED
    assert observed.refusals == [ProblemCode.NOT_FOUND]
    assert observed.repetitions == 1


def test_outside_of_a_request_nobody_listens() -> None:
    with observing() as observed:
        pass
    note_refusal(ProblemCode.NOT_FOUND)
    note_error("INTERNAL")
    note_repetition()
    assert (observed.refusals, observed.repetitions) == ([], 0)
