"""What a line of opening balances may say, as text of a file and as numbers."""

import re
from collections.abc import Mapping
from datetime import date

import msgspec

from server import clock
from server.clock import Instant, LocalDay
from server.errors import InvalidInput, phrase
from server.ledger.rules import MAXIMUM_BALANCE

EXTERNAL_ID = "external_id"
POINTS = "points"
POINTS_EXPIRE_ON = "points_expire_on"
CASHBACK = "cashback"
NAME = "name"
COLUMNS = (EXTERNAL_ID, POINTS, POINTS_EXPIRE_ON, CASHBACK, NAME)
"""The columns of a file, in any order; only the external id has to be there, and a balance."""

MAXIMUM_LINES_IN_CALL = 500
LATEST_EXPIRY = date(9000, 1, 1)
_WHOLE = re.compile(r"[0-9]{1,10}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Line(msgspec.Struct, frozen=True):
    """What one line brings along: points, and cashback in minor units."""

    number: int  # from 1 after the header
    external_id: str
    points: int = 0
    points_expire_on: LocalDay | None = None  # None: by the programme's rule, from today
    cashback_minor: int = 0
    name: str | None = None  # for who is enrolled


def line_of(number: int, values: Mapping[str, str], *, digits: int) -> Line:
    """The line that the texts stand for, by column; cashback has up to `digits` decimals.

    Raises InvalidInput, with the column as the path, for the first text that is not accepted.
    """
    return Line(
        number=number,
        external_id=values[EXTERNAL_ID].strip(),
        points=_points(values.get(POINTS, "").strip()),
        points_expire_on=_day(values.get(POINTS_EXPIRE_ON, "").strip()),
        cashback_minor=_cashback(values.get(CASHBACK, "").strip(), digits),
        name=values.get(NAME, "").strip() or None,
    )


def _points(text: str) -> int:
    if not text:
        return 0
    if not _WHOLE.fullmatch(text):
        raise InvalidInput(
            "import.points",
            path=(POINTS,),
            value=text,
            accepted=phrase("accepted.whole_points", maximum=MAXIMUM_BALANCE),
        )
    return int(text)


def _day(text: str) -> LocalDay | None:
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return clock.day_of(date.fromisoformat(text))
    except ValueError:
        raise InvalidInput(
            "import.expiry",
            path=(POINTS_EXPIRE_ON,),
            value=text,
            accepted=phrase("accepted.day_or_rule"),
        ) from None


def _cashback(text: str, digits: int) -> int:
    if not text:
        return 0
    whole, point, decimals = text.partition(".")
    are_digits = whole.isascii() and whole.isdigit() and (decimals.isascii() or not point)
    fits = (1 <= len(decimals) <= digits and decimals.isdigit()) if point else True
    if not are_digits or not fits or len(whole) > 10:  # as many as the highest balance has
        raise InvalidInput(
            "import.cashback",
            path=(CASHBACK,),
            value=text,
            accepted=phrase(
                "accepted.decimals",
                digits=digits,
                example=f"12.{'5':0<{digits}}" if digits else "12",
            ),
        )
    return int(whole + decimals.ljust(digits, "0"))


def check(line: Line, *, now: Instant, zone: str) -> None:
    """Raise InvalidInput, with the column as the path, for the first value not accepted."""
    points = phrase("accepted.whole_points", maximum=MAXIMUM_BALANCE)
    minor_units = phrase("accepted.whole_minor_units", maximum=MAXIMUM_BALANCE)
    for column, amount, key, accepted in (
        (POINTS, line.points, "import.points", points),
        (CASHBACK, line.cashback_minor, "import.cashback", minor_units),
    ):
        if not 0 <= amount <= MAXIMUM_BALANCE:
            raise InvalidInput(key, path=(column,), value=amount, accepted=accepted)
    day = line.points_expire_on
    if day is None:
        return
    today = clock.local_day(now, zone)
    if not today < day <= clock.day_of(LATEST_EXPIRY):
        raise InvalidInput(
            "import.expiry",
            path=(POINTS_EXPIRE_ON,),
            value=clock.date_of(day).isoformat(),
            accepted=phrase(
                "accepted.day_between",
                after=clock.date_of(today).isoformat(),
                latest=LATEST_EXPIRY.isoformat(),
            ),
        )
