# mypy: disable-error-code="no-any-return, untyped-decorator"
"""A Strawberry schema with every way to have a field, and random data for it."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum
from random import Random
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.extensions.field_extension import FieldExtension
from strawberry.permission import BasePermission
from strawberry.types import Info as StrawberryInfo

T = TypeVar("T")
FIRST = strawberry.ID("1")


@dataclass
class Context:
    """A run's log and look-ups."""

    log: list[Any]
    shops: list[Any]
    loader: DataLoader[int, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.loader = DataLoader(load_fn=self._load)

    async def _load(self, keys: list[int]) -> list[Any]:
        self.log.append(("batch", list(keys)))
        return [self.shops[key % len(self.shops)] for key in keys]


Info = StrawberryInfo[Context, Any]


@strawberry.enum
class Grade(Enum):
    LOW = "low"
    HIGH = ("high", 2)


@strawberry.enum
class Tone(StrEnum):
    WARM = "warm"
    COLD = "cold"


@strawberry.input
class Part:
    name: str
    weight: float = 1.5


@strawberry.input
class Size:
    width: int
    tone: Tone = Tone.WARM
    parts: list[Part] | None = None
    note: strawberry.Maybe[str]
    depth: int | None = strawberry.UNSET


@strawberry.input(one_of=True)
class Choice:
    id: strawberry.Maybe[strawberry.ID]
    tone: strawberry.Maybe[Tone]


@dataclass
class Plan:
    """What the computed fields of an object give, by name."""

    answers: dict[str, Any]
    turns: int

    def give(self, name: str, info: Info, *seen: object) -> Any:
        known = (info.field_name, info.python_name, info.path.as_list(), info.variable_values)
        info.context.log.append((name, repr(seen), repr(known), len(info.selected_fields)))
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise type(answer)(*answer.args)
        return answer

    async def give_late(self, name: str, info: Info, *seen: object) -> Any:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return self.give(name, info, *seen)


class Noted(FieldExtension):
    """Logs around a field."""

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: Info, **arguments: Any
    ) -> Any:
        info.context.log.append(("noted", info.field_name, repr(arguments)))
        return await next_(source, info, **arguments)


class Allowed(BasePermission):
    message = "not allowed"

    def has_permission(self, source: Any, info: Any, **_: Any) -> bool:
        return bool(info.context.shops)


@strawberry.interface
class Named:
    id: strawberry.ID
    name: str | None


@strawberry.type
class Money:
    amount: Decimal
    tone: Tone


@strawberry.type
class Problem:
    code: Grade
    message: str


@strawberry.type
class Page(Generic[T]):
    items: list[T]
    total: int


@strawberry.type
class Person(Named):
    active: bool
    best: Grade | None
    plan: strawberry.Private[Plan]

    @strawberry.field
    def answer(self) -> int:
        return self.plan.turns * 2**30


@strawberry.type
class Shop(Named):
    rating: float
    visits: int | None
    price: Money
    tones: list[Tone]
    owner: Person | None
    neighbours: list["Shop"]
    plan: strawberry.Private[Plan]

    @strawberry.field
    def computed(self, info: Info, first: int = 3, tags: list[str] | None = None) -> str:
        return self.plan.give("computed", info, first, tags)

    @strawberry.field
    async def later(
        self, info: Info, grade: Grade = Grade.LOW, size: Size | None = None
    ) -> str | None:
        return await self.plan.give_late("later", info, grade, size)

    @strawberry.field
    async def choose(self, info: Info, choice: Choice, page_size: int | None = None) -> int:
        return await self.plan.give_late("choose", info, choice, page_size)

    @strawberry.field
    def friend(self, info: Info, key: int) -> "Shop | None":
        return info.context.loader.load(key)  # type: ignore[return-value] # awaited by the executor

    @strawberry.field
    async def friends(self, info: Info) -> list["Shop"]:
        await asyncio.sleep(0)
        keys = range(self.plan.turns + 1)
        return await info.context.loader.load_many(keys)

    @strawberry.field
    def outcome(
        self, root: strawberry.Parent["Shop"], info: Info
    ) -> Annotated["Shop | Money | Problem", strawberry.union("Outcome")]:
        assert root is self
        return self.plan.give("outcome", info)

    @strawberry.field
    async def page(self, info: Info) -> Page[Person] | None:
        return await self.plan.give_late("page", info)

    @strawberry.field(extensions=[Noted()])
    async def guarded(self, info: Info, key: strawberry.ID = FIRST) -> str | None:
        return await self.plan.give_late("guarded", info, key)

    @strawberry.field(permission_classes=[Allowed])
    def permitted(self, info: Info) -> Named | None:
        return self.plan.give("permitted", info)

    @strawberry.field(name="renamed")
    def some_name(self, some_argument: Annotated[int, strawberry.argument(name="arg")] = 1) -> int:
        return some_argument + len(self.plan.answers)


