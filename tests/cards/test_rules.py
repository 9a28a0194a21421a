import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cards import rules
from server.errors import InvalidInput, ProblemCode
from server.messages import told

NUMBER = "9012345678901238"

chances = st.integers(0, rules.RANDOM_COUNT - 1)
card_numbers = chances.map(rules.number_of)
digits = st.sampled_from("0123456789")


@pytest.mark.parametrize(
    ("payload", "digit"),
    [
        ("7992739871", "3"),  # the example that most texts on the formula give
        ("1789372997", "4"),
        ("411111111111111", "1"),
        ("37828224631000", "5"),
        ("601111111111111", "7"),
        ("0", "0"),
        ("5", "9"),
        ("", "0"),
    ],
)
def test_check_digits_of_known_numbers(payload: str, digit: str) -> None:
    assert rules.check_digit(payload) == digit


def test_the_first_the_last_and_one_number() -> None:
    assert rules.number_of(0) == "9000000000000001"
    assert rules.number_of(rules.RANDOM_COUNT - 1) == "9099999999999994"
    assert rules.number_of(1234567890123) == NUMBER


@pytest.mark.parametrize("chance", [-1, rules.RANDOM_COUNT])
def test_chance_outside_of_its_range_makes_no_number(chance: int) -> None:
    with pytest.raises(ValueError, match="chance"):
        rules.number_of(chance)


@given(chances)
def test_a_number_has_16_digits_the_prefix_and_a_right_check_digit(chance: int) -> None:
    number = rules.number_of(chance)
    assert len(number) == 16
    assert number.startswith("90")
    assert int(number[2:15]) == chance
    assert rules.has_right_check_digit(number)
    assert rules.parsed_number(number) == number


@given(card_numbers, st.integers(0, 15), digits)
def test_every_single_wrong_digit_is_caught(number: str, place: int, digit: str) -> None:
    misread = number[:place] + digit + number[place + 1 :]
    assert rules.has_right_check_digit(misread) is (misread == number)


@given(card_numbers, st.integers(0, 14))
def test_adjacent_digits_swapped_are_caught_but_0_and_9(number: str, place: int) -> None:
    first, second = number[place], number[place + 1]
    swapped = number[:place] + second + first + number[place + 2 :]
    escapes = first == second or {first, second} == {"0", "9"}
    assert rules.has_right_check_digit(swapped) is escapes


def test_every_adjacent_pair_at_both_parities() -> None:
    for length in (2, 3):
        for first in "0123456789":
            for second in "0123456789":
                number = (first + second).ljust(length, "0")
                number += rules.check_digit(number)
                swapped = second + first + number[2:]
                escapes = first == second or {first, second} == {"0", "9"}
                assert rules.has_right_check_digit(swapped) is escapes


@given(card_numbers, st.lists(st.sampled_from([" ", "-", "", "\u00a0", "\u2011"]), min_size=17))
def test_spaces_and_hyphens_may_stand_anywhere(number: str, separators: list[str]) -> None:
    text = separators[16] + "".join(map("".join, zip(number, separators, strict=False)))
    assert rules.parsed_number(text) == number


@pytest.mark.parametrize(
    "text", [NUMBER, "9012 3456 7890 1238", "9012-3456-7890-1238", " 9012345678901238\r\n"]
)
def test_what_scanners_and_people_enter(text: str) -> None:
    assert rules.parsed_number(text) == NUMBER


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "card.number_malformed"),
        ("901234567890123", "card.number_malformed"),
        ("90123456789012381", "card.number_malformed"),
        ("9012345678901238" + " " * 60, "card.number_malformed"),
        ("901234567890123x", "card.number_malformed"),
        ("９０１２３４５６７８９０１２３８", "card.number_malformed"),
        ("9012/3456/7890/1238", "card.number_malformed"),
        ("+9012345678901238", "card.number_malformed"),
        ("9012345678901238\x00", "card.number_malformed"),
        ("\ud8009012345678901238", "card.number_malformed"),
        ("4111111111111111", "card.number_foreign"),
        ("9112345678901237", "card.number_foreign"),
        ("9012345678901239", "card.check_digit_wrong"),
        ("9021345678901238", "card.check_digit_wrong"),
    ],
)
def test_refusals_tell_what_is_accepted_and_repeat_no_number(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.parsed_number(text, path=("input", "member", "cardNumber"))
    error = refusal.value
    assert error.code is ProblemCode.INVALID_INPUT
    assert error.reason == reason
    assert error.path == ("input", "member", "cardNumber")
    assert error.value is None
    assert told(error.accepted, "en") == (
        "16 digits that start with 90 and end with their check digit;"
        " spaces and hyphens may separate them"
    )
    assert not text.strip() or text.strip() not in repr(error)


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        number = rules.parsed_number(text)
    except InvalidInput:
        return
    assert rules.has_right_check_digit(number)


def test_how_a_number_is_shown() -> None:
    assert rules.grouped_number(NUMBER) == "9012 3456 7890 1238"
    assert rules.masked_number(NUMBER) == "•••• 1238"
