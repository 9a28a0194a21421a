"""Bindings for the fields of a Strawberry schema: attributes and resolvers without what is around
them, where that makes no difference.

A field with permission classes, with exception handlers, of a class of its own, or whose resolver
the schema's maker has replaced, is called as graphql-core calls it; so is one with extensions that
is not asynchronous, or that does more than to wrap its resolver.
"""

from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
)
from graphql.pyutils import is_awaitable
from strawberry import UNSET
from strawberry.extensions import FieldExtension
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.arguments import InputContext, StrawberryArgument, convert_argument
from strawberry.types.base import (
    StrawberryObjectDefinition,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.info import Info
from strawberry.utils.await_maybe import await_maybe

from graphql_compiler.bindings import Attribute, Binder, Binding, Direct
from graphql_compiler.running import Run, Where
from graphql_compiler.sites import Site

_CONVERTER = "GraphQLCoreConverter"
_DEFAULT_UNION = "StrawberryUnion.get_type_resolver.<locals>._resolve_union_type"
_DEFAULT_INTERFACE = f"{_CONVERTER}.from_interface.<locals>._get_resolve_type.<locals>.resolve_type"


class StrawberryBinder(Binder):
    """Binds the fields of one Strawberry schema."""

    cast_mark = TYPE_CAST_ATTRIBUTE

    def __init__(self, schema: strawberry.Schema) -> None:
        self._config = schema.config
        self._scalars = schema.schema_converter.scalar_registry
        self._handles_exceptions = bool(schema.exception_handlers)

    def __call__(
        self, parent_type: GraphQLObjectType, field_name: str, field: GraphQLField
    ) -> Binding:
        """How the field is had: as Strawberry's own resolver for it would."""
        ours = (field.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if isinstance(ours, StrawberryField) and field.resolve is not None:
            made = getattr(field.resolve, "__qualname__", "")
            prefix = f"{_CONVERTER}.from_resolver.<locals>."
            if made == f"{prefix}_get_basic_result" and _gets_plainly(ours):
                return self._attribute(ours)
            if made in {f"{prefix}_resolver", f"{prefix}_async_resolver"}:
                direct = self._direct(ours)
                if direct is not None:
                    return direct
        return super().__call__(parent_type, field_name, field)

    @staticmethod
    def _attribute(ours: StrawberryField) -> Attribute:
        getter = ours.default_resolver
        return Attribute(ours.python_name, None if getter is getattr else getter)

    def _direct(self, ours: StrawberryField) -> Direct | None:
        base = ours.base_resolver
        if (
            base is None
            or self._handles_exceptions
            or not _gets_plainly(ours)
            or not callable(base.wrapped_func)
            or isinstance(base.wrapped_func, staticmethod | classmethod)
        ):
            return None
        if ours.extensions:
            return self._extended(ours, base)
        named = (base.parent_parameter, base.root_parameter)
        return Direct(
            function=base.wrapped_func,
            is_async=ours.is_async,
            takes_source_first=base.self_parameter is not None,
            source_names=tuple(dict.fromkeys(one.name for one in named if one is not None)),
            info_name=None if base.info_parameter is None else base.info_parameter.name,
            info=self._info_of(ours),
            convert=self._convert(ours) if ours.arguments else None,
        )

    def _extended(self, ours: StrawberryField, base: StrawberryResolver[Any]) -> Direct | None:
        """A field with extensions: the chain of them, put together once."""
        info_name = None if base.info_parameter is None else base.info_parameter.name
        if (
            not ours.is_async
            or not base.is_async
            or base.parent_parameter is not None
            or base.root_parameter is not None
            or info_name not in (None, "info")
            or not all(_only_wraps(one) for one in ours.extensions)
            or any(one.python_name == "info" for one in ours.arguments)
        ):
            return None
        return Direct(
            function=_chained(ours, base, gives_info=info_name is not None),
            is_async=True,
            takes_source_first=True,
            info_name="info",
            info=self._info_of(ours),
            convert=self._convert(ours) if ours.arguments else None,
        )

    def _convert(self, ours: StrawberryField) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
        wanted = [
            (self._config.name_converter.from_argument(one), one.python_name, one)
            for one in ours.arguments
        ]
        converters = [(name, python_name, self._of(one)) for name, python_name, one in wanted]

        def convert(arguments: dict[str, Any], info: Any) -> dict[str, Any]:
            return {
                python_name: converted(arguments[name], info, name)
                for name, python_name, converted in converters
                if name in arguments
            }

        return convert

    def _of(self, argument: StrawberryArgument) -> Callable[[Any, Any, str], Any]:
        """As `convert_argument` does, with what it finds out of the type each time known before."""
        config, scalars, type_ = self._config, self._scalars, argument.type
        definition: Any = None
        if isinstance(type_, type) and type_ not in scalars and has_object_definition(type_):
            definition = type_.__strawberry_definition__

        def converted(value: Any, info: Any, name: str) -> Any:
            if (
                definition is None
                or definition.from_input is None
                or value is None
                or value is UNSET
            ):
                return convert_argument(value, type_, scalars, config, info, path=(name,))
            context = InputContext(info=info, config=config, scalar_registry=scalars, path=(name,))
            return definition.from_input(type_, value, context)

        return converted

    def _info_of(self, ours: StrawberryField) -> Callable[[Run, Site, Where], object]:
        info_class = self._config.info_class
        if info_class is Info:
            return lambda run, site, where: LazyInfo(ours, run, site, where)

        def info(run: Run, site: Site, where: Where) -> object:
            return info_class(_raw_info=site.info(run, where), _field=ours)

        return info

    # ---------------------------------------------------------------- types

    def is_decided_by_class(
        self, type_: GraphQLObjectType | GraphQLAbstractType, cls: type
    ) -> bool:
        """Strawberry's own ways to tell a type go by the class, generic types apart."""
        if isinstance(type_, GraphQLObjectType):
            definition = (type_.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
            return (
                isinstance(definition, StrawberryObjectDefinition) and definition.is_type_of is None
            )
        definition = get_object_definition(cls)
        if definition is None or definition.is_graphql_generic:
            return False
        resolve_type = getattr(type_.resolve_type, "__qualname__", "")
        if resolve_type == _DEFAULT_INTERFACE:
            ours = (type_.extensions or {})[GraphQLCoreConverter.DEFINITION_BACKREF]
            return issubclass(cls, ours.origin)
        return resolve_type == _DEFAULT_UNION

    def enum_members(self, enum: GraphQLEnumType) -> Iterable[object]:
        """The members of the enum's class."""
        if isinstance(enum, CustomGraphQLEnumType):
            shown = [value.value for value in enum.values.values()]
            members: Iterable[Any] = enum.wrapped_cls
            return [member for member in members if member.value in shown]
        return super().enum_members(enum)

    def resolve_info(self, run: Run, site: Site, where: Where) -> GraphQLResolveInfo[Any]:
        """As Strawberry's executor builds it: with plain variables, and no extensions."""
        program = run.program
        return cast(
            "GraphQLResolveInfo[Any]",
            _OperationContextAwareGraphQLResolveInfo(
                site.name,
                list(site.nodes),
                site.definition.type,
                site.parent_type,
                run.path(where),
                program.schema,
                program.fragments,
                run.root,
                program.operation,
                run.values.coerced,
                run.context,
                is_awaitable,
                None,
                run.helpers,
                {},
            ),
        )


class LazyInfo(Info[Any, Any]):
    """Strawberry's Info, which builds graphql-core's only when it is asked for more."""

    def __init__(self, field: StrawberryField, run: Run, site: Site, where: Where) -> None:
        self._field = field
        self._run = run
        self._site = site
        self._where = where
        self._raw: GraphQLResolveInfo[Any] | None = None

    @property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]
        if self._raw is None:
            self._raw = self._site.info(self._run, self._where)
        return self._raw

    @property
    def context(self) -> Any:
        """The context of the run."""
        return self._run.context

    @property
    def field_name(self) -> str:
        """The name of the field in the schema."""
        return self._site.name


def _only_wraps(extension: FieldExtension) -> bool:
    return (
        extension.supports_async
        and type(extension).map_arguments is FieldExtension.map_arguments
        and "map_arguments" not in vars(extension)
    )


def _chained(
    ours: StrawberryField, base: StrawberryResolver[Any], *, gives_info: bool
) -> Callable[..., Any]:
    """The resolver within the field's extensions, the last of which is the outermost."""
    function = cast("Callable[..., Any]", base.wrapped_func)
    takes_source = base.self_parameter is not None

    def innermost(_source: Any, info: Any, **arguments: Any) -> Any:
        if gives_info:
            arguments["info"] = info
        return function(_source, **arguments) if takes_source else function(**arguments)

    chain: Callable[..., Any] = reduce(
        lambda inner, one: partial(one.resolve_async, inner), ours.extensions, innermost
    )

    async def extended(_source: Any, /, *, info: Any, **arguments: Any) -> Any:
        return await await_maybe(chain(_source, info, **arguments))

    return extended


def _gets_plainly(ours: StrawberryField) -> bool:
    return type(ours).get_result is StrawberryField.get_result