Outcome = Annotated[Shop | Money | Problem, strawberry.union("Outcome")]


@strawberry.type
class Query:
    shop: Shop
    shops: list[Shop | None]
    named: list[Named]
    outcome: Outcome | None
    persons: Page[Person] | None


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self, info: Info, key: int, size: Size) -> Outcome:
        info.context.log.append(("change", key, repr(size)))
        shop = await info.context.loader.load(key)
        return shop.plan.give("outcome", info)

    @strawberry.mutation
    def touch(self, info: Info) -> int:
        info.context.log.append("touch")
        return 1


schema = strawberry.Schema(Query, Mutation, types=[Person])


class Soon:
    """An awaitable that can be awaited again and again."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, Any]:
        yield
        if isinstance(self.value, Exception):
            raise type(self.value)(*self.value.args)
        return self.value


class Town:
    """Random shops: `trouble` is the share of values with something wrong about them."""

    def __init__(self, random: Random, trouble: float, late: float) -> None:
        self.random = random
        self.trouble = trouble
        self.late = late

    def pick(self, right: Any) -> Any:
        value = right
        if self.random.random() < self.trouble:
            wrong: list[Any] = [None, "text", 2**40, ValueError("bad"), object, [], float("inf")]
            value = self.random.choice(wrong)
        return Soon(value) if self.random.random() < self.late else value

    def plan(self, depth: int) -> Plan:
        answers = {
            "computed": self.pick("computed"),
            "later": self.pick("later"),
            "choose": self.pick(5),
            "outcome": self.outcome(depth),
            "page": self.page(depth),
            "guarded": self.pick("guarded"),
            "permitted": self.pick(self.named(depth)),
        }
        return Plan(answers, self.random.randint(0, 2))

    def money(self) -> Any:
        amount = self.random.choice([Decimal("1.50"), Decimal(0), Decimal("1e3")])
        return Money(amount=self.pick(amount), tone=self.pick(self.random.choice(list(Tone))))

    def person(self) -> Any:
        person = Person(
            id=self.pick(strawberry.ID("p1")),
            name=self.pick(self.random.choice(["Ann", None])),
            active=self.pick(True),
            best=self.pick(self.random.choice([*Grade, None, "low"])),
            plan=Plan({}, self.random.randint(0, 2)),
        )
        if self.random.random() < self.trouble:
            return strawberry.cast(self.random.choice([Shop, Person]), person)
        return person

    def shop(self, depth: int) -> Any:
        neighbours = [self.pick(self.shop(depth - 1)) for _ in range(min(depth, 2))]
        return Shop(
            id=self.pick(strawberry.ID("s1")),
            name=self.pick("é shop"),
            rating=self.pick(self.random.choice([0.5, 3])),
            visits=self.pick(self.random.choice([0, None, -3])),
            price=self.pick(self.money()),
            tones=self.pick([self.pick(tone) for tone in Tone]),
            owner=self.pick(self.random.choice([self.person(), None])),
            neighbours=self.pick(neighbours),
            plan=self.plan(depth - 1) if depth else Plan({}, 0),
        )

    def named(self, depth: int) -> Any:
        return self.person() if self.random.random() < 0.5 else self.shop(max(depth - 1, 0))

    def outcome(self, depth: int) -> Any:
        problem = Problem(code=self.pick(Grade.HIGH), message=self.pick("told"))
        return self.pick(self.random.choice([problem, self.money(), self.shop(max(depth - 1, 0))]))

    def page(self, depth: int) -> Any:
        items = [self.pick(self.person()) for _ in range(self.random.randint(0, 2))]
        return self.pick(Page(items=self.pick(items), total=self.pick(2)))

    def query(self) -> Query:
        return Query(
            shop=self.pick(self.shop(2)),
            shops=self.pick([self.pick(self.shop(1)) for _ in range(3)]),
            named=self.pick([self.pick(self.named(1)) for _ in range(3)]),
            outcome=self.outcome(2),
            persons=self.page(1),
        )
