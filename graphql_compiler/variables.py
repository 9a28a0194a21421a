"""The variables of an operation: signatures read once, usual values without graphql-core's walk.

Whatever is not usual goes the whole way through `get_variable_values`, so that what is refused, and
in which words, is graphql-core's decision alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    ValueNode,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import (
    VariableValues,
    VariableValueSource,
    get_variable_values,
    input_is_nested_too_deeply,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_input_literal, coerce_input_value

from graphql_compiler.coercing import Coerce, coercion_of
from graphql_compiler.constants import is_immutable


def _is_int(value: object) -> bool:
    return type(value) is int and -0x80000000 <= value <= 0x7FFFFFFF


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_float(value: object) -> bool:
    return type(value) is float and value - value == 0.0


def _is_truth(value: object) -> bool:
    return value is True or value is False


_USUAL: dict[object, Callable[[object], bool]] = {
    GraphQLBoolean: _is_truth,
    GraphQLFloat: _is_float,
    GraphQLID: _is_text,
    GraphQLInt: _is_int,
    GraphQLString: _is_text,
}
"""What the built-in scalars take as it is."""


@dataclass(frozen=True, slots=True)
class _Variable:
    signature: GraphQLVariableSignature
    is_required: bool
    is_usual: Callable[[object], bool] | None
    coerce: Coerce | None  # None for what is_usual tells, and what graphql-core has to walk
    default_literal: ValueNode | None
    default: Any  # Undefined if there is none, or none that may be shared


class Variables:
    """The variables that an operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        self._variables: list[_Variable] | None = []
        for definition in self._definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError):
                self._variables = None  # told anew for each run
                return
            self._variables.append(_variable(signature, definition.default_value))

    def coerced(
        self, inputs: Mapping[str, Any], *, max_errors: int, hide_suggestions: bool
    ) -> VariableValues | list[GraphQLError]:
        """The values, or why there are none."""
        values = None if self._variables is None else _usual(self._variables, inputs)
        if values is not None:
            return values
        return get_variable_values(
            self._schema,
            self._definitions,
            dict(inputs),
            max_errors=max_errors,
            hide_suggestions=hide_suggestions,
        )


def _variable(signature: GraphQLVariableSignature, literal: ValueNode | None) -> _Variable:
    type_ = signature.type
    is_required = isinstance(type_, GraphQLNonNull)
    named = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    default = Undefined if literal is None else _of_literal(literal, type_)
    if not is_immutable(default):
        default = Undefined
    is_usual = _USUAL.get(named)
    coerce = None if is_usual else _coercion(type_)
    return _Variable(signature, is_required, is_usual, coerce, literal, default)


def _coercion(type_: GraphQLInputType) -> Coerce | None:
    try:
        return coercion_of(type_)
    except Exception:  # what a type's own default raises, it will raise again
        return None


def _usual(variables: list[_Variable], inputs: Mapping[str, Any]) -> VariableValues | None:
    """The values if nothing about them is unusual."""
    sources: dict[str, VariableValueSource] = {}
    coerced: dict[str, Any] = {}
    for variable in variables:
        name = variable.signature.name
        given = inputs.get(name, Undefined)
        if given is Undefined:
            sources[name] = VariableValueSource(variable.signature)
            value = _default(variable)
            if value is Undefined:
                if variable.is_required or variable.default_literal is not None:
                    return None
                continue
        else:
            sources[name] = VariableValueSource(variable.signature, given)
            value = _taken(variable, given)
            if value is Undefined:
                return None
        coerced[name] = value
    return VariableValues(sources, coerced)


def _default(variable: _Variable) -> Any:
    if variable.default is not Undefined or variable.default_literal is None:
        return variable.default
    return _of_literal(variable.default_literal, variable.signature.type)


def _of_literal(literal: ValueNode, type_: GraphQLInputType) -> Any:
    try:
        return coerce_input_literal(literal, type_)
    except Exception:  # a type's own way to make a value may raise anything, as it will again
        return Undefined


def _taken(variable: _Variable, given: object) -> Any:
    """The coerced value; Undefined if that is for graphql-core to say."""
    if given is None:
        return Undefined if variable.is_required else None
    if variable.is_usual is not None:
        return given if variable.is_usual(given) else Undefined
    try:
        if variable.coerce is not None:
            return variable.coerce(given)
        if input_is_nested_too_deeply(given, variable.signature.type):
            return Undefined
        return coerce_input_value(given, variable.signature.type)
    except Exception:  # Unusual, RecursionError, or what a type raises: graphql-core tells
        return Undefined
