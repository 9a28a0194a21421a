"""An operation made into functions, for one choice of what @include and @skip leave in."""

from collections.abc import Mapping
from types import CoroutineType
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, OperationType
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from graphql_compiler.bindings import Binder
from graphql_compiler.classes import Classes
from graphql_compiler.covering import Covered, NotCovered
from graphql_compiler.running import Run, in_turn
from graphql_compiler.sites import Select
from graphql_compiler.writing import Module

SelectionKey = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]


class Program:
    """The compiled functions of an operation.

    Those of types that are known are compiled at once; those of the types of unions and interfaces
    when an object of the type first turns up.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        covered: Covered,
        conditions: Mapping[str, bool],
        binder: Binder,
    ) -> None:
        self.schema = schema
        self.operation = covered.operation
        self.fragments = covered.fragments
        self.binder = binder
        self.classes = Classes(binder)
        self.selections: dict[SelectionKey, Select] = {}
        self._details = {name: FragmentDetails(one) for name, one in covered.fragments.items()}
        self._conditions = VariableValues({}, dict(conditions))
        self._by_details: dict[tuple[str, int], Select] = {}
        self._kept: list[FieldDetailsList] = []  # their ids are keys
        root_type = schema.get_root_type(self.operation.operation)
        if root_type is None:
            raise NotCovered("no_root_type")
        fields = collect_fields(
            schema, self._details, self._conditions, root_type, self.operation
        ).grouped_field_set
        self._is_serial = self.operation.operation is OperationType.MUTATION
        groups: list[GroupedFieldSet] = (
            [{key: details} for key, details in fields.items()] if self._is_serial else [fields]
        )
        module = Module(self)
        names = [module.selection(root_type, group) for group in groups]
        functions = module.compiled()
        self._steps = [functions[name] for name in names]

    def start(self, run: Run) -> Any:
        """The data of the response, or a coroutine of it. Raises what nulls all of it."""
        if not self._is_serial:
            [root] = self._steps
            return root(run, run.root, None)
        results: dict[str, Any] = {}
        steps = iter(self._steps)
        for step in steps:
            part = step(run, run.root, None)
            if type(part) is CoroutineType:
                run.note(part)
                return in_turn(run, steps, part, results)
            results.update(part)
        return results

    def subfields(self, type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        """The fields that are asked for of an object of the type."""
        return collect_subfields(
            self.schema, self._details, self._conditions, self.operation, type_, details
        ).grouped_field_set

    def selection(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Select:
        """The function for objects of the type, compiled now if it has not been."""
        key = (type_.name, id(details))
        select = self._by_details.get(key)
        if select is None:
            module = Module(self)
            name = module.selection(type_, self.subfields(type_, details))
            select = module.compiled()[name]
            self._by_details[key] = select
            self._kept.append(details)
        return select
