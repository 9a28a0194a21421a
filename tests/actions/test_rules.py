"""What of a survey's answers is accepted, and what they add up to."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.actions import rules
from server.actions.documents import ActionTerms
from server.actions.rules import Answer, Stored
from server.errors import InvalidInput
from tests.api.actions_cases import SURVEY

TERMS = msgspec.convert(SURVEY, ActionTerms)


def test_answers_are_kept_in_the_order_of_the_questions() -> None:
    given_ = [
        Answer("why", text=" so\nit is "),
        Answer("recommend", 0),
        Answer("store", choice="north"),
    ]
    assert rules.checked(given_, TERMS) == [
        Stored("recommend", "0", None),
        Stored("store", "north", None),
        Stored("why", None, "so\nit is"),
    ]


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ([], ("answers",)),
        ([Answer("recommend", -1)], ("answers", 0)),
        ([Answer("recommend", 11)], ("answers", 0)),
        ([Answer("recommend", 5, text="x")], ("answers", 0)),
        ([Answer("recommend", choice="north")], ("answers", 0)),
        ([Answer("recommend", 5), Answer("recommend", 6)], ("answers", 1, "question")),
        ([Answer("recommend", 5), Answer("store", choice="west")], ("answers", 1)),
        ([Answer("recommend", 5), Answer("why", text=" ")], ("answers", 1)),
        ([Answer("recommend", 5), Answer("why", text="x" * 2_001)], ("answers", 1)),
        ([Answer("recommend", 5), Answer("why", text="a\x00")], ("answers", 1)),
        ([Answer("other", 5)], ("answers", 0, "question")),
    ],
)
def test_what_is_no_answer_is_refused_in_its_place(
    answers: list[Answer], path: tuple[str | int, ...]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.checked(answers, TERMS)
    assert refusal.value.path == path


@given(st.lists(st.integers(0, 10)))
def test_the_score_is_promoters_less_detractors(numbers: list[int]) -> None:
    score = rules.net_promoter({str(one): numbers.count(one) for one in range(11)})
    promoters, detractors = sum(one >= 9 for one in numbers), sum(one <= 6 for one in numbers)
    assert (score.promoters, score.detractors) == (promoters, detractors)
    if not numbers:
        assert score.score_bps is None
    else:
        assert score.score_bps == int((promoters - detractors) * 10_000 / len(numbers))
