"""Which operations are compiled (`graphql_compiler`), and which GraphQL's own library runs.

An operation is compiled when its document has been kept: the operator has published it, or it has
been sent before. What the compiler does not cover is run by graphql-core, with the same answer, and
counted by the reason.
"""

from collections import Counter, OrderedDict
from enum import StrEnum

import strawberry

from graphql_compiler import CompiledOperation, NotCovered, compile_operation
from graphql_compiler.strawberry_fields import StrawberryBinder
from server.edge.documents import PreparedDocument
from server.edge.planning import OperationPlan

CAPACITY = 100
"""Compiled operations that are kept, each of about 100 kB."""
COMPILED = "compiled"
ONCE = "sent_once"
"""Why an operation is not compiled that may never come again."""
TURNED_OFF = "turned_off"


class Compiling(StrEnum):
    """Which operations are compiled."""

    RECURRING = "recurring"  # those whose document is kept
    ALWAYS = "always"
    NEVER = "never"


class Compiler:
    """The compiled operations of one app; `counts` says how the operations were run: COMPILED, or
    by graphql-core and why."""

    def __init__(
        self,
        schema: strawberry.Schema,
        compiling: Compiling = Compiling.RECURRING,
        capacity: int = CAPACITY,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._schema = schema._schema
        self._binder = StrawberryBinder(schema)
        self._compiling = compiling
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, str | None], CompiledOperation | str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def compiled(
        self, prepared: PreparedDocument, plan: OperationPlan, *, is_kept: bool
    ) -> CompiledOperation | None:
        """The operation, compiled, to be counted once it runs; None, counted, for one that
        graphql-core has to run."""
        found = self._found(prepared, plan, is_kept=is_kept)
        if isinstance(found, CompiledOperation):
            return found
        self.counts[found] += 1
        return None

    def _found(
        self, prepared: PreparedDocument, plan: OperationPlan, *, is_kept: bool
    ) -> CompiledOperation | str:
        key = (prepared.sha256, plan.name)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        if self._compiling is Compiling.NEVER:
            return TURNED_OFF
        if not is_kept and self._compiling is not Compiling.ALWAYS:
            return ONCE
        try:
            found = compile_operation(self._schema, prepared.document, plan.name, bind=self._binder)
        except NotCovered as error:
            found = error.reason
        self._kept[key] = found
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return found
