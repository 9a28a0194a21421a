"""Who may use which field by the published schema, and a way to each from a root field."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from server.principal import Scope, StaffRole
from tests.api.contract import access_of, contract

Coordinate = tuple[str, str]
"""A field of a type."""

WORDS = (
    "MEMBER",
    *(f"STAFF_{role.value}" for role in StaffRole),
    *(f"KEY_{scope.value}" for scope in Scope),
)
"""The callers that the schema names, each by itself."""


@dataclass(frozen=True)
class Step:
    """A field on the way, and the type in whose fragment it stands; none for fields of the root."""

    within: str | None
    field: str


@dataclass(frozen=True)
class Way:
    """From a root field to a type; `steps` begins with the root field."""

    operation: str
    steps: tuple[Step, ...]

    @property
    def root(self) -> str:
        """The root field."""
        return self.steps[0].field


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    """("query", "mutation" or "subscription", name, field) of all root fields."""
    schema = contract()
    for operation, root in (
        ("query", schema.query_type),
        ("mutation", schema.mutation_type),
        ("subscription", schema.subscription_type),
    ):
        for name, field in root.fields.items() if root else ():
            yield operation, name, field


def named(field: GraphQLField) -> frozenset[str]:
    """Which of WORDS may use the field by its directive, and NOBODY where everyone may."""
    who = access_of(field)
    assert who, "a field without @access"
    if who == ["EVERYONE"]:
        return frozenset((*WORDS, "NOBODY"))
    staff = [word for word in WORDS if word.startswith("STAFF_")] if "STAFF" in who else []
    return frozenset((*who, *staff)) - {"STAFF"}


@cache
def fields() -> dict[Coordinate, GraphQLField]:
    """All fields of object types and interfaces below the root."""
    schema = contract()
    roots = {schema.query_type, schema.mutation_type, schema.subscription_type}
    return {
        (name, field_name): field
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        and type_ not in roots
        and not name.startswith("__")
        for field_name, field in type_.fields.items()
    }


@cache
def rules() -> dict[Coordinate, frozenset[str]]:
    """Who may use each of them."""
    return {coordinate: named(field) for coordinate, field in fields().items()}


def may(words: Collection[str], coordinate: Coordinate) -> bool:
    """Whether a caller for whom the words stand may use the field."""
    return not rules()[coordinate].isdisjoint(words)


def may_call(words: Collection[str], root: str) -> bool:
    """Whether a caller for whom the words stand may call the root field."""
    return any(name == root and not named(field).isdisjoint(words) for _, name, field in roots())


# ---------------------------------------------------------------- ways


def _standing_for(type_: GraphQLNamedType) -> list[str]:
    """The types whose fields can be asked for where a field has the type."""
    if isinstance(type_, GraphQLUnionType):
        inner = [one.name for one in type_.types]
        faces = {face.name for one in type_.types for face in one.interfaces} - {"Node"}
        return [*inner, *sorted(faces)]
    return [type_.name]


@cache
def ways(words: frozenset[str]) -> dict[str, Way]:
    """The shortest way that the caller may go to each type, by the type's name; `node` leads to the
    interface alone, for whose types it shows depends on the thing."""
    starts = [
        (one, Way(operation, (Step(None, name),)))
        for operation, name, field in roots()
        if not named(field).isdisjoint(words)
        for one in _standing_for(get_named_type(field.type))
    ]
    return _shortest(starts, lambda coordinate: may(words, coordinate))


@cache
def ways_by_node() -> dict[str, Way]:
    """The shortest way through `node`, which everyone may call, to each type that a thing with an
    id leads to, whatever the rules of the fields on the way."""
    node = contract().type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    start = Way("query", (Step(None, "node"),))
    starts = [(one.name, start) for one in contract().get_possible_types(node)]
    return _shortest(starts, lambda _coordinate: True)


def _shortest(
    starts: list[tuple[str, Way]], is_open: Callable[[Coordinate], bool]
) -> dict[str, Way]:
    found: dict[str, Way] = {}
    waiting = starts
    while waiting:
        further = []
        for type_name, way in waiting:
            if type_name in found:
                continue
            found[type_name] = way
            for coordinate, field in _fields_of(type_name):
                inner = get_named_type(field.type)
                if is_leaf_type(inner) or not is_open(coordinate):
                    continue
                longer = Way(way.operation, (*way.steps, Step(type_name, coordinate[1])))
                further += [(one, longer) for one in _standing_for(inner)]
        waiting = further
    return {name: way for name, way in found.items() if any(of == name for of, _ in fields())}


def _fields_of(type_name: str) -> Iterator[tuple[Coordinate, GraphQLField]]:
    type_ = contract().type_map[type_name]
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in type_.fields.items():
            yield (type_name, name), field


# ---------------------------------------------------------------- documents


_VALUES = {"DateTime": '"2026-03-01T00:00:00Z"', "Int": "1", "ID": '"x"', "String": '"x"'}


def _asked(type_name: str, name: str) -> str:
    """The field with the arguments that it needs, and one thing of each list."""
    field = fields()[(type_name, name)]
    given = [
        f"{argument}: {'1' if argument == 'first' else _VALUES[str(get_named_type(one.type))]}"
        for argument, one in field.args.items()
        if argument == "first" or is_required_argument(one)
    ]
    inner = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    arguments = f"({', '.join(given)})" if given else ""
    return f"{name}{arguments}{inner}"


def selected(way: Way, type_name: str, names: Iterable[str]) -> str:
    """What stands below the root field of the way, to ask for these fields of the type."""
    shown = f"... on {type_name} {{ {' '.join(_asked(type_name, name) for name in names)} }}"
    for step in reversed(way.steps[1:]):
        assert step.within is not None
        asked = _asked(step.within, step.field).removesuffix(" { __typename }")
        shown = f"... on {step.within} {{ {asked} {{ {shown} }} }}"
    return shown


def by_type(coordinates: Iterable[Coordinate]) -> dict[str, list[str]]:
    """The fields' names by their types."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for type_name, name in coordinates:
        grouped[type_name].append(name)
    return grouped
