"""The fields of an operation where they stand, and how their values are completed.

What is written here is the whole of graphql-core's value completion, step by step and with its
words, on top of the compiled functions for selection sets and lists. The compiled functions take
care of what is usual and come here for anything else: nulls out of place, awaitables, errors,
objects of classes not seen before.
"""

from collections.abc import Callable
from sys import exception
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, cast

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    default_type_resolver,
    located_error,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import Undefined, inspect, is_awaitable, is_iterable

from graphql_compiler.arguments import Arguments
from graphql_compiler.bindings import Binding, Direct
from graphql_compiler.constants import ENCODED
from graphql_compiler.iterating import completed_iterator

if TYPE_CHECKING:
    from graphql_compiler.programs import Program
    from graphql_compiler.running import Run, Waits, Where


class Select(Protocol):
    """A compiled selection set: the results for a source at a place."""

    def __call__(self, run: "Run", source: Any, where: "Where | None", /) -> Any: ...  # noqa: D102


class Site:
    """A field in a selection set on an object type; merged if it stands there more than once."""

    __slots__ = (
        "arguments",
        "binding",
        "definition",
        "details",
        "key",
        "name",
        "nodes",
        "parent_type",
        "program",
    )

    def __init__(
        self,
        program: "Program",
        key: str,
        parent_type: GraphQLObjectType,
        definition: GraphQLField,
        details: FieldDetailsList,
    ) -> None:
        self.program = program
        self.key = key
        self.parent_type = parent_type
        self.definition = definition
        self.details = details
        self.nodes: list[FieldNode] = [one.node for one in details]
        self.name = self.nodes[0].name.value
        self.binding: Binding = program.binder(parent_type, self.name, definition)
        self.arguments = Arguments(definition, self.nodes[0])

    def info(self, run: "Run", where: "Where") -> GraphQLResolveInfo[Any]:
        """What graphql-core tells of the field at the place, or around the list item there."""
        while where[2] is None:
            where = where[0]
        return self.program.binder.resolve_info(run, self, where)

    def called(self, run: "Run", source: object, where: "Where") -> Any:
        """What the direct function gives for arguments that are not known before."""
        binding = self.binding
        assert isinstance(binding, Direct)
        arguments = self.arguments.of(run)
        if binding.is_async:
            return self._called_async(run, source, where, arguments)
        return self._call(run, source, where, arguments)

    def _call(self, run: "Run", source: object, where: "Where", arguments: dict[str, Any]) -> Any:
        binding = self.binding
        assert isinstance(binding, Direct)
        info = None if binding.info is None else binding.info(run, self, where)
        if binding.convert is not None:
            arguments = binding.convert(arguments, info)
        for name in binding.source_names:
            arguments[name] = source
        if binding.info_name is not None:
            arguments[binding.info_name] = info
        if binding.takes_source_first:
            return binding.function(source, **arguments)
        return binding.function(**arguments)

    async def _called_async(
        self, run: "Run", source: object, where: "Where", arguments: dict[str, Any]
    ) -> Any:
        return await self._call(run, source, where, arguments)


