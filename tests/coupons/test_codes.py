"""Single-use codes: no character is taken for another, and what is mistyped is no code."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.codes import ALPHABET
from server.coupons import codes
from server.errors import NotFound

NUMBERS = st.integers(0, 2**codes.RANDOM_BITS - 1)


def test_a_code_has_55_random_bits_in_characters_that_look_different() -> None:
    assert codes.RANDOM_BITS == 55
    assert len(set(ALPHABET)) == 32
    assert set("01IO").isdisjoint(ALPHABET)


def test_codes_are_these() -> None:
    assert codes.code_of(0) == "222222222222"
    assert codes.code_of(1) == "222222222234"
    assert codes.code_of(2**55 - 1) == "ZZZZZZZZZZZM"
    assert codes.shown("ABCDEFGH2345") == "ABCD-EFGH-2345"


def _value(place: int, value: int) -> str:
    """The code whose only value other than the first is at that place."""
    return codes.code_of(value << (5 * (codes.RANDOM_CHARACTERS - 1 - place)))


def test_the_sum_of_two_codes_is_a_code() -> None:
    # What is proved below of the differences from the code 0 holds of every code.
    for one, other in itertools.combinations([_value(p, v) for p in range(11) for v in (1, 7)], 2):
        added = "".join(
            ALPHABET[ALPHABET.index(a) ^ ALPHABET.index(b)] for a, b in zip(one, other, strict=True)
        )
        assert codes.is_code(added)


def test_no_single_wrong_character_makes_a_code() -> None:
    zero = codes.code_of(0)
    for place, value in itertools.product(range(codes.LENGTH), range(1, 32)):
        wrong = zero[:place] + ALPHABET[value] + zero[place + 1 :]
        assert not codes.is_code(wrong), (place, value)


def test_no_swap_of_two_characters_makes_a_code() -> None:
    # Swapping a and b adds their difference at both places.
    zero = codes.code_of(0)
    for first, second in itertools.combinations(range(codes.LENGTH), 2):
        for difference in ALPHABET[1:]:
            swapped = list(zero)
            swapped[first] = swapped[second] = difference
            assert not codes.is_code("".join(swapped)), (first, second, difference)


@given(NUMBERS, st.integers(0, 10))
def test_a_mistyped_code_is_none(number: int, place: int) -> None:
    code = codes.code_of(number)
    assert codes.is_code(code)
    assert codes.parsed(codes.shown(code).lower()) == code
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert codes.is_code(swapped) == (swapped == code)


def test_the_letter_that_looks_like_digits_is_read_from_them() -> None:
    code = next(one for one in map(codes.code_of, range(10**6)) if "L" in one)
    assert codes.parsed(code.replace("L", "1")) == code
    assert codes.parsed(code.replace("L", "i")) == code


@pytest.mark.parametrize("text", ["", "ABCD", "2222 2222 2223", "0222-2222-2222", "é" * 12])
def test_what_is_no_code_is_refused_like_an_unknown_one(text: str) -> None:
    with pytest.raises(NotFound) as refused:
        codes.parsed(text)
    assert refused.value.reason == "coupon.unknown"


def test_new_codes_are_codes_and_differ() -> None:
    made = codes.new_codes(2_000)
    assert len(set(made)) == 2_000
    assert all(codes.is_code(code) for code in made)
    used = set("".join(made))
    assert used == set(ALPHABET)
