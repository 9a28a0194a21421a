"""Documents made ready once: scanned, parsed, limited, validated and planned.

What has been prepared is kept by its text, so that an operation which recurs costs a look-up.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from server.edge import scanning
from server.edge.limits import DocumentLimits
from server.edge.planning import OperationPlan, plan_operation
from server.edge.refusing import DocumentRefused, RequestRefused
from server.edge.requests import GraphQLRequest

MAXIMUM_ERRORS = 5
"""Of one document: each further one costs the server more than it tells."""
_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)

FindTrusted = Callable[[str], Awaitable[str | None]]
"""From a hash to the text that the operator has published under it."""


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A valid document, with a plan for each of its operations by name ("" for none)."""

    sha256: str
    document: DocumentNode
    plans: dict[str, OperationPlan]
    is_trusted: bool

    def plan(self, operation_name: str | None) -> OperationPlan:
        """The plan of the operation that is asked for. Raises RequestRefused (422)."""
        if operation_name is None and len(self.plans) == 1:
            return next(iter(self.plans.values()))
        if operation_name is None or operation_name not in self.plans:
            key = "request.operation_unnamed" if operation_name is None else "request.operation"
            raise RequestRefused("OPERATION_RESOLUTION_FAILURE", key, status=422)
        return self.plans[operation_name]


class Documents:
    """The documents of one app."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: DocumentLimits | None = None,
        find_trusted: FindTrusted | None = None,
        capacity: int = 500,
    ) -> None:
        self.schema = schema
        self.limits = limits or DocumentLimits()
        self._find_trusted = find_trusted
        self._prepared: OrderedDict[tuple[str, bool], PreparedDocument] = OrderedDict()
        self._trusted: dict[str, PreparedDocument] = {}
        self._capacity = capacity

    async def prepared(
        self, request: GraphQLRequest, *, shows_suggestions: bool = False
    ) -> PreparedDocument:
        """The request's document. Raises RequestRefused."""
        if request.sha256 is not None:
            return await self._by_hash(request)
        assert request.query is not None
        return self._by_text(request.query, shows_suggestions=shows_suggestions)

    async def _by_hash(self, request: GraphQLRequest) -> PreparedDocument:
        sha256 = request.sha256 or ""
        known = self._trusted.get(sha256)
        if known is not None:
            return known
        body = await self._find_trusted(sha256) if self._find_trusted else None
        if body is None:
            raise RequestRefused(
                "PERSISTED_QUERY_NOT_FOUND", "request.document_unknown", status=404
            )
        prepared = self._prepare(body, is_trusted=True, shows_suggestions=False)
        self._trusted[sha256] = prepared
        return prepared

    def _by_text(self, text: str, *, shows_suggestions: bool) -> PreparedDocument:
        key = (text, shows_suggestions)
        known = self._prepared.get(key)
        if known is not None:
            self._prepared.move_to_end(key)
            return known
        prepared = self._prepare(text, is_trusted=False, shows_suggestions=shows_suggestions)
        self._prepared[key] = prepared
        if len(self._prepared) > self._capacity:
            self._prepared.popitem(last=False)
        return prepared

    def _prepare(self, text: str, *, is_trusted: bool, shows_suggestions: bool) -> PreparedDocument:
        scanning.check(text, self.limits)
        document = _parsed(text)
        operations = [
            one for one in document.definitions if isinstance(one, OperationDefinitionNode)
        ]
        plans = {
            "" if one.name is None else one.name.value: plan_operation(
                self.schema, document, one, self.limits
            )
            for one in operations
        }
        errors = validate(
            self.schema,
            document,
            _RULES,
            max_errors=MAXIMUM_ERRORS,
            hide_suggestions=not shows_suggestions,
        )
        if errors:
            raise DocumentRefused("GRAPHQL_VALIDATION_FAILED", errors, status=422)
        if not operations:
            raise RequestRefused("OPERATION_RESOLUTION_FAILURE", "request.operation", status=422)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return PreparedDocument(sha256, document, plans, is_trusted)


def _parsed(text: str) -> DocumentNode:
    try:
        return parse(text)
    except GraphQLSyntaxError as error:
        raise DocumentRefused("GRAPHQL_PARSE_FAILED", [error], status=400) from error
    except RecursionError as error:
        nested = GraphQLError("The document is nested too deeply.")
        raise DocumentRefused("GRAPHQL_PARSE_FAILED", [nested], status=400) from error
