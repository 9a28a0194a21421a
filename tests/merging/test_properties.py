"""Whatever two memberships did before: merged and parted they are as before, and value is kept
whatever they do in between."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import DomainError
from server.merging.service import Merged
from server.storage.database import Address, opened
from server.storage.migrate import apply_pending
from tests.merging.pairs import join, owned, part, redeem, state, worth
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, take_back

DAY = 86_400_000_000
_numbers = itertools.count(1)
Act = tuple[str, str, int, int]
"""What is done, by whom, how much, and how many days after the act before."""

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "buy", "redeem", "return"]),
        st.sampled_from("ab"),
        st.integers(1, 4000),
        st.integers(0, 12),
    ),
    max_size=8,
)


class Story:
    """Acts one after the other, refused ones included."""

    def __init__(self) -> None:
        number = next(_numbers)  # postings stay: each story has people of its own
        self.names = {who: f"{who}{number}" for who in "ab"}
        self.now = at("2017-03-01")
        self.bought: list[str] = []
        self.returned = 0
        self.plain = True

    async def play(self, acts: list[Act]) -> None:
        """Act; what is refused changes nothing."""
        for what, who, size, days in acts:
            self.now = Instant(self.now + days * DAY)
            before = await self.worth()
            try:
                await self.act(what, who, size)
            except DomainError:
                assert await self.worth() == before

    async def worth(self) -> Counter[str]:
        """What the two have together."""
        return await worth(self.now, *self.names.values())

    async def states(self) -> dict[str, Any]:
        return {who: await state(name, self.now) for who, name in self.names.items()}

    async def join(self) -> Merged:
        return await join(self.names["a"], self.names["b"], self.now)

    async def act(self, what: str, who: str, size: int) -> None:
        if what == "buy":
            name = f"{self.names[who]}-{len(self.bought)}"
            departments = (line("PRODUCE", size * 10), line("MEAT", size), line("DELI", 7))
            await recorded(
                draft(name, self.now, *departments, household=self.names[who]), now=self.now
            )
            self.bought.append(name)
        elif what == "redeem":
            await redeem(self.names[who], 1000, self.now)
        elif self.bought:
            name = self.bought[size % len(self.bought)]
            self.returned += 1
            await take_back(return_draft(f"{name}-{self.returned}", name, self.now))


async def _in_a_database(work: Callable[[], Awaitable[None]], address: Address) -> None:
    async with opened(address):
        await work()


async def _begun() -> Story:
    story = Story()
    for who in "ab":
        await story.act("buy", who, 5)
    return story


def _without_history(found: dict[str, Any]) -> dict[str, Any]:
    """What the rest of the house goes by: when a tier was reached may be told otherwise, where a
    return came between; days and months without anything left may be gone."""
    counted = found["counted"]
    return {
        "value": found["value"],
        "owned": found["owned"],
        "spend": [row[3] for row in counted["tier_states"]],
        "days": [row for row in counted["tier_days"] if row[1]],
        "months": [row for row in counted["cashback_months"] if row[1] or row[2]],
    }


PROPERTY = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _prepared(address: Address) -> None:
    async def work() -> None:
        await apply_pending()
        await publish()

    asyncio.run(_in_a_database(work, address))


def test_merged_and_parted_is_as_before(empty_address: Address) -> None:
    _prepared(empty_address)

    @PROPERTY
    @given(ACTS.map(lambda acts: [act for act in acts if act[0] != "return"]))
    def check(acts: list[Act]) -> None:
        async def work() -> None:
            story = await _begun()
            await story.play(acts)
            before = await story.states()
            await part(await story.join(), story.now)
            assert await story.states() == before

        asyncio.run(_in_a_database(work, empty_address))

    check()


def test_value_is_kept_whatever_happens_before_and_between(empty_address: Address) -> None:
    _prepared(empty_address)

    @PROPERTY
    @given(ACTS, ACTS)
    def check(before: list[Act], between: list[Act]) -> None:
        async def work() -> None:
            story = await _begun()
            await story.play(before)
            total = await story.worth()
            merged = await story.join()
            assert await story.worth() == await worth(story.now, story.names["b"]) == total
            assert not any((await owned(story.names["a"])).values())
            await story.play(between)
            total = await story.worth()
            await part(merged, story.now)
            assert await story.worth() == total

        asyncio.run(_in_a_database(work, empty_address))

    check()


def test_returns_before_leave_it_as_before_too(empty_address: Address) -> None:
    _prepared(empty_address)

    @PROPERTY
    @example(
        [
            ("buy", "a", 1, 0),
            ("buy", "b", 133, 0),
            ("buy", "b", 392, 0),
            ("redeem", "b", 1, 9),
            ("return", "a", 3044, 0),  # b owes when a's points come
        ]
    )
    @given(ACTS)
    def check(acts: list[Act]) -> None:
        async def work() -> None:
            story = await _begun()
            await story.play(acts)
            before = await story.states()
            await part(await story.join(), story.now)
            after = await story.states()
            for who in "ab":
                assert _without_history(after[who]) == _without_history(before[who])

        asyncio.run(_in_a_database(work, empty_address))

    check()
