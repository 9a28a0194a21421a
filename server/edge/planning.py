"""What an operation asks for, found by one walk over it before anything is validated or run.

The walk writes fragments out where they are spread, at most as many fields as the limits allow. It
passes over what the schema doesn't know, and over fragments within themselves: validation tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from server.edge.context import Asked
from server.edge.estimating import CEILING, Estimate, Size, Sum, size_of
from server.edge.fields import is_exact
from server.edge.limits import SECRET_WEIGHT, DocumentLimits, exceeded
from server.edge.permissions import Alike, Coordinate, deciding, rules_of
from server.edge.sizing import PLAIN, FieldSize

_INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})
_INTROSPECTED = {
    "directives": 10,
    "fields": 4,
    "args": 1,
    "inputFields": 2,
    "enumValues": 2,
    "interfaces": 1,
    "possibleTypes": 2,
}
"""How many each of the schema's own lists has on average, rounded up; `types` are counted."""
_INTROSPECTED_MEMBERS = frozenset({"fields", "inputFields", "interfaces", "possibleTypes"})
"""Of types: no tool asks for the members of members' types, which multiplies the schema."""
_INTROSPECTED_PER_COST = 100


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """An operation, and what is known of it before its variables."""

    operation: OperationDefinitionNode
    root_fields: tuple[str, ...]  # their names in the schema, those of introspection included
    deciding: Mapping[str, tuple[Coordinate, ...]]  # by root field: what not everybody may ask for
    depth: int
    fields: int
    aliases: int
    secrets: int  # fields that try a secret
    estimate: Sum
    asked: Asked
    is_exact: bool  # whether every field of it states when time alone changes it
    # What follows, once for all requests:
    kind: str = field(init=False)  # "query", "mutation" or "subscription"
    name: str | None = field(init=False)
    introspects: bool = field(init=False)  # whether it asks for the schema itself
    denied: dict[Alike, Coordinate | None] = field(init=False, compare=False)
    """By callers whom the fields' rules treat alike, what they may not ask for; filled as they
    come."""

    def __post_init__(self) -> None:
        """Work out what follows."""
        name = self.operation.name
        introspects = not _INTROSPECTION_FIELDS.isdisjoint(self.root_fields)
        object.__setattr__(self, "kind", self.operation.operation.value)
        object.__setattr__(self, "name", None if name is None else name.value)
        object.__setattr__(self, "introspects", introspects)
        object.__setattr__(self, "denied", {})

    def estimated(self, variables: Mapping[str, Any]) -> Estimate:
        """What it asks for with these variables, whether or not they fit; it costs something."""
        asked = self.estimate.estimated(variables)
        return asked if asked.cost else Estimate(asked.nodes, 1)

    def cost(self, variables: Mapping[str, Any]) -> int:
        """What it costs with these variables."""
        return self.estimated(variables).cost


