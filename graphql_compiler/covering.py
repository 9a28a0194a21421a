"""What the compiler covers: told before anything is compiled, by one walk over the operation."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

MAXIMUM_SELECTIONS = 2_000
"""Fields and fragments of an operation, fragments written out; more takes too long to compile."""
MAXIMUM_DEPTH = 64
_INCREMENTAL = frozenset({"defer", "stream"})
_CONDITIONS = frozenset({"include", "skip"})
_INTROSPECTION = frozenset({"__schema", "__type"})


class NotCovered(Exception):
    """The operation is for graphql-core to run. `reason` is one of a few words for a metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Covered:
    """An operation that the compiler covers."""

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    conditions: list[str] = field(default_factory=list)
    """The variables that @include and @skip ask for, each once."""


def covered(document: DocumentNode, operation_name: str | None) -> Covered:
    """The operation of that name, or the only one. Raises NotCovered."""
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    found = Covered(_operation(document, operation_name), fragments)
    if any(one.variable_definitions for one in fragments.values()):
        raise NotCovered("fragment_variables")
    directives = {one.name.value for one in found.operation.directives or ()}
    if GraphQLDisableErrorPropagationDirective.name in directives:
        raise NotCovered("error_propagation")
    for count, selection in enumerate(_selections(found, found.operation.selection_set, 0)):
        if count >= MAXIMUM_SELECTIONS:
            raise NotCovered("too_large")
        _check(found, selection)
    return found


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [
        one
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode)
        and (name is None or (one.name is not None and one.name.value == name))
    ]
    if not operations or (name is None and len(operations) > 1):
        raise NotCovered("no_operation")
    return operations[-1]


def _selections(
    found: Covered, selections: SelectionSetNode, depth: int
) -> Iterator[SelectionNode]:
    if depth > MAXIMUM_DEPTH:
        raise NotCovered("too_deep")
    for selection in selections.selections:
        yield selection
        inner: SelectionSetNode | None
        if isinstance(selection, FragmentSpreadNode):
            fragment = found.fragments.get(selection.name.value)
            inner = None if fragment is None else fragment.selection_set
        else:
            inner = selection.selection_set  # type: ignore[attr-defined] # fields and fragments
        if inner is not None:
            yield from _selections(found, inner, depth + 1)


def _check(found: Covered, selection: SelectionNode) -> None:
    if isinstance(selection, FieldNode) and selection.name.value in _INTROSPECTION:
        raise NotCovered("introspection")
    for directive in selection.directives or ():
        name = directive.name.value
        if name in _INCREMENTAL:
            raise NotCovered("incremental")
        if name in _CONDITIONS:
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    variable = argument.value.name.value
                    if variable not in found.conditions:
                        found.conditions.append(variable)
