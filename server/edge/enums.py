"""Enums of the domains in the schema, each value with its description."""

from enum import Enum

import strawberry


def described(
    enum: type[Enum], *, description: str, name: str | None = None, **values: str
) -> None:
    """Make the enum one of the schema's. Each of its members needs a description by its name."""
    strawberry.enum(enum, name=name, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined] # strawberry adds it
        value.description = values[value.name]
