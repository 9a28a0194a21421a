"""Card numbers: how they are made, checked, read from a till and shown.

A number has 16 digits: the house's prefix, 13 random digits, and a check digit by the Luhn formula
(ISO/IEC 7812-1, annex B). An even count of digits makes the shortest Code 128.
"""

from enum import StrEnum

from server.cards import errors
from server.errors import Path

PREFIX = "90"
"""No bank's: 9 is the major industry identifier for national assignment (ISO/IEC 7812-1), and the
country codes from 900 on that would follow it are no country's (ISO 3166-1). Not 99, which several
writers of Code 128 take for a change of code set and drop."""

NUMBER_LENGTH = 16
RANDOM_DIGITS = NUMBER_LENGTH - len(PREFIX) - 1
RANDOM_COUNT = 10**RANDOM_DIGITS

SCANNED_LENGTH_MAXIMUM = 64
"""Longer texts are refused unread: no spelling of a card number needs so many characters."""

SHOWN_DIGITS = 4

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the digit sum of twice the digit
_SEPARATORS = dict.fromkeys(map(ord, " -\t\r\n\u00a0\u2009\u202f\u2010\u2011\u2013"))


class CardStatus(StrEnum):
    """Whether a card's number works."""

    __hash__ = str.__hash__  # an enum's own is written in Python

    ACTIVE = "active"  # tills accept it
    BLOCKED = "blocked"  # refused until it is unblocked, or replaced
    REPLACED = "replaced"  # another card has taken its place; never accepted again


def check_digit(digits: str) -> str:
    """The digit that, put behind `digits`, makes a number that passes the Luhn formula."""
    doubled = sum(_DOUBLED[int(digit)] for digit in digits[-1::-2])
    single = sum(int(digit) for digit in digits[-2::-2])
    return str(-(doubled + single) % 10)


def has_right_check_digit(number: str) -> bool:
    """Whether a number's last digit is the check digit of those before it."""
    return number[-1] == check_digit(number[:-1])


def number_of(chance: int) -> str:
    """The card number made of a random `chance`, 0 <= chance < RANDOM_COUNT."""
    if not 0 <= chance < RANDOM_COUNT:
        raise ValueError(f"chance is outside 0..{RANDOM_COUNT - 1}")
    digits = f"{PREFIX}{chance:0{RANDOM_DIGITS}d}"
    return digits + check_digit(digits)


def parsed_number(text: str, *, path: Path = ()) -> str:
    """The card number that a scanner or a person entered as `text`.

    Spaces and hyphens may stand between the digits. Raises InvalidInput for what can't be a number
    of this house, a wrong check digit included, so that a slip costs no look-up.
    """
    if len(text) > SCANNED_LENGTH_MAXIMUM:
        raise errors.number_malformed(path)
    number = text.translate(_SEPARATORS)
    if not (number.isascii() and number.isdigit() and len(number) == NUMBER_LENGTH):
        raise errors.number_malformed(path)
    if not number.startswith(PREFIX):
        raise errors.number_foreign(path)
    if not has_right_check_digit(number):
        raise errors.check_digit_wrong(path)
    return number


def grouped_number(number: str) -> str:
    """The number in groups of four digits, as people read it."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def masked_number(number: str) -> str:
    """The number with only its last four digits, for logs and lists of the staff."""
    return f"•••• {number[-SHOWN_DIGITS:]}"
