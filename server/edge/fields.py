"""Fields of types that are computed when asked for."""

import strawberry

from server.edge.permissions import Access, Field


def computed(*, description: str, rule: Access | None = None) -> Field:
    """A field of a type whose resolver runs only when the field is asked for.

    Who may use it follows from the type (`permissions.shown_to`), unless it has a rule of its own.
    """
    field: Field = strawberry.field(
        description=description, directives=[] if rule is None else [rule.directive]
    )
    return field
