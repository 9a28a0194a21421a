"""What is noted of a request has few values, whatever its document calls things."""

import pytest
from graphql import parse

from server.edge.observing import (
    Observed,
    Outcome,
    note_error,
    note_refusal,
    note_repetition,
    observing,
)
from server.errors import ProblemCode


@pytest.mark.parametrize(
    ("document", "operation_name", "kind", "root_field"),
    [
        ("query AnnaSample { a: me { name } }", None, "query", "me"),
        ("mutation { signIn { __typename } }", None, "mutation", "signIn"),
        ("{ __typename }", None, "query", "introspection"),
        ("{ me { name } __typename }", None, "query", "me"),
        ("{ a: me { name } b: me { name } }", None, "query", "me"),
        ("{ me { name } programme { version } }", None, "query", "several"),
        ("{ ... { ...F } } fragment F on Query { me { name } }", None, "query", "me"),
        (
            "query A { me { name } } mutation B { signOut { __typename } }",
            "B",
            "mutation",
            "signOut",
        ),
        ("query A { me { name } } query B { me { name } }", None, "unknown", "unknown"),
        ("query A { me { name } }", "Nobody", "unknown", "unknown"),
    ],
)
def test_an_operation_is_known_by_its_root_field(
    document: str, operation_name: str | None, kind: str, root_field: str
) -> None:
    observed = Observed()
    observed.asked_for(parse(document), operation_name)
    assert (observed.kind, observed.root_field) == (kind, root_field)


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ([], Outcome.ANSWERED),
        (["FORBIDDEN"], Outcome.DENIED),
        (["UNAUTHENTICATED"], Outcome.DENIED),
        (["INVALID_REQUEST"], Outcome.INVALID),
        (["FORBIDDEN", "INTERNAL"], Outcome.FAILED),
        (["UNAVAILABLE"], Outcome.UNAVAILABLE),
        (["SOMETHING_ELSE"], Outcome.ANSWERED),
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
