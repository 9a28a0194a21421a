"""The arguments of a field: coerced once if they are constants, else put together for each call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLNonNull,
    VariableNode,
    is_required_argument,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

from graphql_compiler.constants import is_immutable

if TYPE_CHECKING:
    from graphql_compiler.running import Run


@dataclass(frozen=True, slots=True)
class _Part:
    """One argument: a constant, or a variable with what stands in for it when it is missing."""

    name: str
    value: Any  # Undefined if nothing stands in
    variable: str | None = None
    takes_null: bool = True
    is_required: bool = False


class Arguments:
    """What a field is called with."""

    __slots__ = ("_definition", "_node", "_parts", "constant")

    def __init__(self, definition: GraphQLField, node: FieldNode) -> None:
        self._definition = definition
        self._node = node
        self.constant: dict[str, Any] | None = None
        """The arguments if they are the same for every call, which cannot change them."""
        self._parts: list[_Part] | None = None
        if not definition.args:
            self.constant = {}
            return
        self._parts = _parts(definition, node)
        if self._parts is not None and all(
            part.variable is None and is_immutable(part.value) for part in self._parts
        ):
            self.constant = {part.name: part.value for part in self._parts}

    def of(self, run: "Run") -> dict[str, Any]:
        """The arguments in this run, a dictionary of the caller's own. Raises GraphQLError."""
        if self.constant is not None:
            return dict(self.constant)
        values = None if self._parts is None else _put_together(self._parts, run.values.coerced)
        if values is not None:
            return values
        return get_argument_values(
            self._definition, self._node, run.values, None, run.hides_suggestions
        )


def _put_together(parts: list[_Part], variables: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments; None if one of them is for graphql-core to refuse."""
    values = {}
    for part in parts:
        value = part.value
        if part.variable is not None:
            if part.variable in variables:
                value = variables[part.variable]
                if value is None and not part.takes_null:
                    return None
            elif part.is_required:
                return None
            elif value is Undefined:
                continue
        values[part.name] = value
    return values


def _parts(definition: GraphQLField, node: FieldNode) -> list[_Part] | None:
    """The arguments one by one; None if they have to be coerced together for each call."""
    given = {argument.name.value: argument for argument in node.arguments or ()}
    parts = []
    for name, argument in definition.args.items():
        try:
            part = _part(name, argument, given.get(name), definition, node)
        except Exception:  # what a type's own way to make a value raises, it will raise again
            return None
        if part is None:
            return None
        if part.variable is not None or part.value is not Undefined:
            parts.append(part)
    return parts


def _part(
    name: str,
    argument: GraphQLArgument,
    given: ArgumentNode | None,
    definition: GraphQLField,
    node: FieldNode,
) -> _Part | None:
    shown = argument.out_name or name
    if given is None:
        return None if is_required_argument(argument) else _Part(shown, _default(argument))
    if isinstance(given.value, VariableNode):
        is_required = is_required_argument(argument)
        return _Part(
            shown,
            Undefined if is_required else _default(argument),
            given.value.name.value,
            takes_null=not isinstance(argument.type, GraphQLNonNull),
            is_required=is_required,
        )
    # A literal. Alone, it is coerced just as among the others; if it asks for variables, or makes
    # something that a call could change, it is coerced for each call.
    only = GraphQLField(definition.type, args={name: argument})
    value = get_argument_values(only, node).get(shown, Undefined)
    return _Part(shown, value) if is_immutable(value) else None


def _default(argument: GraphQLArgument) -> Any:
    return coerce_default_value(argument)
