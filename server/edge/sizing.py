"""How long lists may be and what fields weigh: stated in the schema, read by whoever plans.

The directives are those of the GraphQL cost specification (IBM): `@listSize` on every field that
answers a list of objects, `@cost` where a field weighs something else than usual. Usually an object
weighs 1, a mutation 10 besides what it answers, and a plain value nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry import UNSET
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from server.edge.permissions import Coordinate

MUTATION_WEIGHT = 10
SLICE = "first"
"""The argument that says how long a page may be."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cost",
    description="What one call of the field costs, besides what it answers; where a list is given "
    "to be worked on, what each element of it costs. Without it: 10 for a mutation, 0 for others.",
)
class Cost:
    """The weight of one field."""

    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How long the list is taken to be when an operation's cost is estimated: what the "
    "slicing argument says, or the length of the list that it names; otherwise the assumed size. "
    "With sized fields it holds for those fields of what is answered.",
)
class ListSize:
    """The size of one field's list."""

    assumed_size: int | None = strawberry.directive_field(name="assumedSize", default=UNSET)
    slicing_arguments: list[str] | None = strawberry.directive_field(
        name="slicingArguments", default=UNSET
    )
    sized_fields: list[str] | None = strawberry.directive_field(name="sizedFields", default=UNSET)


@dataclass(frozen=True, slots=True)
class FieldSize:
    """What is known of a field before it is called."""

    weight: int = 0
    assumed: int = 1
    slicing: tuple[str, ...] = ()  # the argument, and the fields of its value down to the list
    sized_fields: frozenset[str] = field(default_factory=frozenset)


PLAIN = FieldSize()
DIRECTIVES = (Cost, ListSize)
"""To be registered with the schema."""


def assumed(size: int) -> ListSize:
    """A list that is usually not longer than `size`."""
    return ListSize(assumed_size=size)


def given(path: str, *, sizes: str | None = None) -> ListSize:
    """A list as long as the one in the arguments that `path` names, such as "input.lines"; with
    `sizes`, that holds for the field of this name in what is answered."""
    return ListSize(slicing_arguments=[path], sized_fields=[sizes] if sizes else UNSET)


def weighs(weight: int) -> Cost:
    """A field whose call costs `weight`."""
    return Cost(weight=str(weight))


def state(schema: strawberry.Schema, stated: Mapping[Coordinate, Cost | ListSize]) -> None:
    """State sizes and weights on the schema's fields, where everybody who reads it sees them.

    What answers a connection is as long as its argument `first`, without being stated. Raises
    KeyError for a field that the schema does not have.
    """
    types = schema._schema.type_map
    for (type_name, field_name), directive in stated.items():
        type_ = types[type_name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        _definition(type_.fields[field_name]).directives.append(directive)
    for type_ in types.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for definition in type_.fields.values():
                if SLICE in definition.args:
                    page = ListSize(slicing_arguments=[SLICE], sized_fields=["edges", "nodes"])
                    _definition(definition).directives.append(page)


def _definition(definition: GraphQLField) -> StrawberryField:
    ours = definition.extensions["strawberry-definition"]
    assert isinstance(ours, StrawberryField)
    ours.directives = list(ours.directives)
    return ours


@lru_cache(maxsize=8)
def sizes_of(schema: GraphQLSchema) -> Mapping[Coordinate, FieldSize]:
    """What is stated of each field that is not a plain one."""
    found: dict[Coordinate, FieldSize] = {}
    for name, type_ in schema.type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            usual = MUTATION_WEIGHT if type_ is schema.mutation_type else 0
            for field_name, definition in type_.fields.items():
                size = _size(definition, usual)
                if size != PLAIN:
                    found[name, field_name] = size
    return found


def _size(definition: GraphQLField, weight: int) -> FieldSize:
    ours = (definition.extensions or {}).get("strawberry-definition")
    size = ListSize()
    for directive in getattr(ours, "directives", ()):
        if isinstance(directive, Cost):
            weight = int(directive.weight)
        elif isinstance(directive, ListSize):
            size = directive
    slicing = tuple(size.slicing_arguments[0].split(".")) if size.slicing_arguments else ()
    return FieldSize(
        weight,
        size.assumed_size or 1,
        slicing,
        frozenset(size.sized_fields or ()),
    )
