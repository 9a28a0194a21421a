"""What an operation asks for, found by one walk over it before anything is validated or run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from server.edge.limits import DocumentLimits


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """An operation, and what is known of it before its variables."""

    operation: OperationDefinitionNode
    root_fields: tuple[str, ...]  # their names in the schema, those of introspection included
    used: frozenset[tuple[str, str]]  # (type, field) of every field below the root

    @property
    def kind(self) -> str:
        """What it does: "query", "mutation" or "subscription"."""
        return self.operation.operation.value

    @property
    def name(self) -> str | None:
        """The operation's name."""
        return None if self.operation.name is None else self.operation.name.value

    @property
    def introspects(self) -> bool:
        """Whether it asks for the schema itself."""
        return "__schema" in self.root_fields or "__type" in self.root_fields

    def cost(self, variables: Mapping[str, Any]) -> int:
        """What it costs with these variables."""
        return len(self.root_fields)


def plan_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    limits: DocumentLimits,
) -> OperationPlan:
    """The operation's plan. Raises RequestRefused if it exceeds a limit."""
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    roots = tuple(dict.fromkeys(_root_fields(operation.selection_set, fragments, ())))
    return OperationPlan(operation, roots, frozenset())


def _root_fields(
    selected: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    within: tuple[str, ...],
) -> Iterator[str]:
    for node in selected.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(node.selection_set, fragments, within)
        elif isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name in fragments and name not in within:
                yield from _root_fields(fragments[name].selection_set, fragments, (*within, name))
