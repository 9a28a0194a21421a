"""Running operations: what every transport does alike, from the request to the response's body."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLSchema
from graphql.execution import Executor, create_source_event_stream, execute_root_selection_set

from server.edge.budgets import Budgets, Taken
from server.edge.context import Context
from server.edge.courtesy import Courtesy
from server.edge.documents import Documents, PreparedDocument
from server.edge.observing import note_operation
from server.edge.permissions import Coordinate, first_denied, rules_of, stated
from server.edge.planning import OperationPlan
from server.edge.refusing import DocumentRefused, RequestRefused
from server.edge.reporting import shown_errors
from server.edge.requests import GraphQLRequest
from server.edge.subscribing import delivered
from server.integrations.tracing import span
from server.principal import Principal, PrincipalKind, Scope

PARTIAL_SUCCESS_STATUS = 294
"""Of a response with data and errors, as the GraphQL-over-HTTP specification recommends."""


WAITING_TIMES = 4
"""How many times as long what checks a password may take: it waits for its turn, doing nothing."""


class Introspection(StrEnum):
    """Who may ask for the schema, and is helped with names that are nearly right."""

    EVERYONE = "everyone"
    DEVELOPERS = "developers"  # staff, and keys with the scope SCHEMA_READ


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides about operations."""

    introspection: Introspection = Introspection.DEVELOPERS
    requires_trusted_documents: bool = False  # of members
    time_limit_milliseconds: int = 10_000

    def may_introspect(self, principal: Principal) -> bool:
        """Whether the caller may ask for the schema."""
        if self.introspection is Introspection.EVERYONE or principal.kind is PrincipalKind.STAFF:
            return True
        return principal.kind is PrincipalKind.KEY and Scope.SCHEMA_READ in principal.scopes


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation that may run: valid, allowed, and paid for."""

    prepared: PreparedDocument
    plan: OperationPlan
    variables: Mapping[str, Any]
    taken: Taken
    was_at_hand: bool  # the document had been made ready before

    @property
    def kind(self) -> str:
        """What it does: "query", "mutation" or "subscription"."""
        return self.plan.kind


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its body by the GraphQL specification, and the HTTP status that fits it."""

    body: dict[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def schema_of(schema: strawberry.Schema) -> GraphQLSchema:
    """The schema as GraphQL's own library sees it."""
    return schema._schema


class Operations:
    """The operations of one app."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        documents: Documents | None = None,
        budgets: Budgets | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.schema = schema_of(schema)
        self._executor_class: type[Executor[Any]] = schema.execution_context_class
        self.documents = documents or Documents(self.schema)
        self._courtesy = Courtesy()
        self._rules = rules_of(self.schema)
        self.budgets = budgets or Budgets()
        self.policy = policy or Policy()

    async def planned(
        self, request: GraphQLRequest, context: Context, *, allows: Callable[[str], None]
    ) -> Planned:
        """The operation that is asked for, its cost taken from the caller's budget.

        `allows` is called with the operation's kind and raises RequestRefused if the transport does
        not carry it. Raises RequestRefused.
        """
        may_introspect = self.policy.may_introspect(context.principal)
        self.budgets.check_variables(context, request.variables)
        if request.sha256 is None:
            self._check_trust(None, context)
        is_at_hand = self.documents.is_at_hand(request)
        if not is_at_hand:
            await self._courtesy.give_way()
        with span("graphql.prepare"):
            prepared = await self.documents.prepared(
                request,
                shows_suggestions=may_introspect,
                pay=partial(self.budgets.charge, context),
            )
        plan = prepared.plan(request.operation_name)
        allows(plan.kind)
        estimate = plan.estimated(request.variables)
        note_operation(plan.kind, plan.root_fields, name=plan.name, cost=estimate.cost)
        if plan.introspects and not may_introspect:
            raise RequestRefused("INTROSPECTION_NOT_ALLOWED", "request.introspection", status=403)
        self._check_trust(prepared, context)
        self._check_access(plan, context.principal)
        taken = self.budgets.take(context, estimate)
        return Planned(prepared, plan, request.variables, taken, is_at_hand)

    def _check_access(self, plan: OperationPlan, principal: Principal) -> None:
        """Refuse the operation if it asks for a field that isn't for the caller.

        A root field that isn't says so itself when it is called, and spoils no other.
        """
        root = self.schema.get_root_type(plan.operation.operation)
        assert root is not None
        for name, deciding in plan.deciding.items():
            if stated(root.fields[name]).allows(principal):
                denied = first_denied(self._rules, deciding, principal)
                if denied is not None:
                    raise _denied(denied, principal)

    def _check_trust(self, prepared: PreparedDocument | None, context: Context) -> None:
        is_trusted = prepared is not None and prepared.is_trusted
        is_member = context.principal.kind is PrincipalKind.MEMBER
        if self.policy.requires_trusted_documents and is_member and not is_trusted:
            raise RequestRefused(
                "TRUSTED_DOCUMENT_REQUIRED", "request.trusted_required", status=403
            )

    async def answer(self, planned: Planned, context: Context) -> Answer:
        """Run a query or a mutation, within the time limit. Raises RequestRefused."""
        with (
            self.budgets.running(context),
            self._courtesy.running() if planned.was_at_hand else nullcontext(),
            span("graphql.execute", **{"graphql.operation.type": planned.kind}),
        ):
            executor = self._executor(planned, context)
            result = await self._in_time(
                lambda: _run(executor), times=WAITING_TIMES if planned.plan.secrets else 1
            )
        return self._shown(result, context, planned.taken)

    async def events(
        self, planned: Planned, context: Context, renewed: Callable[[], Awaitable[Context]]
    ) -> AsyncIterator[Answer]:
        """The responses of a subscription, one for each event.

        `renewed` gives the context of each event, or raises RequestRefused when the caller may not
        go on. Raises RequestRefused.
        """
        source = create_source_event_stream(self._executor(planned, context))
        if isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            # No `data`: there are no events whose fields could be told.
            yield Answer({"errors": shown_errors(source.errors or (), context.language)})
            return
        try:
            async for event in source:
                yield await self._event(planned, event, renewed)
        finally:
            await source.aclose()  # type: ignore[attr-defined] # generators, all of them

    async def _event(
        self, planned: Planned, event: object, renewed: Callable[[], Awaitable[Context]]
    ) -> Answer:
        """One event's response; apart, so that nothing of it is kept until the next one."""
        fresh = await renewed()
        run = partial(_run, self._executor(planned, fresh, event))
        result = await self._in_time(partial(delivered, event, run))
        return self._shown(result, fresh, None)

    def _executor(self, planned: Planned, context: Context, root: Any = None) -> Executor[Any]:
        built = self._executor_class.build(
            self.schema,
            planned.prepared.document,
            root_value=root,
            context_value=context,
            raw_variable_values=dict(planned.variables),
            operation_name=planned.plan.name,
            hide_suggestions=not self.policy.may_introspect(context.principal),
            max_coercion_errors=5,
        )
        if isinstance(built, list):
            raise DocumentRefused("BAD_USER_INPUT", built, status=422)
        return built

    async def _in_time(
        self, run: Callable[[], Awaitable[ExecutionResult]], *, times: int = 1
    ) -> ExecutionResult:
        limit_milliseconds = times * self.policy.time_limit_milliseconds
        limit = asyncio.timeout(limit_milliseconds / 1000)
        try:
            async with limit:
                return await run()
        except TimeoutError:
            if not limit.expired():
                raise
            raise RequestRefused(
                "OPERATION_TIMED_OUT",
                "request.timed_out",
                status=503,
                headers={"Retry-After": "1"},
                extensions={"allowed": limit_milliseconds},
            ) from None

    def _shown(self, result: ExecutionResult, context: Context, taken: Taken | None) -> Answer:
        body: dict[str, Any] = {"data": result.data}
        status = 200
        if result.errors:
            body["errors"] = shown_errors(
                result.errors, context.language, request_id=context.request_id
            )
            status = PARTIAL_SUCCESS_STATUS
        if taken is not None:
            body["extensions"] = {"cost": taken.shown}
        return Answer(body, status)


def _denied(denied: Coordinate, principal: Principal) -> RequestRefused:
    if principal.kind is PrincipalKind.ANONYMOUS:
        return RequestRefused(
            "UNAUTHENTICATED",
            "request.sign_in",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    field_name = ".".join(denied)
    return RequestRefused("FORBIDDEN", "request.forbidden_field", status=403, field=field_name)


async def _run(executor: Executor[Any]) -> ExecutionResult:
    result = execute_root_selection_set(executor)
    return await result if isawaitable(result) else result
