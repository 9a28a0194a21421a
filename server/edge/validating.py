"""GraphQL's own validation, with its work bounded and its rules as this schema needs them."""

from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    ValidationRule,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule

from server.edge.limits import DocumentLimits, exceeded

MAXIMUM_ERRORS = 3
"""Of one document: each further one costs the server more than it tells."""
MAXIMUM_MESSAGE_LENGTH = 500
"""Of one error, which repeats what was sent."""
_WITHOUT = frozenset(
    {
        "DeferStreamDirectiveLabel",
        "DeferStreamDirectiveOnRootField",
        "DeferStreamDirectiveOnValidOperationsRule",
        "StreamDirectiveOnListField",
    }
)
"""Rules on directives that the schema does not have, which is an error already."""
_ABORTED = "Validation aborted."


class OneOfVariablesRule(ValidationRule):
    """A variable for a field of an input of which one field is given can't be null.

    The library's own rule looks only at inputs that may be null themselves.
    """

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_args: Any) -> None:
        """Check the uses of the operation's variables."""
        declared = {one.variable.name.value: one for one in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            definition = declared.get(usage.node.name.value)
            parent = usage.parent_type
            if definition is None or isinstance(definition.type, NonNullTypeNode):
                continue
            if isinstance(parent, GraphQLNonNull) and getattr(parent.of_type, "is_one_of", False):
                name = usage.node.name.value
                message = (
                    f"Variable '${name}' must be non-nullable to be used for OneOf Input Object"
                    f" '{parent.of_type}'."
                )
                self.report_error(GraphQLError(message, [definition, usage.node]))


_RULES = (
    *(rule for rule in specified_rules if rule.__name__ not in _WITHOUT),
    MaybeNullValidationRule,
    OneOfVariablesRule,
)


def with_one_of(schema: GraphQLSchema) -> GraphQLSchema:
    """The schema, in which GraphQL's own rules know the inputs of which one field is given.

    Strawberry keeps that to itself and has a rule of its own, which fails on undeclared variables.
    """
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            ours = type_.extensions.get("strawberry-definition")
            type_.is_one_of = bool(getattr(ours, "is_one_of", type_.is_one_of))
    return schema


def errors_in(
    schema: GraphQLSchema,
    document: DocumentNode,
    limits: DocumentLimits,
    *,
    shows_suggestions: bool,
) -> list[GraphQLError]:
    """What is wrong with the document by the schema, at most MAXIMUM_ERRORS and one to say so.

    Raises RequestRefused if its fields overlap in too many ways to compare them all: GraphQL
    compares each two that would stand at the same place of the answer.
    """
    overlapping.MAX_COMPLEXITY_BUDGET = limits.overlaps
    errors = validate(
        schema,
        document,
        _RULES,
        max_errors=MAXIMUM_ERRORS,
        hide_suggestions=not shows_suggestions,
    )
    if errors and errors[-1].message == _ABORTED:
        raise exceeded(
            "TOO_MANY_OVERLAPS",
            "request.overlaps",
            requested=limits.overlaps + 1,
            allowed=limits.overlaps,
        )
    for error in errors:
        if len(error.message) > MAXIMUM_MESSAGE_LENGTH:
            error.message = error.message[:MAXIMUM_MESSAGE_LENGTH] + "…"
    return errors
