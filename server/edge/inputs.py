"""Inputs that arrive in thousands: built straight from what GraphQL has checked."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_Input = TypeVar("_Input", bound=type)


def built_by(build: Callable[[Mapping[str, Any]], Any]) -> Callable[[_Input], _Input]:
    """Give resolvers what `build` makes of each value of this input, instead of the input's class.

    `build` gets the value by the schema's field names, coerced and with its defaults. It spares
    Strawberry's walk over types and names for every field of every value.
    """

    def decorate(cls: _Input) -> _Input:
        cls.__strawberry_definition__.from_input = lambda _cls, value, _context: build(value)  # type: ignore[attr-defined] # strawberry adds it
        return cls

    return decorate
