"""Single-use codes: 11 random characters and a check character, pure functions.

Alphabet and check character are those of `server.codes`, whose powers x^0 to x^11 differ: every
single wrong character and every swap of two different ones, neighbours or not, is found. A million
of them are made at once, from tables of two characters each.
"""

import secrets
from collections.abc import Iterator

from server.codes import ALPHABET, READ_AS, VALUES, checksum
from server.coupons.errors import unknown_code
from server.errors import Path

RANDOM_CHARACTERS = 11
RANDOM_BITS = 5 * RANDOM_CHARACTERS
LENGTH = RANDOM_CHARACTERS + 1
GROUP = 4

_BYTES_EACH = 7
_PAIR_BITS = 10
_PAIR = (1 << _PAIR_BITS) - 1


def _check_of_pairs() -> list[list[int]]:
    """What each value of each pair of characters adds to the check element; the checksum of a sum
    is the sum of the checksums."""
    tables = []
    for pair in range(6):
        table = []
        for value in range(1 << _PAIR_BITS):
            values = [0] * LENGTH
            values[pair * 2 : pair * 2 + 2] = divmod(value, 32)
            table.append(checksum([*values[:RANDOM_CHARACTERS], 0]))
        tables.append(table)
    return tables


_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_CHECK = _check_of_pairs()


def code_of(number: int) -> str:
    """The code, 12 characters without dashes, of the lowest 55 bits of a number."""
    first, second, third, fourth, fifth = (
        (number >> shift) & _PAIR for shift in (45, 35, 25, 15, 5)
    )
    sixth = (number & 31) << 5
    check = (
        _CHECK[0][first]
        ^ _CHECK[1][second]
        ^ _CHECK[2][third]
        ^ _CHECK[3][fourth]
        ^ _CHECK[4][fifth]
        ^ _CHECK[5][sixth]
    )
    return (
        _PAIRS[first]
        + _PAIRS[second]
        + _PAIRS[third]
        + _PAIRS[fourth]
        + _PAIRS[fifth]
        + _PAIRS[sixth | check]
    )


def new_codes(count: int) -> list[str]:
    """As many new codes, each of 55 bits from the system's source of chance, without dashes."""
    drawn = secrets.token_bytes(count * _BYTES_EACH)
    return [
        code_of(int.from_bytes(drawn[start : start + _BYTES_EACH], "big"))
        for start in range(0, count * _BYTES_EACH, _BYTES_EACH)
    ]


def shown(code: str) -> str:
    """The code as people read it: in groups of four."""
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def normalised(text: str) -> str:
    """What was typed or scanned without spaces and dashes, in capital letters: codes that are
    alike in this are the same."""
    return "".join(_kept(text)).upper()


def _kept(text: str) -> Iterator[str]:
    return (character for character in text if character.isalnum())


def is_code(text: str) -> bool:
    """Whether a normalised text is a code: of the alphabet, with the right check character."""
    return single_use(text) is not None


def single_use(text: str) -> str | None:
    """The code that a normalised text is, read kindly where characters look alike, or None."""
    if len(text) != LENGTH:
        return None
    read = text.translate(READ_AS)
    try:
        values = [VALUES[character] for character in read]
    except KeyError:
        return None
    return None if checksum(values) else read


def parsed(text: str, *, path: Path = ()) -> str:
    """The code that was typed or scanned, without dashes. Raises NotFound for what is none."""
    code = single_use(normalised(text))
    if code is None:
        raise unknown_code(path)
    return code
