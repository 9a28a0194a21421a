"""A schema of every kind of type, and random data for it: right, missing, wrong, late, failing."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

SDL = """
scalar Amount
enum Colour { RED GREEN BLUE }
input Size { width: Int! = 3, height: Int, unit: Unit = {name: "cm"} }
input Unit { name: String!, factors: [Float!], colour: Colour = RED }
input Choice @oneOf { id: ID, colour: Colour }

interface Thing { id: ID!, label: String, owner: Person }
interface Priced implements Thing { id: ID!, label: String, owner: Person, price: Amount! }

type Person implements Thing {
  id: ID!
  label: String
  owner: Person
  age: Int
  height: Float
  isActive: Boolean!
  friends: [Person!]!
  things: [Thing]
  grid: [[Int!]!]
}
type Box implements Thing & Priced {
  id: ID!
  label: String
  owner: Person
  price: Amount!
  colour: Colour
  colours: [Colour!]
  content: [Content!]
}
type Note implements Thing { id: ID!, label: String, owner: Person, text: String!, lines: [String] }
union Content = Box | Note | Person

type Query {
  person: Person
  surely: Person!
  people: [Person]
  thing: Thing
  priced: [Priced!]
  content: Content
  contents: [Content]!
  matrix: [[Person]]
  amount: Amount
  echo(text: String = "x", number: Int!, size: Size, list: [Int!], colour: Colour): String!
  find(id: ID!, by: Choice, amount: Amount): Person
}
type Mutation {
  first(text: String): Person
  second: String!
  third(size: Size!): Content
}
"""


class Item:
    """An object with whatever attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Call:
    """A function in the data: logs that it is called, and how, and gives or raises what it has."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value

    def __call__(self, info: Any, **arguments: Any) -> Any:
        info.context.append((self.name, info.path.as_list(), repr(arguments)))
        assert info.field_name == info.field_nodes[0].name.value
        return self.give()

    def give(self) -> Any:
        if isinstance(self.value, Exception):
            raise type(self.value)(*self.value.args)
        return self.value


class Late(Call):
    """One that gives an awaitable, ready after some turns of the loop."""

    def __init__(self, name: str, value: Any, turns: int) -> None:
        super().__init__(name, value)
        self.turns = turns

    def __call__(self, info: Any, **arguments: Any) -> Any:
        info.context.append((self.name, info.path.as_list(), repr(arguments)))
        return self.later(info.context)

    async def later(self, log: list[Any]) -> Any:
        log.append(("started", self.name))
        for _ in range(self.turns):
            await asyncio.sleep(0)
        log.append(("ready", self.name))
        return self.give()


class Soon:
    """An awaitable that is no coroutine and can be awaited again and again."""

    def __init__(self, value: Any, turns: int) -> None:
        self.value = value
        self.turns = turns

    def __await__(self) -> Generator[Any, None, Any]:
        for _ in range(self.turns):
            yield
        if isinstance(self.value, Exception):
            raise type(self.value)(*self.value.args)
        return self.value


class Stream(Call):
    """One that gives an iterator, asynchronous or not, which may fail on its way."""

    def __init__(self, name: str, value: list[Any], fails: bool, is_async: bool) -> None:
        super().__init__(name, value)
        self.fails = fails
        self.is_async = is_async

    def give(self) -> Any:
        return self.items_async() if self.is_async else self.items()

    def items(self) -> Iterator[Any]:
        yield from self.value
        if self.fails:
            raise ValueError("no more items")

    async def items_async(self) -> AsyncIterator[Any]:
        for item in self.value:
            await asyncio.sleep(0)
            yield item
        if self.fails:
            raise ValueError("no more items")


def _shown_amount(value: Any) -> Any:
    if value == 0:
        return None
    if value == "odd":
        return {"an": ["object", 1]}
    return f"{value:.2f}"


def _parsed_amount(value: Any) -> float:
    if not isinstance(value, str):
        raise GraphQLError("Amount takes a string.")
    return float(value)


def _echo(source: Any, info: Any, **arguments: Any) -> str:
    info.context.append(("echo", info.path.as_list(), repr(arguments)))
    return repr(sorted(arguments.items()))


async def _is_box(value: Any, info: Any) -> bool:
    await asyncio.sleep(0)
    return bool(_kind(value) == "Box")


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


def schema_of_everything() -> GraphQLSchema:
    schema = build_schema(SDL)
    amount = schema.type_map["Amount"]
    assert isinstance(amount, GraphQLScalarType)
    amount.coerce_output_value = _shown_amount
    amount.coerce_input_value = _parsed_amount
    assert schema.query_type is not None
    schema.query_type.fields["echo"].resolve = _echo
    box, note, person = (schema.type_map[name] for name in ("Box", "Note", "Person"))
    assert isinstance(box, GraphQLObjectType)
    assert isinstance(note, GraphQLObjectType)
    assert isinstance(person, GraphQLObjectType)
    box.is_type_of = _is_box
    note.is_type_of = lambda value, info: _kind(value) == "Note"
    person.is_type_of = lambda value, info: _kind(value) in {"Person", None}
    content = schema.type_map["Content"]
    assert isinstance(content, GraphQLUnionType)
    content.resolve_type = lambda value, info, type_: _kind(value)
    return schema


class World:
    """Random data: `trouble` is the share of values with something wrong about them."""

    def __init__(self, schema: GraphQLSchema, random: Random, trouble: float, late: float) -> None:
        self.schema = schema
        self.random = random
        self.trouble = trouble
        self.late = late
        self.count = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def root(self, type_: GraphQLObjectType) -> Any:
        return self.object(type_, 3)

    def value(self, type_: Any, depth: int) -> Any:
        if self.chance(self.trouble):
            value = self.wrong()
        elif isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type, depth)
        elif self.chance(0.05):
            value = None
        else:
            value = self.right(type_, depth)
        return value

    def found(self, type_: Any, depth: int) -> Any:
        """What an object has under a field's name."""
        value = self.value(type_, depth)
        self.count += 1
        name = f"call{self.count}"
        if isinstance(value, list) and self.chance(0.1):
            return Stream(name, value, self.chance(self.trouble), self.chance(self.late))
        if self.chance(self.late):
            return Late(name, value, self.random.randint(0, 3))
        if self.chance(0.05) or (isinstance(value, Exception) and self.chance(0.5)):
            return Call(name, value)
        return value

    def wrong(self) -> Any:
        return self.random.choice(
            [
                None,
                ValueError("a failure"),
                GraphQLError("told", extensions={"code": "TOLD"}),
                "text",
                2**40,
                float("nan"),
                True,
                object,
                [],
                {"kind": "Nothing"},
                Item(kind="Nobody"),
                3.5,
                "odd",
            ]
        )

    def right(self, type_: Any, depth: int) -> Any:
        if isinstance(type_, GraphQLList):
            of_type = type_.of_type
            items = [
                self.item(of_type, depth) for _ in range(self.random.randint(0, 3 if depth else 1))
            ]
            return tuple(items) if self.chance(0.2) else items
        if isinstance(type_, GraphQLEnumType):
            return self.random.choice(list(type_.values))
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            return self.object(self.random.choice(self.schema.get_possible_types(type_)), depth - 1)
        if isinstance(type_, GraphQLObjectType):
            return self.object(type_, depth - 1)
        return {
            "Int": self.random.choice([0, -7, 2**31 - 1, True, 4.0]),
            "Float": self.random.choice([0.5, -0.0, 1e300, 3]),
            "Boolean": self.random.choice([True, False, 1]),
            "Amount": self.random.choice([1.5, 2, 0, "odd"]),
        }.get(type_.name, self.random.choice(["", "plain", 'é " \\', 12, "\ud7ff"]))

    def item(self, type_: Any, depth: int) -> Any:
        value = self.value(type_, depth)
        return Soon(value, self.random.randint(0, 2)) if self.chance(self.late / 2) else value

    def object(self, type_: GraphQLObjectType, depth: int) -> Any:
        if depth <= 0:
            return None
        attributes = {
            name: self.found(one.type, depth)
            for name, one in type_.fields.items()
            if not one.args or self.chance(0.8)
        }
        attributes["kind"] = type_.name
        return attributes if self.chance(0.3) else Item(**attributes)