class Spot:
    """A value of a field: its own, or that of an item of its lists."""

    __slots__ = ("completed", "is_required", "site", "type")

    def __init__(self, site: Site, type_: GraphQLOutputType) -> None:
        self.site = site
        self.is_required = isinstance(type_, GraphQLNonNull)
        self.type: Any = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        self.completed: Callable[[Run, Any, Where], Any] = self.complete
        """`complete`, or a compiled function that does the same faster."""

    def _present(self, run: "Run", value: Any, where: "Where") -> Any:
        raise NotImplementedError

    def complete(self, run: "Run", value: Any, where: "Where") -> Any:
        """The value as the response shows it, or a coroutine of it. Raises what went wrong."""
        if isinstance(value, Exception):
            raise value
        done = None if value is None or value is Undefined else self._present(run, value, where)
        if done is None and self.is_required:
            raise TypeError(
                "Cannot return null for non-nullable field"
                f" {self.site.parent_type}.{self.site.name}."
            )
        return done

    def fail(self, run: "Run", where: "Where", error: Exception) -> None:
        """Note the error and leave null, or raise it if null is not allowed here."""
        path = run.path(where).as_list()
        located = located_error(error, self.site.nodes, path)
        if self.is_required:
            raise located
        run.add(located, where)

    def failed(self, run: "Run", before: "Where | None") -> None:
        """Do so with the error in hand, of the field in the selection set at the place."""
        error = exception()
        assert isinstance(error, Exception)
        site = self.site
        self.fail(run, (before, site.key, site.parent_type.name), error)

    # ---------------------------------------------------------------- waiting

    def slow(
        self, run: "Run", where: "Where", value: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits | None]":
        """The value completed, or waited for."""
        if is_awaitable(value):
            return self.awaited(run, where, value, waits)
        done = self.complete(run, value, where)
        if type(done) is CoroutineType:
            return self.later(run, where, done, waits)
        return done, waits

    def called(
        self, run: "Run", where: "Where", value: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits | None]":
        """As `slow`, for what a source has under a name, which may be a function."""
        if callable(value):
            arguments = self.site.arguments.of(run)
            value = value(self.site.info(run, where), **arguments)
        return self.slow(run, where, value, waits)

    def awaited(
        self, run: "Run", where: "Where", value: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits]":
        """A value that is to be awaited before it is completed."""
        run.note(value)
        return self._waiting(run, where, self._awaited(run, where, value), waits)

    def later(
        self, run: "Run", where: "Where", done: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits]":
        """A value that is completed but for what it waits for."""
        run.note(done)
        return self._waiting(run, where, self._later(run, where, done), waits)

    @staticmethod
    def _waiting(
        run: "Run", where: "Where", coroutine: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits]":
        run.note(coroutine)
        if waits is None:
            waits = []
        waits.append((where[1], coroutine))
        return coroutine, waits

    async def _awaited(self, run: "Run", where: "Where", value: Any) -> Any:
        try:
            done = self.completed(run, await value, where)
            return await done if type(done) is CoroutineType else done
        except Exception as error:
            self.fail(run, where, error)
            return None

    async def _later(self, run: "Run", where: "Where", done: Any) -> Any:
        try:
            return await done
        except Exception as error:
            self.fail(run, where, error)
            return None


class LeafSpot(Spot):
    """A scalar or an enum."""

    __slots__ = ("coerce",)

    def __init__(self, site: Site, type_: GraphQLOutputType) -> None:
        super().__init__(site, type_)
        leaf: GraphQLLeafType = self.type
        self.coerce: Callable[[Any], Any] = leaf.coerce_output_value

    def _present(self, run: "Run", value: Any, where: "Where") -> Any:
        coerced = self.coerce(value)
        return coerced if type(coerced) in ENCODED else self.checked(value, coerced)

    def checked(self, value: Any, coerced: Any) -> Any:
        """What a scalar has given, if responses can hold it."""
        if coerced is Undefined or coerced is None:
            raise TypeError(
                f"Expected `{inspect(self.type)}.coerce_output_value({inspect(value)})` to return"
                f" non-nullable value, returned: {inspect(coerced)}"
            )
        return _passed(coerced) if is_awaitable(coerced) else coerced

    def odd(
        self, run: "Run", where: "Where", value: Any, coerced: Any, waits: "Waits | None"
    ) -> "tuple[Any, Waits | None]":
        """What a scalar has given, if it is not of the classes that responses are made of."""
        done = self.checked(value, coerced)
        if type(done) is CoroutineType:
            return self.later(run, where, done, waits)
        return done, waits


async def _passed(awaitable: Any) -> Any:
    return await awaitable


