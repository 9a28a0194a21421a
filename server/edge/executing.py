"""Running operations: what every transport does alike, from the request to the response's body."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from inspect import isawaitable
from typing import Any, TypeVar

import msgspec
import strawberry
from graphql import ExecutionResult, GraphQLSchema
from graphql.execution import Executor, create_source_event_stream, execute_root_selection_set

from graphql_compiler import NotCovered, Outcome
from server.edge.answers import Answer
from server.edge.budgets import Budgets, Taken
from server.edge.compiling import COMPILED, Compiler
from server.edge.context import Context
from server.edge.courtesy import Courtesy
from server.edge.documents import Documents, PreparedDocument
from server.edge.memory import Memory
from server.edge.observing import note_operation
from server.edge.permissions import Coordinate, alike, first_denied, rules_of, stated
from server.edge.planning import OperationPlan
from server.edge.refusing import DocumentRefused, RequestRefused
from server.edge.reporting import shown_errors
from server.edge.requests import GraphQLRequest
from server.edge.subscribing import delivered
from server.integrations.tracing import span
from server.principal import Principal, PrincipalKind, Scope

PARTIAL_SUCCESS_STATUS = 294
"""Of a response with data and errors, as the GraphQL-over-HTTP specification recommends."""


MAXIMUM_COERCION_ERRORS = 5
"""How many of an operation's variables are told to be wrong at once."""

WAITING_TIMES = 4
"""How many times as long what checks a password may take: it waits for its turn, doing nothing."""

