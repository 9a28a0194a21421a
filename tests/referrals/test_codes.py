"""Codes lead back to what they were made of, and slips are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import codes
from server.cards.rules import RANDOM_COUNT
from server.referrals import rules

SECRET = bytes(32)
NUMBERS = st.integers(0, RANDOM_COUNT - 1)


@given(NUMBERS)
def test_a_code_leads_back_however_it_is_typed(number: int) -> None:
    code = rules.code_of(SECRET, number)
    assert len(code) == 10
    assert set(code) <= set(codes.ALPHABET)
    assert rules.number_of(SECRET, f" {rules.shown(code).lower()} ") == number


@given(NUMBERS, st.integers(0, 9), st.sampled_from(codes.ALPHABET))
def test_one_wrong_character_is_found(number: int, place: int, character: str) -> None:
    code = rules.code_of(SECRET, number)
    wrong = code[:place] + character + code[place + 1 :]
    assert (rules.number_of(SECRET, wrong) is None) == (wrong != code)


@given(NUMBERS, st.integers(0, 9), st.integers(0, 9))
def test_two_swapped_characters_are_found(number: int, one: int, other: int) -> None:
    swapped = list(code := rules.code_of(SECRET, number))
    swapped[one], swapped[other] = swapped[other], swapped[one]
    text = "".join(swapped)
    assert (rules.number_of(SECRET, text) is None) == (text != code)


def test_another_secret_makes_other_codes() -> None:
    assert rules.code_of(SECRET, 1) != rules.code_of(bytes([1]) * 32, 1)


@pytest.mark.parametrize("text", ["", "22222", "2222-22222-22", "0000000000", "é" * 10])
def test_what_is_no_code_leads_nowhere(text: str) -> None:
    assert rules.number_of(SECRET, text) is None
