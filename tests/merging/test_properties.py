"""Whatever two memberships did before: merged and parted they are as before, and value is kept
whatever they do in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import DomainError
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address, opened
from server.storage.migrate import apply_pending
from tests.merging.pairs import join, owned, part, redeem, state, worth
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, take_back

DAY = 86_400_000_000
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
        self.now = at("2017-03-01")
        self.bought: list[str] = []
        self.returned = 0
        self.plain = True

    async def play(self, acts: list[Act]) -> int:
        """Act; how many points came, less those that went."""
        came = 0
        for what, who, size, days in acts:
            self.now = Instant(self.now + days * DAY)
            before = await worth(self.now, "a", "b")
            try:
                await self._act(what, who, size)
            except DomainError:
                assert await worth(self.now, "a", "b") == before
            came += (await worth(self.now, "a", "b"))[POINTS] - before[POINTS]
        return came

    async def _act(self, what: str, who: str, size: int) -> None:
        if what == "buy":
            name = f"p{len(self.bought)}"
            departments = (line("PRODUCE", size * 10), line("MEAT", size), line("DELI", 7))
            await recorded(draft(name, self.now, *departments, household=who), now=self.now)
            self.bought.append(name)
        elif what == "redeem":
            await redeem(who, 1000, self.now)
        elif self.bought:
            name = self.bought[size % len(self.bought)]
            self.returned += 1
            await take_back(return_draft(f"r{self.returned}", name, self.now))


async def _in_a_database(work: Callable[[], Awaitable[None]], address: Address) -> None:
    async with opened(address):
        await work()


async def _begun() -> Story:
    async with sql.transaction():
        for table in (
            "return_lines", "purchase_returns", "purchase_lines", "purchases", "vouchers",
            "held_portions", "postings", "lots", "ledger_accounts", "tier_states", "tier_days",
            "tier_changes", "challenge_progress", "challenge_runs", "challenge_totals",
            "cashback_months", "cashback_periods", "cards", "merges", "members",
        ):  # fmt: skip
            await sql.execute(f"DELETE FROM {table}")  # noqa: S608 - ours
    story = Story()
    await story.play([("buy", "a", 5, 0), ("buy", "b", 5, 0)])
    return story


def _without_history(found: dict[str, Any]) -> dict[str, Any]:
    """What the rest of the house goes by: when a tier was reached may be told otherwise, where a
    return came between; days and months without anything left may be gone."""
    counted = found["counted"]
    return {
        "value": found["value"],
        "owned": found["owned"],
        "spend": [row[2:4] for row in counted["tier_states"]],
        "days": [row for row in counted["tier_days"] if row[1]],
        "challenges": [row[:3] for row in counted["challenge_progress"] if row[2]],
        "totals": counted["challenge_totals"],
        "months": [row for row in counted["cashback_months"] if row[1] or row[2]],
    }


PROPERTY = settings(
    max_examples=12,
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
            before = {name: await state(name, story.now) for name in "ab"}
            await part(await join("a", "b", story.now), story.now)
            assert {name: await state(name, story.now) for name in "ab"} == before

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
            total = await worth(story.now, "a", "b")
            merged = await join("a", "b", story.now)
            assert await worth(story.now, "a", "b") == await worth(story.now, "b") == total
            assert not any((await owned("a")).values())
            await story.play(between)
            total = await worth(story.now, "a", "b")
            await part(merged, story.now)
            assert await worth(story.now, "a", "b") == total

        asyncio.run(_in_a_database(work, empty_address))

    check()


def test_returns_before_leave_it_as_before_too(empty_address: Address) -> None:
    _prepared(empty_address)

    @PROPERTY
    @given(ACTS)
    def check(acts: list[Act]) -> None:
        async def work() -> None:
            story = await _begun()
            await story.play(acts)
            before = {name: _without_history(await state(name, story.now)) for name in "ab"}
            await part(await join("a", "b", story.now), story.now)
            after = {name: _without_history(await state(name, story.now)) for name in "ab"}
            for name in "ab":
                assert after[name]["value"] == before[name]["value"]
                assert after[name]["owned"] == before[name]["owned"]
                assert after[name]["days"] == before[name]["days"]
                assert after[name]["months"] == before[name]["months"]

        asyncio.run(_in_a_database(work, empty_address))

    check()