_Result = TypeVar("_Result")


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
        compiler: Compiler | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.schema = schema_of(schema)
        self._executor_class: type[Executor[Any]] = schema.execution_context_class
        self.documents = documents or Documents(self.schema)
        self.compiler = Compiler(schema) if compiler is None else compiler
        self.memory = Memory() if memory is None else memory
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
        prepared = self.documents.at_hand(request)
        is_at_hand = prepared is not None
        if prepared is None:
            prepared, is_at_hand = await self._prepared(request, context)
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

    async def _prepared(
        self, request: GraphQLRequest, context: Context
    ) -> tuple[PreparedDocument, bool]:
        """The document that is not simply at hand, and whether it was ready all the same."""
        is_ready = self.documents.is_ready(request)
        if not is_ready:
            await self._courtesy.give_way()
        with span("graphql.prepare"):
            prepared = await self.documents.prepared(
                request,
                shows_suggestions=self.policy.may_introspect(context.principal),
                pay=partial(self.budgets.charge, context),
            )
        return prepared, is_ready

    def _check_access(self, plan: OperationPlan, principal: Principal) -> None:
        """Refuse the operation if it asks for a field that isn't for the caller.

        A root field that isn't says so itself when it is called, and spoils no other.
        """
        callers = alike(principal)
        if callers not in plan.denied:
            plan.denied[callers] = self._first_denied(plan, principal)
        denied = plan.denied[callers]
        if denied is not None:
            raise _denied(denied, principal)

    def _first_denied(self, plan: OperationPlan, principal: Principal) -> Coordinate | None:
        root = self.schema.get_root_type(plan.operation.operation)
        assert root is not None
        for name, deciding in plan.deciding.items():
            if stated(root.fields[name]).allows(principal):
                denied = first_denied(self._rules, deciding, principal)
                if denied is not None:
                    return denied
        return None

    def _check_trust(self, prepared: PreparedDocument | None, context: Context) -> None:
        is_trusted = prepared is not None and prepared.is_trusted
        is_member = context.principal.kind is PrincipalKind.MEMBER
        if self.policy.requires_trusted_documents and is_member and not is_trusted:
            raise RequestRefused(
                "TRUSTED_DOCUMENT_REQUIRED", "request.trusted_required", status=403
            )

    async def answer(self, planned: Planned, context: Context) -> Answer:
        """The answer to a query or a mutation: from memory, if it is known to be the same still, or
        by running it, within the time limit. Raises RequestRefused."""
        key = self.memory.key(planned.prepared.sha256, planned.plan, planned.variables, context)
        known = None if key is None else self.memory.find(key, context)
        if known is not None:
            return Answer(encoded=_encoded(known, planned.taken))
        with (
            self.budgets.running(context),
            self._courtesy.running() if planned.was_at_hand else nullcontext(),
            span("graphql.execute", **{"graphql.operation.type": planned.kind}),
        ):
            outcome = await self._outcome(planned, context)
        answer = self._told(outcome, context, planned.taken)
        if key is not None and not answer.has_errors:
            self.memory.keep(key, _data_of(outcome), context)
        return answer

    async def _outcome(self, planned: Planned, context: Context) -> Outcome | ExecutionResult:
        times = WAITING_TIMES if planned.plan.secrets else 1
        begun = self._begun(planned, context, is_kept=planned.was_at_hand)
        return await self._in_time(begun, times=times) if isawaitable(begun) else begun

    def _begun(
        self, planned: Planned, context: Context, root: Any = None, *, is_kept: bool
    ) -> Outcome | Awaitable[Outcome | ExecutionResult]:
        """The operation's outcome, or what to await for it: compiled if it can be."""
        context.asked, context.variables = planned.plan.asked, planned.variables
        compiled = self.compiler.compiled(planned.prepared, planned.plan, is_kept=is_kept)
        if compiled is not None:
            try:
                begun = compiled.run(
                    context,
                    planned.variables,
                    root=root,
                    hide_suggestions=not self.policy.may_introspect(context.principal),
                    max_coercion_errors=MAXIMUM_COERCION_ERRORS,
                )
            except NotCovered as error:  # nothing has run yet
                self.compiler.counts[error.reason] += 1
            else:
                self.compiler.counts[COMPILED] += 1
                return begun
        return _run(self._executor(planned, context, root))

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
        run = partial(self._begun, planned, fresh, event, is_kept=True)
        outcome = await self._in_time(delivered(event, run))
        return self._told(outcome, fresh, None)

    def _executor(self, planned: Planned, context: Context, root: Any = None) -> Executor[Any]:
        built = self._executor_class.build(
            self.schema,
            planned.prepared.document,
            root_value=root,
            context_value=context,
            raw_variable_values=dict(planned.variables),
            operation_name=planned.plan.name,
            hide_suggestions=not self.policy.may_introspect(context.principal),
            max_coercion_errors=MAXIMUM_COERCION_ERRORS,
        )
        if isinstance(built, list):
            raise DocumentRefused("BAD_USER_INPUT", built, status=422)
        return built

    async def _in_time(self, running: Awaitable[_Result], *, times: int = 1) -> _Result:
        limit_milliseconds = times * self.policy.time_limit_milliseconds
        limit = asyncio.timeout(limit_milliseconds / 1000)
        try:
            async with limit:
                return await running
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

    def _told(
        self, outcome: Outcome | ExecutionResult, context: Context, taken: Taken | None
    ) -> Answer:
        if isinstance(outcome, Outcome) and outcome.is_refused:
            raise DocumentRefused("BAD_USER_INPUT", outcome.errors, status=422)
        if not outcome.errors:
            return Answer(encoded=_encoded(_data_of(outcome), taken))
        shown = shown_errors(outcome.errors, context.language, request_id=context.request_id)
        body: dict[str, Any] = {"data": msgspec.Raw(_data_of(outcome)), "errors": shown}
        if taken is not None:
            body["extensions"] = {"cost": taken.shown}
        return Answer(body, PARTIAL_SUCCESS_STATUS)


def _data_of(outcome: Outcome | ExecutionResult) -> bytes:
    """The JSON of the outcome's data."""
    if isinstance(outcome, ExecutionResult):
        return msgspec.json.encode(outcome.data)
    assert outcome.data is not None, "only a refused operation has none"
    return outcome.data


def _encoded(data: bytes, taken: Taken | None) -> bytes:
    if taken is None:
        return b'{"data":%b}' % data
    return b'{"data":%b,"extensions":{"cost":%b}}' % (data, msgspec.json.encode(taken.shown))


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
