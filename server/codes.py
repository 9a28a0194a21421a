"""Codes that people read, type and dictate: their alphabet and their check character. Pure.

The alphabet has 32 characters without 0, O, 1 and I, so that no two of them are taken for each
other; each stands for an element of the field with 32 elements, GF(2)[x]/(x^5 + x^2 + 1). The check
character makes the weighted sum of all elements zero, the weights being the powers of x: up to 31
characters these differ, so that every single wrong character and every swap of two is found.
"""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
BITS_EACH = 5

VALUES = {character: value for value, character in enumerate(ALPHABET)}
"""The element that each character stands for."""
READ_AS = str.maketrans({"1": "L", "I": "L"})
"""Of what looks alike, L alone is a character."""


def code_of(number: int, *, length: int) -> str:
    """The code of so many characters, and the check character behind them, of a number."""
    values = [number >> shift & 31 for shift in range(BITS_EACH * (length - 1), -1, -BITS_EACH)]
    return "".join(ALPHABET[value] for value in [*values, checksum([*values, 0])])


def number_of(text: str, *, length: int) -> int | None:
    """The number that was made a code of so many characters, however it was typed; None for what
    is no such code."""
    read = "".join(filter(str.isalnum, text)).upper().translate(READ_AS)
    if len(read) != length + 1 or not VALUES.keys() >= set(read):
        return None
    values = [VALUES[character] for character in read]
    if checksum(values):
        return None
    number = 0
    for value in values[:-1]:
        number = number << BITS_EACH | value
    return number


def checksum(values: list[int]) -> int:
    """The check element of these, which end with 0; or 0 of those that end with it."""
    total = 0
    for value in values:
        total <<= 1
        total ^= 0b100101 if total & 0b100000 else 0
        total ^= value
    return total
