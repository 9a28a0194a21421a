"""Fields of types that are computed when asked for."""

from collections.abc import Callable
from typing import Any

import strawberry

Field = Callable[[Callable[..., Any]], Any]


def computed(*, description: str) -> Field:
    """A field of a type whose resolver runs only when the field is asked for.

    Who may see it follows from the root field, or the node, that leads to it.
    """
    field: Field = strawberry.field(description=description)
    return field
