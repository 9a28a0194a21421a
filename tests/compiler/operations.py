"""Random operations on a schema: valid, as validation says itself, with variables for them."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
    parse,
    validate,
)

TEXTS = ["", "plain", 'quote " and \\ slash', "\u2028 é 漢 \U0001f600", "__import__('os')"]
JUNK: list[Any] = [None, "x", 7, 2**40, 0.5, True, [], {}, {"unknown": 1}]


@dataclass
class Writing:
    """An operation as it is written."""

    schema: GraphQLSchema
    random: Random
    depth: int = 4
    variables: dict[str, str] = field(default_factory=dict)  # their definitions by name
    values: dict[str, Any] = field(default_factory=dict)
    fragments: list[tuple[str, str, str]] = field(default_factory=list)  # name, type, body
    count: int = 0

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # ------------------------------------------------------------ selections

    def selection(self, type_: Any, depth: int) -> str:
        parts = [self.part(type_, depth) for _ in range(self.random.randint(1, 5))]
        return "{ " + " ".join(parts) + " }"

    def part(self, type_: Any, depth: int) -> str:
        roll = self.random.random()
        if roll < 0.06 or (roll < 0.25 and isinstance(type_, GraphQLUnionType)):
            return f"{self.alias()}__typename{self.directives()}"
        if depth > 0 and (roll < 0.22 or isinstance(type_, GraphQLUnionType)):
            condition = self.random.choice(self.conditions(type_))
            body = self.selection(condition, depth - 1)
            shown = "" if condition is type_ and self.chance(0.5) else f" on {condition}"
            return f"...{shown}{self.directives()} {body}"
        if depth > 0 and roll < 0.34:
            return f"...{self.fragment(type_, depth)}{self.directives()}"
        if isinstance(type_, GraphQLUnionType):
            return "__typename"
        return self.field(type_, depth)

    def conditions(self, type_: Any) -> list[Any]:
        if isinstance(type_, GraphQLObjectType):
            return [type_, *type_.interfaces]
        return [type_, *self.schema.get_possible_types(type_)]

    def fragment(self, type_: Any, depth: int) -> str:
        condition = self.random.choice(self.conditions(type_))
        known = [name for name, on, _ in self.fragments if on == condition.name]
        if known and self.chance(0.5):
            return self.random.choice(known)
        name = self.name("F")
        body = self.selection(condition, depth - 1)
        self.fragments.append((name, condition.name, body))
        return name

    def field(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        names = [
            name
            for name, one in type_.fields.items()
            if depth > 0 or not is_composite_type(get_named_type(one.type))
        ]
        if not names:
            return "__typename"
        name = self.random.choice(names)
        one = type_.fields[name]
        arguments = [
            f"{key}: {self.given(argument.type)}"
            for key, argument in one.args.items()
            if is_required_argument(argument) or self.chance(0.6)
        ]
        written = f"({', '.join(arguments)})" if arguments else ""
        named = get_named_type(one.type)
        inner = self.selection(named, depth - 1) if is_composite_type(named) else ""
        # Merged fields need the same arguments: without an alias only where there are none.
        alias = f"{self.name('a')}: " if arguments or one.args else self.alias()
        return f"{alias}{name}{written}{self.directives()} {inner}"

    def alias(self) -> str:
        return f"{self.name('a')}: " if self.chance(0.2) else ""

    def directives(self) -> str:
        if not self.chance(0.12):
            return ""
        condition = self.random.choice(["true", "false", "$"])
        if condition == "$":
            name = self.random.choice(["b1", "b2"])
            self.variables[name] = "Boolean!" if name == "b1" else "Boolean! = true"
            if name == "b1" or self.chance(0.5):
                self.values[name] = self.chance(0.6)
            condition = f"${name}"
        return f" @{self.random.choice(['include', 'skip'])}(if: {condition})"

    # ------------------------------------------------------------ values

    def given(self, type_: Any) -> str:
        """An argument's value: a literal or a variable."""
        if not self.chance(0.4):
            return self.literal(type_)
        name = self.name("v")
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        default = "" if self.chance(0.6) else f" = {self.literal(nullable, no_variables=True)}"
        is_bare = isinstance(type_, GraphQLNonNull) and not default
        self.variables[name] = f"{nullable}{'!' if is_bare else ''}{default}"
        if is_bare or self.chance(0.7):
            self.values[name] = self.value(type_)
        return f"${name}"

    def literal(self, type_: Any, *, no_variables: bool = False) -> str:
        if isinstance(type_, GraphQLNonNull):
            return self.literal(type_.of_type, no_variables=no_variables)
        if self.chance(0.05) and not no_variables:
            return "null"
        if isinstance(type_, GraphQLList):
            items = [
                self.literal(type_.of_type, no_variables=no_variables)
                for _ in range(self.random.randint(0, 3))
            ]
            return f"[{', '.join(items)}]"
        if isinstance(type_, GraphQLInputObjectType):
            only = self.only(type_)
            fields = [
                f"{key}: "
                + (
                    self.literal(one.type, no_variables=True)
                    if no_variables
                    else self.given(one.type)
                )
                for key, one in type_.fields.items()
                if (key == only if only else is_required_input_field(one) or self.chance(0.5))
            ]
            return "{" + ", ".join(fields) + "}"
        if isinstance(type_, GraphQLEnumType):
            return str(self.random.choice(list(type_.values)))
        return json.dumps(self.scalar(type_.name))

    def value(self, type_: Any) -> Any:
        """A variable's value, wrong in a few."""
        if self.chance(0.01):
            return self.random.choice(JUNK)
        if isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type)
        return None if self.chance(0.05) else self.right(type_)

    def right(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type) for _ in range(self.random.randint(0, 3))]
        if isinstance(type_, GraphQLInputObjectType):
            only = self.only(type_)
            return {
                key: self.value(one.type)
                for key, one in type_.fields.items()
                if (key == only if only else is_required_input_field(one) or self.chance(0.5))
            }
        if isinstance(type_, GraphQLEnumType):
            return self.random.choice(list(type_.values))
        return self.scalar(type_.name)

    def only(self, type_: GraphQLInputObjectType) -> str | None:
        """The one field that is given of a choice; Strawberry's are not marked as one."""
        is_choice = type_.is_one_of or type_.name == "Choice"
        return self.random.choice(list(type_.fields)) if is_choice else None

    def scalar(self, name: str) -> Any:
        if name == "Int":
            return self.random.choice([0, 1, -5, 2**31 - 1])
        if name == "Float":
            return self.random.choice([0.5, -1.25, 3])
        if name == "Boolean":
            return self.chance(0.5)
        if name in {"Amount", "Decimal"}:
            return self.random.choice(["1.50", "0.00", "-3"])
        return self.random.choice(TEXTS)


def random_operation(
    schema: GraphQLSchema, random: Random, kind: str = "query", depth: int = 4
) -> tuple[DocumentNode, dict[str, Any]]:
    """A valid operation and variables for it, a few of which may be refused."""
    root = {"query": schema.query_type, "mutation": schema.mutation_type}[kind]
    while True:
        writing = Writing(schema, random)
        body = writing.selection(root, depth)
        declared = ", ".join(f"${name}: {type_}" for name, type_ in writing.variables.items())
        fragments = [f"fragment {name} on {on} {text}" for name, on, text in writing.fragments]
        head = f"{kind} Random({declared})" if declared else f"{kind} Random"
        document = parse("\n".join([f"{head} {body}", *fragments]))
        if not validate(schema, document):
            return document, writing.values