class Planner:
    """Plans the operations of documents for one schema."""

    def __init__(self, schema: GraphQLSchema, sizes: Mapping[Coordinate, FieldSize]) -> None:
        self.schema = schema
        self.sizes = sizes
        self.rules = rules_of(schema)

    def planned(self, document: DocumentNode, limits: DocumentLimits) -> list[OperationPlan]:
        """The plan of each operation. Raises RequestRefused if the document exceeds a limit."""
        operations = [
            one for one in document.definitions if isinstance(one, OperationDefinitionNode)
        ]
        fragments = {
            one.name.value: one
            for one in document.definitions
            if isinstance(one, FragmentDefinitionNode)
        }
        _bounded("OPERATIONS_IN_DOCUMENT", len(operations), limits.operations)
        _bounded("FRAGMENTS", len(document.definitions) - len(operations), limits.fragments)
        plans: list[OperationPlan] = []
        for operation in operations:
            walk = _Walk(self, fragments, limits, fields=sum(one.fields for one in plans))
            plans.append(walk.plan(operation))
        return plans

    def definition(self, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
        """The field of the type; None for one that the schema doesn't have."""
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return self.schema.get_field(parent, name)
        return None


def _bounded(what: str, requested: int, allowed: int) -> None:
    if requested > allowed:
        key = f"request.{what.lower().removesuffix('_in_document')}"
        raise exceeded(f"TOO_MANY_{what}", key, requested=requested, allowed=allowed)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the answer a selection stands."""

    parent: GraphQLNamedType | None  # None where the schema doesn't know
    depth: int  # of the fields above
    nesting: int = 0  # of the selections above, those of fragments included
    within: tuple[str, ...] = ()  # the fragments that are being written out
    sizes: Mapping[str, Size] = field(default_factory=dict)  # of fields, by what stands above
    introspected: int = 0  # how many times, below __schema and __type; 0 elsewhere
    introspected_members: int = 0  # lists of what a type has, within one another
    is_root: bool = False


class _Walk:
    """The walk over one operation."""

    def __init__(
        self,
        planner: Planner,
        fragments: Mapping[str, FragmentDefinitionNode],
        limits: DocumentLimits,
        *,
        fields: int,
    ) -> None:
        self._planner = planner
        self._fragments = fragments
        self._limits = limits
        self._fields_before = self._fields = fields
        self._declared: Mapping[str, VariableDefinitionNode] = {}
        self._roots: dict[str, None] = {}
        self._used: dict[str, set[Coordinate]] = {}
        self._asked: set[Coordinate] = set()
        self._firsts: dict[Coordinate, set[Size]] = {}
        self._is_exact = True
        self._root = ""
        self._depth = self._aliases = self._secrets = self._introspected = 0

    def plan(self, operation: OperationDefinitionNode) -> OperationPlan:
        declared = operation.variable_definitions or ()
        _bounded("VARIABLES", len(declared), self._limits.variables)
        self._declared = {one.variable.name.value: one for one in declared}
        asked = Sum()
        root = self._planner.schema.get_root_type(operation.operation)
        self._selected(operation.selection_set, _Place(root, depth=0, is_root=True), asked)
        asked.cost += -(-self._introspected // _INTROSPECTED_PER_COST)
        return OperationPlan(
            operation,
            tuple(self._roots),
            {root: deciding(self._planner.rules, used) for root, used in self._used.items()},
            self._depth,
            self._fields - self._fields_before,
            self._aliases,
            self._secrets,
            asked,
            Asked(
                frozenset(self._asked),
                {field: frozenset(sizes) for field, sizes in self._firsts.items()},
            ),
            self._is_exact and operation.operation is OperationType.QUERY,
        )

    def _selected(self, selected: SelectionSetNode, place: _Place, into: Sum) -> None:
        if place.nesting > self._limits.nesting:
            raise exceeded(
                "TOO_DEEP", "request.depth", requested=place.nesting, allowed=self._limits.nesting
            )
        for node in selected.selections:
            self._fields += 1
            _bounded("FIELDS", self._fields, self._limits.fields)
            if isinstance(node, FieldNode):
                self._field(node, place, into)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                type_name = None if condition is None else condition.name.value
                self._selected(node.selection_set, self._inside(place, type_name), into)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments.get(node.name.value)
                if fragment is not None and node.name.value not in place.within:
                    type_name = fragment.type_condition.name.value
                    inside = self._inside(place, type_name, spread=node.name.value)
                    self._selected(fragment.selection_set, inside, into)

    def _inside(self, place: _Place, type_name: str | None, *, spread: str = "") -> _Place:
        """The same place in the answer, in a fragment."""
        types = self._planner.schema.type_map
        return _Place(
            place.parent if type_name is None else types.get(type_name),
            place.depth,
            place.nesting + 1,
            (*place.within, spread) if spread else place.within,
            place.sizes,
            place.introspected,
            place.introspected_members,
            place.is_root,
        )

    def _field(self, node: FieldNode, place: _Place, into: Sum) -> None:
        depth = self._counted(node, place)
        definition = self._planner.definition(place.parent, node.name.value)
        type_ = None if definition is None else get_named_type(definition.type)
        if place.introspected or node.name.value in _INTROSPECTION_FIELDS:
            self._is_exact = False
            self._introspect(node, place, type_, depth)
            return
        self._noted(node, definition, place)
        size = self._sized(node.name.value, definition, place)
        sliced = self._sliced(node, definition, size)
        if sliced is not None and place.parent is not None and not _is_further_page(node):
            self._firsts.setdefault((place.parent.name, node.name.value), set()).add(sliced)
        inner = Sum()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            inner = Sum(nodes=1, cost=1)
        if node.selection_set is not None:
            sizes = {} if sliced is None else dict.fromkeys(size.sized_fields, sliced)
            below = _Place(type_, depth, place.nesting + 1, place.within, sizes)
            self._selected(node.selection_set, below, inner)
        if sliced is None:
            into.add(inner, place.sizes.get(node.name.value, size.assumed))
        else:
            into.add(inner, sliced if _is_list(definition) else 1)
        is_work = sliced is not None and place.parent is self._planner.schema.mutation_type
        into.add(Sum(cost=size.weight), sliced if is_work and sliced is not None else 1)

    def _counted(self, node: FieldNode, place: _Place) -> int:
        """The field's depth, once it is counted."""
        limits = self._limits
        if place.is_root:
            self._root = node.name.value
            self._roots[self._root] = None
        if node.alias is not None:
            self._aliases += 1
            _bounded("ALIASES", self._aliases, limits.aliases)
        is_introspected = place.introspected or node.name.value in _INTROSPECTION_FIELDS
        allowed = limits.introspection_depth if is_introspected else limits.depth
        if place.depth >= allowed:
            raise exceeded("TOO_DEEP", "request.depth", requested=place.depth + 1, allowed=allowed)
        self._depth = max(self._depth, place.depth + 1)
        return place.depth + 1

    def _noted(self, node: FieldNode, definition: GraphQLField | None, place: _Place) -> None:
        if node.name.value == "__typename":
            return
        if definition is None or place.parent is None or not is_exact(definition):
            self._is_exact = False
        if place.parent is not None:
            self._asked.add((place.parent.name, node.name.value))

    def _sized(self, name: str, definition: GraphQLField | None, place: _Place) -> FieldSize:
        if definition is None or place.parent is None or name == "__typename":
            return PLAIN
        coordinate = (place.parent.name, name)
        size = self._planner.sizes.get(coordinate, PLAIN)
        if not place.is_root:
            self._used.setdefault(self._root, set()).add(coordinate)
        elif size.weight >= SECRET_WEIGHT and place.parent is self._planner.schema.mutation_type:
            self._secrets += 1
            _bounded("SECRETS", self._secrets, self._limits.secrets)
        return size

    def _sliced(
        self, node: FieldNode, definition: GraphQLField | None, size: FieldSize
    ) -> Size | None:
        """How long the arguments say that the list is; None for a field whose arguments don't."""
        if definition is None or not size.slicing:
            return None
        name, *path = size.slicing
        default = definition.args[name].default_value
        otherwise = default if isinstance(default, int) else 0
        for argument in node.arguments or ():
            if argument.name.value == name:
                return size_of(
                    argument.value, tuple(path), declared=self._declared, otherwise=otherwise
                )
        return otherwise

    def _introspect(
        self, node: FieldNode, place: _Place, type_: GraphQLNamedType | None, depth: int
    ) -> None:
        name = node.name.value
        types = len(self._planner.schema.type_map)
        times = max(1, place.introspected)
        if name == "ofType":
            times = -(-times // 2)  # half of all types are wrapped in nothing more
        else:
            times *= types if name == "types" else _INTROSPECTED.get(name, 1)
        self._introspected = min(CEILING, self._introspected + times)
        _bounded("INTROSPECTED", self._introspected, self._limits.introspected)
        members = place.introspected_members + (name in _INTROSPECTED_MEMBERS)
        if members > 1:
            raise exceeded("TOO_DEEP", "request.introspected", requested=members, allowed=1)
        if node.selection_set is not None:
            below = _Place(
                type_,
                depth,
                place.nesting + 1,
                place.within,
                introspected=times,
                introspected_members=members,
            )
            self._selected(node.selection_set, below, Sum())


def _is_further_page(node: FieldNode) -> bool:
    return any(argument.name.value == "after" for argument in node.arguments or ())


def _is_list(definition: GraphQLField | None) -> bool:
    return definition is not None and is_list_type(get_nullable_type(definition.type))
