"""Bindings for the fields of a Strawberry schema: attributes and resolvers without what is around
them, where that makes no difference.

A field with extensions or permission classes, with exception handlers, of a class of its own, or
whose resolver the schema's maker has replaced, is called as graphql-core calls it.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)
from graphql.pyutils import is_awaitable
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

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
            or ours.extensions
            or self._handles_exceptions
            or not _gets_plainly(ours)
            or not callable(base.wrapped_func)
            or isinstance(base.wrapped_func, staticmethod | classmethod)
        ):
            return None
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

    def _convert(self, ours: StrawberryField) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
        def convert(arguments: dict[str, Any], info: Any) -> dict[str, Any]:
            return convert_arguments(
                arguments, ours.arguments, self._scalars, self._config, info=info
            )

        return convert

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


def _gets_plainly(ours: StrawberryField) -> bool:
    return type(ours).get_result is StrawberryField.get_result


def strawberry_bind(schema: strawberry.Schema) -> tuple[GraphQLSchema, StrawberryBinder]:
    """What to compile a Strawberry schema's operations with: graphql-core's schema, and `bind`."""
    return schema._schema, StrawberryBinder(schema)
