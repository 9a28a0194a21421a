"""Each write once: what a key, its content and its caller mean, and what is kept of them."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strawberry import UNSET

from server.edge import idempotency
from server.edge.context import Context, Info
from server.edge.mutation import write_once
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound
from server.errors import NotFound as NothingFound
from server.principal import ANONYMOUS, Principal, PrincipalKind
from server.storage import secrets, sql
from server.storage.database import Address

ADA = Principal(PrincipalKind.MEMBER, id=1, member_id=1)
EVE = Principal(PrincipalKind.MEMBER, id=2, member_id=2)


@dataclass
class Input:
    idempotency_key: str
    text: str | None = None


@dataclass
class Holding:
    what: Any
    also: Any = None


class Answer(msgspec.Struct, frozen=True):
    number: int


class Caller:
    """A mutation that answers 1 when it is first done, then 2, and so on."""

    def __init__(self) -> None:
        self.done = 0

    async def __call__(
        self,
        key: str = "k",
        text: str | None = None,
        *,
        principal: Principal = ANONYMOUS,
        whom: str | None = None,
        mutation: str = "act",
        hashed: Any = None,
    ) -> Any:
        @dataclass
        class GivenInfo:
            context: Context
            field_name: str

        async def work() -> Answer:
            self.done += 1
            if text == "refuse":
                raise NothingFound("card.not_found")
            return Answer(self.done)

        return await write_once(
            cast(Info, GivenInfo(Context(principal=principal), mutation)),
            Input(key, text),
            work=work,
            result=Answer,
            present=lambda answer: answer.number,
            hashed=hashed,
            whom=whom,
        )


@pytest.fixture
def act(database: Address) -> Caller:
    return Caller()


async def records() -> list[tuple[str, str, str]]:
    rows = await sql.fetch("SELECT scope, key, content_hash FROM idempotency_records ORDER BY id")
    return [(row[0], row[1], row[2]) for row in rows]


async def test_the_same_key_and_content_get_the_first_answer_for_ever(act: Caller) -> None:
    assert [await act(text="a") for _ in range(3)] == [1, 1, 1]
    assert act.done == 1


async def test_the_same_at_once_is_done_once(act: Caller) -> None:
    assert await asyncio.gather(*(act(text="a") for _ in range(4))) == [1, 1, 1, 1]
    assert len(await records()) == 1


async def test_other_content_under_the_key_conflicts(act: Caller) -> None:
    await act(text="a")
    for text in ("b", "", None):
        assert isinstance(await act(text=text), IdempotencyConflict)
    assert act.done == 1


async def test_a_refusal_leaves_the_key_unused(act: Caller) -> None:
    assert isinstance(await act(text="refuse"), NotFound)
    assert await records() == []
    assert await act(text="a") == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00"])
async def test_what_is_no_key_is_refused(act: Caller, key: str) -> None:
    answer = await act(key)
    assert isinstance(answer, InvalidInput)
    assert answer.path == ["input", "idempotencyKey"]
    assert act.done == 0


async def test_keys_belong_to_a_caller_and_a_mutation(act: Caller) -> None:
    assert await act(text="a", principal=ADA) == 1
    assert await act(text="b", principal=EVE) == 2
    assert await act(text="c", principal=ADA, mutation="other") == 3
    assert [scope for scope, _, _ in await records()] == [
        "member:1/act",
        "member:2/act",
        "member:1/other",
    ]


async def test_those_whom_the_input_names_have_keys_of_their_own(act: Caller) -> None:
    assert await act("1", "a", whom="ada@example.com") == 1
    assert await act("1", "b", whom="eve@example.com") == 2
    assert await act("1", "b") == 3
    assert await act("1", "a", whom="ada@example.com") == 1
    assert isinstance(await act("1", "b", whom="ada@example.com"), IdempotencyConflict)
    assert await act("1", "b", whom="ada@example.com", mutation="other") == 4


async def test_whom_the_input_names_is_the_same_with_any_credentials(act: Caller) -> None:
    assert await act(whom="session 1", principal=ADA) == 1
    assert await act(whom="session 1") == 1
    assert await act(whom="session 1", principal=EVE) == 1


async def test_the_longest_scope_fits(act: Caller) -> None:
    longest = Principal(PrincipalKind.ANONYMOUS, id=2**63 - 1)
    name = "redeemPointsForManyMembersAtOnceAndMore"
    assert await act(principal=longest, mutation=name) == 1
    assert await act(principal=longest, mutation=name, whom="w" * 1000) == 2
    assert all(len(scope) <= 128 for scope, _, _ in await records())


async def test_neither_content_nor_whom_can_be_guessed_from_the_table(act: Caller) -> None:
    await act(text="a", whom="ada@example.com", hashed={"email": "ada@example.com"})
    ((scope, _, content),) = await records()
    caller, _, mutation = scope.partition("/")
    assert (len(caller), len(content), mutation) == (64, 64, "act")
    canonical = b'{"email":"ada@example.com"}'
    for guess in (canonical, b"ada@example.com"):
        assert hashlib.sha256(guess).hexdigest() not in (caller, content)
    assert content == await idempotency.content_hash({"email": "ada@example.com"})
    assert caller == await idempotency.caller_hash("ada@example.com")


async def test_the_same_text_as_content_and_as_caller_has_two_hashes(database: Address) -> None:
    assert await idempotency.content_hash("a") != await idempotency.caller_hash('"a"')


async def test_a_field_that_is_null_is_one_that_was_not_there(database: Address) -> None:
    hashed = [
        await idempotency.content_hash(content)
        for content in ({"b": 1, "a": [{"c": None}]}, {"a": [{}], "b": 1, "d": None})
    ]
    assert hashed[0] == hashed[1]


TEXTS = st.text() | st.sampled_from(
    ['","a":null', '{"a":null}', ":null", "a,", "a{", ",a", "\\", '"', "\ud800", "a_1"]
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS | st.just(UNSET),
        lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.builds(Holding, inner),
    )
)
@example(["a,", ":null of a text"])
@example(["a{", ":null of a text"])
@example(Holding({"a": None, "b": None, "c": 1}))
def test_the_canonical_form_is_that_of_a_walk_over_the_content(content: object) -> None:
    assert idempotency._canonical(content) == idempotency._canonical_value(content)


async def test_answers_outlive_the_process(act: Caller) -> None:
    await act(text="a", whom="ada@example.com")
    secrets._known.clear()
    assert await act(text="a", whom="ada@example.com") == 1


async def test_the_secret_costs_a_statement_once(act: Caller) -> None:
    await act("first")
    with sql.counted_statements() as statements:
        await act("second", whom="ada@example.com")
    assert [statement.split()[0] for statement in statements] == [
        "BEGIN",
        "INSERT",
        "UPDATE",
        "COMMIT",
    ]
