"""Scalars and value types that every domain shows: large integers, instants, dates and money."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from typing import Any, NewType

import strawberry
from babel.numbers import get_currency_name
from graphql import GraphQLError

from server import clock, money
from server.clock import Instant
from server.edge.permissions import EVERYONE, shown_to

BigInt = NewType("BigInt", int)
"""A whole number of up to 64 bits; a string in answers, a number or a string in input."""

_OFFSET_LENGTH = len("+00:00")
_BIG_INT = re.compile(r"-?[0-9]{1,19}")
_BIG_INT_LIMIT = 2**63


def _parse_big_int(value: Any) -> BigInt:
    if type(value) is int or (isinstance(value, str) and _BIG_INT.fullmatch(value)):
        number = int(value)
        if -_BIG_INT_LIMIT <= number < _BIG_INT_LIMIT:
            return BigInt(number)
    raise GraphQLError("BigInt takes a whole number of up to 64 bits, as a number or a string.")


@lru_cache(maxsize=4096)
def _shown_instant(instant: Instant) -> str:
    # Kept, for most of them are midnights, which many members' answers share.
    return f"{clock.datetime_of(instant).isoformat()[:-_OFFSET_LENGTH]}Z"


def _parse_instant(value: Any) -> Instant:
    if not isinstance(value, str):
        raise GraphQLError("DateTime takes a string such as 2026-01-31T12:00:00Z.")
    try:
        instant = clock.instant_of(datetime.fromisoformat(value))
        clock.datetime_of(instant)  # in UTC, too, it lies in the years 1 to 9999
        return instant
    except (ValueError, OverflowError) as error:
        raise GraphQLError(
            "DateTime takes RFC 3339 with an offset, such as 2026-01-31T12:00:00Z."
        ) from error


def _parse_date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise GraphQLError("Date takes ISO 8601, such as 2026-01-31.") from error


class _Shown(Decimal):
    """A decimal that keeps how it is written, for one that is kept is written many times."""

    __slots__ = ("text",)
    text: str


def _shown_decimal(value: Decimal) -> str:
    return value.text if type(value) is _Shown else format(value, "f")


def _kept(value: Decimal) -> Decimal:
    kept = _Shown(value)
    kept.text = format(value, "f")
    return kept


def _parse_decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise GraphQLError("Decimal takes a string such as 12.50.")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise GraphQLError("Decimal takes a string such as 12.50.") from error
    if not number.is_finite():
        raise GraphQLError("Decimal takes a finite number such as 12.50.")
    return number


SCALARS: dict[object, Any] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits: in answers a string of decimal digits, in "
        "input such a string or a number.",
        serialize=str,
        parse_value=_parse_big_int,
    ),
    Instant: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339, such as 2026-01-31T12:00:00Z. Input needs an offset; "
        "output is in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_shown_instant,
        parse_value=_parse_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar date in ISO 8601, such as 2026-01-31.",
        serialize=str,
        parse_value=_parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number as a string, such as 12.50.",
        serialize=_shown_decimal,
        parse_value=_parse_decimal,
    ),
}
"""How the schema shows the types that GraphQL has no scalar for."""


class _Code(Enum):
    __hash__ = object.__hash__  # an enum's own is written in Python


def _enum_of_currencies() -> Any:
    made: Any = _Code
    return made("CurrencyCode", {code: code for code in sorted(money.currency_codes())})


CurrencyCode: Any = strawberry.enum(
    _enum_of_currencies(),
    description="An ISO 4217 code of a currency that is legal tender somewhere today.",
)
for _value in CurrencyCode.__strawberry_definition__.values:
    _value.description = f"{get_currency_name(_value.name, locale='en')}."
_CURRENCIES: dict[str, Any] = {code.value: code for code in CurrencyCode}


@shown_to(EVERYONE)
@strawberry.type(description="An exact amount of money in one currency.")
class Money:
    """Money as the schema shows it."""

    amount: Decimal = strawberry.field(
        description="The amount in the currency's major unit, with all its decimals: 12.50."
    )
    currency_code: CurrencyCode = strawberry.field(description="The currency.")

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(amount_minor: int, currency: str, digits: int) -> "Money":
        """The money that `amount_minor` minor units are; a major unit has 10**digits of them.

        Kept, for most amounts of a screen are 0 or of the programme; nobody changes one.
        """
        return Money(
            amount=_kept(money.decimal_of(amount_minor, digits)),
            currency_code=_CURRENCIES[currency],
        )
