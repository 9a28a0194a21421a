"""Documents made ready once: scanned, parsed, limited, planned and validated.

What recurs is kept, so that it costs a look-up. A text is kept when it is seen for the second time:
what is sent only once never pushes out what everybody sends.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, GraphQLSchema, GraphQLSyntaxError, parse

from server import clock
from server.clock import Instant
from server.edge import scanning
from server.edge.limits import TRUSTED, DocumentLimits
from server.edge.planning import OperationPlan, Planner
from server.edge.refusing import DocumentRefused, ErrorShown, RequestRefused
from server.edge.requests import GraphQLRequest, hash_of
from server.edge.sizing import sizes_of
from server.edge.validating import errors_in, with_one_of

FindTrusted = Callable[[str], Awaitable[str | None]]
"""From a hash to the text that the operator has published under it."""
Pay = Callable[[int], None]
"""Called with the cost of the work that a document makes, before it is done; may refuse it."""

CHARACTERS_PER_COST = 100
TRUSTED_FOR = 30 * clock.MICROSECONDS_PER_SECOND
"""How long a published document is used before it is asked again whether it still is."""
UNKNOWN_FOR = clock.MICROSECONDS_PER_SECOND
"""How long nobody asks again for a hash that was not published."""


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A valid document, with a plan for each of its operations by name ("" for none)."""

    sha256: str
    document: DocumentNode
    plans: dict[str, OperationPlan]
    tokens: int
    is_trusted: bool

    def plan(self, operation_name: str | None) -> OperationPlan:
        """The plan of the operation that is asked for. Raises RequestRefused (422)."""
        if operation_name is None and len(self.plans) == 1:
            return next(iter(self.plans.values()))
        if operation_name is None or operation_name not in self.plans:
            key = "request.operation_unnamed" if operation_name is None else "request.operation"
            raise RequestRefused("OPERATION_RESOLUTION_FAILURE", key, status=422)
        return self.plans[operation_name]


class PersistedQueryNotFound(RequestRefused):
    """Nobody has registered a text under the hash: an Apollo client sends it next.

    The clients know it by these very words, in no language; some of them only with status 200.
    """

    def __init__(self) -> None:
        super().__init__("PERSISTED_QUERY_NOT_FOUND", "request.document_unknown", status=404)

    def errors(self, language: str) -> list[ErrorShown]:
        """The error as Apollo's clients know it."""
        [error] = super().errors(language)
        return [{**error, "message": "PersistedQueryNotFound"}]


