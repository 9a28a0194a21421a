"""What one run of an operation carries: variables, errors, and what it still waits for."""

from asyncio import Future, ensure_future, gather, get_running_loop
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfoHelpers
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_awaitable

if TYPE_CHECKING:
    from graphql_compiler.programs import Program

Where = tuple[Any, str | int, str | None]
"""A place in the response, as graphql-core's Path but cheap: what is before it, its key, and the
name of the type that the key is a field of, or None for the position in a list."""
Waits = list[tuple[str | int, Awaitable[Any]]]
"""What a dictionary or list of results still waits for, by key."""


class Run:
    """One run of a program."""

    __slots__ = (
        "_background",
        "_futures",
        "_helpers",
        "_is_over",
        "_nulled",
        "_unstarted",
        "context",
        "errors",
        "hides_suggestions",
        "program",
        "root",
        "values",
    )

    def __init__(
        self,
        program: "Program",
        context: object,
        root: object,
        values: VariableValues,
        hides_suggestions: bool,
    ) -> None:
        self.program = program
        self.context = context
        self.root = root
        self.values = values
        self.hides_suggestions = hides_suggestions
        self.errors: list[GraphQLError] = []
        self._nulled: set[Where | None] = set()
        self._unstarted: list[CoroutineType[Any, Any, Any]] = []
        self._background: set[Future[Any]] = set()
        self._futures: list[Future[Any]] = []
        self._is_over = False
        self._helpers: GraphQLResolveInfoHelpers | None = None

    # ---------------------------------------------------------------- errors

    def add(self, error: GraphQLError, where: Where | None) -> None:
        """Note an error that nulls the place, unless it lies in what is null already."""
        nulled = self._nulled
        if nulled:
            at = where
            while at is not None:
                if at in nulled:
                    return
                at = at[0]
            if None in nulled:
                return
        nulled.add(where)
        self.errors.append(error)

    @staticmethod
    def path(where: Where) -> Path:
        """The place as graphql-core tells it."""
        steps = []
        at: Where | None = where
        while at is not None:
            steps.append(at)
            at = at[0]
        path: Path | None = None
        for _, key, type_name in reversed(steps):
            path = Path(path, key, type_name)
        assert path is not None
        return path

    # ---------------------------------------------------------------- waiting

    def note(self, awaitable: object) -> None:
        """Remember a coroutine that runs later, so that it is closed if the run ends before."""
        if type(awaitable) is CoroutineType:
            self._unstarted.append(awaitable)

    def gather(self, results: Any, waits: Waits) -> Awaitable[Any]:
        """The results, once all that they wait for is there: exactly as many tasks and turns of
        the loop as graphql-core takes, so that loaders see the same batches."""
        gathered = self._gathered(results, waits)
        self.note(gathered)
        return gathered

    async def _gathered(self, results: Any, waits: Waits) -> Any:
        if len(waits) == 1:
            [(key, awaitable)] = waits
            results[key] = await awaitable
        else:
            values = await self._gather([awaitable for _, awaitable in waits])
            for (key, _), value in zip(waits, values, strict=True):
                results[key] = value
        return results

    async def _gather(self, awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
        """As graphql-core's `gather_with_cancel`, but with tasks that are known."""
        futures = [ensure_future(one) for one in awaitables]
        self._futures.extend(futures)
        try:
            return await gather(*futures)
        except Exception:
            for future in futures:
                future.cancel()  # does nothing to those that are done
            await gather(*futures, return_exceptions=True)
            raise

    def settle(self, waits: Waits | None) -> None:
        """Let what waits end in the background: an error has made its result worthless."""
        if waits:
            self._settle([awaitable for _, awaitable in waits])

    def drain(self, items: Iterator[object], waits: Waits | None) -> None:
        """Let what waits in a list, and in the rest of it, end in the background."""
        awaitables: list[Any] = [awaitable for _, awaitable in waits or ()]
        with suppress(Exception):
            awaitables.extend(item for item in items if is_awaitable(item))
        if awaitables:
            self._settle(awaitables)

    def _settle(self, awaitables: list[Any]) -> None:
        try:
            get_running_loop()
        except RuntimeError:
            for awaitable in awaitables:
                if type(awaitable) is CoroutineType:
                    awaitable.close()
            return
        future = gather(*awaitables, return_exceptions=True)
        self._background.add(future)
        future.add_done_callback(self._ended)

    def _ended(self, future: "Future[Any]") -> None:
        self._background.discard(future)
        if self._is_over:
            self.close()

    def close(self) -> None:
        """The response is made: close what no error has left to start, once nothing runs that may
        start it."""
        self._is_over = True
        if not self._background:
            for coroutine in self._unstarted:
                if getcoroutinestate(coroutine) == CORO_CREATED:
                    coroutine.close()
            self._unstarted.clear()

    async def abandon(self) -> None:
        """Leave nothing behind of a run that is given up: no task, no coroutine unstarted."""
        left = [one for one in (*self._background, *self._futures) if not one.done()]
        for future in left:
            future.cancel()
        try:
            await gather(*left, return_exceptions=True)
        finally:
            self.close()

    @property
    def helpers(self) -> GraphQLResolveInfoHelpers:
        """What resolvers and type resolvers get for work of their own."""
        if self._helpers is None:
            self._helpers = GraphQLResolveInfoHelpers(gather=self._gather, track=self._track)
        return self._helpers

    def _track(self, values: Any) -> None:
        awaitables = [value for value in values if is_awaitable(value)]
        if awaitables:
            self._settle(awaitables)


async def in_turn(run: Run, steps: Iterator[Any], pending: Awaitable[Any], results: Any) -> Any:
    """The results of root fields that run one after the other, from the first that waits on."""
    results.update(await pending)
    for step in steps:
        part = step(run, run.root, None)
        results.update(await part if type(part) is CoroutineType else part)
    return results
