"""Fields of types that are computed when asked for, and which fields are exact."""

from types import MappingProxyType
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from server.edge.permissions import Access, Field

_EXACT = "exact"


def computed(*, description: str, rule: Access | None = None, is_exact: bool = False) -> Field:
    """A field of a type whose resolver runs only when the field is asked for.

    Who may use it follows from the type (`permissions.shown_to`), unless it has a rule of its own.
    An exact one shows only what moves on with the version of its member or of the programme, and
    tells the context every instant at which time alone changes it (`Context.changes_at`).
    """
    field: Field = strawberry.field(
        description=description,
        directives=[] if rule is None else [rule.directive],
        metadata={_EXACT: True} if is_exact else None,
    )
    return field


def exact(field: Any) -> Any:
    """State of a root field that it is exact, as `computed` says."""
    assert isinstance(field, StrawberryField)
    field.metadata = MappingProxyType({**field.metadata, _EXACT: True})
    return field


def is_exact(definition: Any) -> bool:
    """Whether a field of the schema is exact; a plain attribute is as exact as what holds it."""
    ours = (definition.extensions or {}).get("strawberry-definition")
    if not isinstance(ours, StrawberryField):
        return False
    return ours.base_resolver is None or bool(ours.metadata.get(_EXACT))