class Preparing:
    """Makes documents ready for one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = with_one_of(schema)
        self._planner = Planner(schema, sizes_of(schema))

    def prepared(
        self,
        text: str,
        limits: DocumentLimits,
        *,
        is_trusted: bool = False,
        shows_suggestions: bool = False,
    ) -> PreparedDocument:
        """The document. Raises RequestRefused if it exceeds a limit or is not valid."""
        tokens = scanning.check(text, limits)
        document = _parsed(text)
        plans = self._planner.planned(document, limits)
        errors = errors_in(self.schema, document, limits, shows_suggestions=shows_suggestions)
        if errors:
            raise DocumentRefused("GRAPHQL_VALIDATION_FAILED", errors, status=422)
        if not plans:
            raise RequestRefused("OPERATION_RESOLUTION_FAILURE", "request.operation", status=422)
        by_name = {plan.name or "": plan for plan in plans}
        return PreparedDocument(hash_of(text), document, by_name, tokens, is_trusted)


class _Kept:
    """Prepared documents by their hash, the least recently used dropped for the newest: bounded in
    number and, by their tokens, in memory."""

    def __init__(self, documents: int, tokens: int) -> None:
        self._kept: OrderedDict[str, tuple[PreparedDocument, Instant]] = OrderedDict()
        self._documents = documents
        self._tokens_left = tokens

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, sha256: str) -> tuple[PreparedDocument, Instant] | None:
        """The document, and when it was put here."""
        found = self._kept.get(sha256)
        if found is not None:
            self._kept.move_to_end(sha256)
        return found

    def put(self, prepared: PreparedDocument) -> None:
        """Keep it."""
        self.drop(prepared.sha256)
        self._kept[prepared.sha256] = prepared, clock.system_now()
        self._tokens_left -= prepared.tokens
        while len(self._kept) > 1 and (len(self._kept) > self._documents or self._tokens_left < 0):
            self.drop(next(iter(self._kept)))

    def drop(self, sha256: str) -> None:
        """Keep it no longer."""
        dropped = self._kept.pop(sha256, None)
        if dropped is not None:
            self._tokens_left += dropped[0].tokens


class _Seen:
    """The hashes of late, with the instant of each; the oldest dropped for the newest."""

    def __init__(self, capacity: int) -> None:
        self._seen: OrderedDict[str, Instant] = OrderedDict()
        self._capacity = capacity

    def at(self, sha256: str) -> Instant | None:
        """When it was last seen."""
        return self._seen.get(sha256)

    def add(self, sha256: str) -> None:
        """It is seen now."""
        self._seen[sha256] = clock.system_now()
        self._seen.move_to_end(sha256)
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)


class Documents:
    """The documents of one app.

    `hits` counts the requests whose document was ready, `misses` those for which it was made ready
    or refused. With `registers` callers may register texts under their hash, as Apollo's clients
    do; these are never trusted.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        limits: DocumentLimits | None = None,
        find_trusted: FindTrusted | None = None,
        registers: bool = True,
        capacity: int = 1_000,
        capacity_tokens: int = 30_000,  # each takes about 600 bytes
    ) -> None:
        self.limits = limits or DocumentLimits()
        self.hits = self.misses = 0
        self._preparing = Preparing(schema)
        self._find_trusted = find_trusted
        self._registers = registers
        self._recurring = _Kept(capacity, capacity_tokens)
        self._registered = _Kept(capacity, capacity_tokens // 2)
        self._trusted = _Kept(capacity * 2, capacity_tokens * 2)
        self._seen_once = _Seen(capacity * 10)
        self._unknown = _Seen(capacity)

    @property
    def kept(self) -> int:
        """How many documents are kept ready."""
        return len(self._recurring) + len(self._registered) + len(self._trusted)

    def at_hand(self, request: GraphQLRequest) -> PreparedDocument | None:
        """The document of a request that sends the text of one that recurs; None for any other."""
        if request.sha256 is not None or request.query is None:
            return None
        found = self._recurring.get(hash_of(request.query))
        if found is None:
            return None
        self.hits += 1
        return found[0]

    def is_ready(self, request: GraphQLRequest) -> bool:
        """Whether the request's document has been made ready."""
        sha256 = request.sha256 or hash_of(request.query or "")
        kept = (self._recurring, self._trusted, self._registered)
        return any(one.get(sha256) is not None for one in kept)

    async def prepared(
        self, request: GraphQLRequest, *, shows_suggestions: bool = False, pay: Pay | None = None
    ) -> PreparedDocument:
        """The request's document. Raises RequestRefused, by what `pay` raises too."""
        paid = pay or (lambda _cost: None)
        text = request.query
        sha256 = request.sha256 or hash_of(text or "")
        if request.sha256 is not None:
            if text is not None and hash_of(text) != sha256:
                raise RequestRefused("PERSISTED_QUERY_MISMATCH", "request.hash_mismatch")
            known = self._registered.get(sha256) if request.is_automatic else None
            published = None if known else await self._published(sha256, paid)
            if published is not None:
                return published
            if text is None and known is None:
                raise PersistedQueryNotFound if request.is_automatic else _unknown()
        found = self._recurring.get(sha256) or self._registered.get(sha256)
        if found is not None:
            self.hits += 1
            return found[0]
        assert text is not None
        prepared = self._made(text, paid, shows_suggestions=shows_suggestions)
        if request.is_automatic and self._registers:
            self._registered.put(prepared)
        elif self._seen_once.at(sha256) is not None:
            self._recurring.put(prepared)
        self._seen_once.add(sha256)
        return prepared

    def _made(
        self, text: str, paid: Pay, *, is_trusted: bool = False, shows_suggestions: bool = False
    ) -> PreparedDocument:
        self.misses += 1
        paid(1 + min(len(text), self.limits.characters) // CHARACTERS_PER_COST)
        return self._preparing.prepared(
            text,
            TRUSTED if is_trusted else self.limits,
            is_trusted=is_trusted,
            shows_suggestions=shows_suggestions,
        )

    async def _published(self, sha256: str, paid: Pay) -> PreparedDocument | None:
        """The document that the operator has published under the hash."""
        found = self._trusted.get(sha256)
        if found is not None and _is_recent(found[1], TRUSTED_FOR):
            self.hits += 1
            return found[0]
        asked_at = self._unknown.at(sha256)
        if self._find_trusted is None or (asked_at and _is_recent(asked_at, UNKNOWN_FOR)):
            return None
        paid(1)
        text = await self._find_trusted(sha256)
        if text is None:
            self._trusted.drop(sha256)
            self._unknown.add(sha256)
            return None
        found = self._trusted.get(sha256)  # another request may have been faster
        if found is None:
            prepared = self._made(text, paid, is_trusted=True)
        else:
            self.hits += 1
            prepared = found[0]
        self._trusted.put(prepared)
        return prepared


def _is_recent(at: Instant, microseconds: int) -> bool:
    return abs(clock.system_now() - at) < microseconds


def _unknown() -> RequestRefused:
    return RequestRefused("PERSISTED_QUERY_NOT_FOUND", "request.document_unknown", status=404)


def _parsed(text: str) -> DocumentNode:
    try:
        return parse(text)
    except GraphQLSyntaxError as error:
        raise DocumentRefused("GRAPHQL_PARSE_FAILED", [error], status=400) from error
    except RecursionError as error:
        nested = GraphQLError("The document is nested too deeply.")
        raise DocumentRefused("GRAPHQL_PARSE_FAILED", [nested], status=400) from error