class ListSpot(Spot):
    """A list, whose items have a spot of their own."""

    __slots__ = ("item", "walk")

    def __init__(self, site: Site, type_: GraphQLOutputType) -> None:
        super().__init__(site, type_)
        of_list: GraphQLList[Any] = self.type
        self.item = spot_of(site, of_list.of_type)
        self.walk: Callable[[Run, Any, Where], Any]  # compiled

    def _present(self, run: "Run", value: Any, where: "Where") -> Any:
        if hasattr(value, "__aiter__"):
            return completed_iterator(self.item, run, value, where)
        if not is_iterable(value):
            raise GraphQLError(
                "Expected Iterable, but did not find one for field"
                f" '{self.site.parent_type}.{self.site.name}'."
            )
        return self.walk(run, value, where)


class ObjectSpot(Spot):
    """An object of a type that is known."""

    __slots__ = ("select",)

    def __init__(self, site: Site, type_: GraphQLOutputType) -> None:
        super().__init__(site, type_)
        self.select: Select  # compiled

    def _present(self, run: "Run", value: Any, where: "Where") -> Any:
        return self._checked(run, value, where, self.type, self.select)

    def _checked(
        self,
        run: "Run",
        value: Any,
        where: "Where",
        type_: GraphQLObjectType,
        select: Select,
    ) -> Any:
        if type_.is_type_of is not None:
            is_type = type_.is_type_of(value, self.site.info(run, where))
            if is_awaitable(is_type):
                run.note(is_type)
                return self._checked_async(is_type, run, value, where, type_, select)
            if not is_type:
                raise invalid_return_type_error(type_, value, self.site.details)
        self.site.program.classes.learn(self, value, type_, select)
        return select(run, value, where)

    async def _checked_async(
        self,
        is_type: Any,
        run: "Run",
        value: Any,
        where: "Where",
        type_: GraphQLObjectType,
        select: Select,
    ) -> Any:
        if not await is_type:
            raise invalid_return_type_error(type_, value, self.site.details)
        done = select(run, value, where)
        return await done if type(done) is CoroutineType else done


class AbstractSpot(ObjectSpot):
    """An object of one of the types of a union or an interface."""

    __slots__ = ("by_class",)

    def __init__(self, site: Site, type_: GraphQLOutputType) -> None:
        super().__init__(site, type_)
        self.by_class: dict[type, Select] = {}

    def _present(self, run: "Run", value: Any, where: "Where") -> Any:
        type_: GraphQLAbstractType = self.type
        info = self.site.info(run, where)
        named = (type_.resolve_type or default_type_resolver)(value, info, type_)
        if is_awaitable(named):
            run.note(named)
            return self._present_async(named, run, value, where, info)
        return self._of_type(named, run, value, where, info)

    async def _present_async(
        self, named: Any, run: "Run", value: Any, where: "Where", info: GraphQLResolveInfo[Any]
    ) -> Any:
        done = self._of_type(await named, run, value, where, info)
        return await done if type(done) is CoroutineType else done

    def _of_type(
        self, name: Any, run: "Run", value: Any, where: "Where", info: GraphQLResolveInfo[Any]
    ) -> Any:
        program = self.site.program
        # Nothing of an executor but its schema is asked for there.
        runtime_type = Executor.ensure_valid_runtime_type(
            cast("Any", program), name, self.type, self.site.details, info, value
        )
        select = program.selection(runtime_type, self.site.details)
        return self._checked(run, value, where, runtime_type, select)


def spot_of(site: Site, type_: GraphQLOutputType) -> Spot:
    """The spot for values of the type."""
    nullable: Any = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(nullable, GraphQLList):
        return ListSpot(site, type_)
    if isinstance(nullable, GraphQLObjectType):
        return ObjectSpot(site, type_)
    if isinstance(nullable, GraphQLAbstractType):
        return AbstractSpot(site, type_)
    return LeafSpot(site, type_)
