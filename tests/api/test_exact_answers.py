"""What an answer of exact fields says of itself is true: until the instant that it names it stays
what it is, byte for byte, unless the version of its member or of the programme moves on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.clock import NEVER, Instant
from server.principal import Scope, StaffRole
from server.storage import changes, sql, versions
from tests.api.calling import (
    DAY,
    NOW,
    SECOND,
    Api,
    Caller,
    Json,
    line,
    purchase_input,
    return_input,
    shown,
)
from tests.api.exact import Told, alone, ask, everything, exact_fields, plan_of
from tests.api.test_idempotency import CASES
from tests.programme.demo import demo_yaml
from tests.properties import trying

AFTER = Instant(NOW + SECOND)
HOUR = 3600 * SECOND


def test_what_the_home_screen_shows_is_exact() -> None:
    assert set(exact_fields()) >= {
        "id",
        "name",
        "card",
        "points",
        "tier",
        "eligibleSpend",
        "cashback",
        "challenges",
        "vouchersIssued",
        "activity",
    }
    for document in (everything(), *map(alone, exact_fields())):
        assert plan_of(document).is_exact, document


@pytest.mark.parametrize(
    "document",
    [
        "{ me { household { name } } }",
        "{ me { vouchers { nodes { code } } } }",
        "{ me { explainBalance { available } } }",
        "{ me { name } __schema { description } }",
        "{ me { nothing } }",
        "{ programme { version } }",
        "mutation { blockCard(input: {}) { ... on CardChanged { card { number } } } }",
    ],
)
def test_what_others_or_nobody_tells_is_not_exact(document: str) -> None:
    assert not plan_of(document).is_exact


def test_a_type_name_is_as_exact_as_the_rest() -> None:
    assert plan_of(
        "{ __typename me { __typename name ...P } } fragment P on Member { id }"
    ).is_exact


async def _versions(member_id: int) -> tuple[int, ...]:
    return await versions.current([member_id, changes.PROGRAMME_VERSION_ID])


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_that_changes_an_answer_moves_a_version_on(api: Api, name: str) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    members = [row[0] for row in await sql.fetch("SELECT id FROM members")]
    before = {one: (await _versions(one), await ask(everything(), one, AFTER)) for one in members}
    told = await api.mutate(name, case.input, case.caller)
    assert told["__typename"] == success
    for one in members:
        versions_before, answer = before[one]
        if (await ask(everything(), one, AFTER)).data != answer.data:
            assert await _versions(one) != versions_before


# ---------------------------------------------------------------- time alone


@dataclass(frozen=True)
class Step:
    """Some time, and something that is written after it."""

    wait: int
    verb: str
    amount: int


WAITS = st.sampled_from([0, 1, HOUR, DAY, 6 * DAY, 7 * DAY, 31 * DAY, 174 * DAY, 181 * DAY])
STEPS = st.lists(
    st.builds(
        Step,
        wait=WAITS | st.integers(0, 400 * DAY),
        verb=st.sampled_from(
            ["buy", "buy", "buy", "return", "redeem", "hold", "adjust", "publish", "card", "name"]
        ),
        amount=st.integers(1, 300_000),
    ),
    min_size=1,
    max_size=6,
)
DOCUMENTS = st.sampled_from(
    [
        everything(),
        "{ me { points { available pending held expiring(withinDays: 9) { points } } } }",
        "{ me { points { nextExpiry { points } expiring(withinDays: 400) { expiresAt } } } }",
        "{ me { activity(first: 2) { nodes { title points balanceAfter } } } }",
        *(alone(name) for name in ("points", "cashback", "tier", "challenges", "activity")),
    ]
)


@dataclass
class World:
    """A member and those who write for them."""

    api: Api
    till: Caller
    manager: Caller
    member: Caller
    purchases: list[str]

    async def do(self, step: Step, at: Instant) -> None:
        verbs: dict[str, Callable[[int, Instant], Awaitable[object]]] = {
            "buy": self.buy,
            "return": self.give_back,
            "redeem": self.redeem,
            "hold": self.hold,
            "adjust": self.adjust,
            "publish": self.publish,
            "card": self.replace_card,
            "name": self.rename,
        }
        with clock.moved_to(at):
            await verbs[step.verb](step.amount, at)

    async def buy(self, amount: int, at: Instant) -> None:
        wish = purchase_input(
            member={"id": self.member.id},
            occurredAt=shown(at),
            lines=[line(salesMinor=amount), line(salesMinor=amount // 3, department="MEAT")],
        )
        told = await self.api.mutate("recordPurchase", {"purchase": wish}, self.till, at=at)
        assert told["__typename"] == "RecordedPurchase", told
        self.purchases.append(told["purchaseId"])

    async def give_back(self, _amount: int, at: Instant) -> None:
        if self.purchases:
            wish = return_input(purchase={"id": self.purchases.pop()}, occurredAt=shown(at))
            await self.api.mutate("returnPurchase", {"return": wish}, self.till, at=at)

    async def redeem(self, amount: int, at: Instant) -> None:
        wish: Json = {"points": 1000 * (1 + amount % 2), "member": {"id": self.member.id}}
        await self.api.mutate("redeemPoints", wish, self.till, at=at)

    async def hold(self, amount: int, at: Instant) -> None:
        wish = {
            "member": {"id": self.member.id},
            "asset": "POINTS",
            "points": 1 + amount % 100,
            "ttlSeconds": 60 + amount % 800,
        }
        await self.api.mutate("hold", wish, self.till, at=at)

    async def adjust(self, amount: int, at: Instant) -> None:
        wish = {
            "member": {"id": self.member.id},
            "asset": "POINTS",
            "points": amount % 900 + 1,
            "reason": "goodwill",
        }
        await self.api.mutate("adjustBalance", wish, self.manager, at=None)

    async def publish(self, amount: int, at: Instant) -> None:
        changed: dict[tuple[str | int, ...], object] = {
            ("cashback", "monthly_cap_minor"): 1000 + amount,
            ("tiers", "window_days"): 30 + amount % 300,
        }
        wish = {"document": demo_yaml(changed), "effectiveAt": shown(Instant(at + 9 * HOUR))}
        await self.api.mutate("publishProgramme", wish, self.manager, at=None)

    async def replace_card(self, _amount: int, _at: Instant) -> None:
        wish = {"member": {"id": self.member.id}}
        await self.api.mutate("replaceCard", wish, self.till, at=None)

    async def rename(self, amount: int, _at: Instant) -> None:
        await self.api.mutate("updateProfile", {"name": f"Anna {amount}"}, self.member, at=None)


async def _holds_until_it_changes(document: str, member_id: int, at: Instant, share: int) -> Told:
    """The answer at the instant, after it was seen to hold for as long as it says."""
    told = await ask(document, member_id, at)
    assert told.changes_at > at
    last = min(told.changes_at - 1, at + 500 * DAY)
    for moment in (at + (last - at) * share // 100, last):
        again = await ask(document, member_id, Instant(moment))
        assert again.data == told.data, (shown(at), shown(Instant(moment)))
        assert again.changes_at == told.changes_at
    return told


@pytest.fixture
async def world(api: Api) -> World:
    return World(api, await api.key(*Scope), await api.staff(StaffRole.MANAGER), Caller(), [])


@trying(8)
@given(steps=STEPS, document=DOCUMENTS, share=st.integers(0, 99))
async def test_an_answer_holds_until_the_instant_that_it_names(
    world: World, steps: list[Step], document: str, share: int
) -> None:
    world.member, world.purchases = await world.api.member(), []
    at = NOW
    for step in steps:
        at = Instant(at + step.wait)
        await _holds_until_it_changes(document, world.member.member_id, at, share)
        await world.do(step, at)
        told = await _holds_until_it_changes(document, world.member.member_id, at, share)
        if told.changes_at < at + 500 * DAY:
            at = told.changes_at
            await _holds_until_it_changes(document, world.member.member_id, at, share)


async def test_an_answer_names_the_instant_of_each_kind_of_change(api: Api, till: Caller) -> None:
    anna = await api.member()
    at = Instant(NOW)
    midnight = "{ me { tier { name } } }"
    points = "{ me { points { available } } }"
    ahead = "{ me { points { expiring(withinDays: 7) { points } } } }"
    welcome = await ask(points, anna.member_id, at)
    assert shown(welcome.changes_at) == "2026-08-31T04:00:00Z"
    soon = await ask(ahead, anna.member_id, at)
    assert shown(soon.changes_at) == "2026-08-24T04:00:00Z"
    assert shown((await ask(midnight, anna.member_id, at)).changes_at) == "2026-03-05T05:00:00Z"
    assert (await ask("{ me { name card { number } } }", anna.member_id, at)).changes_at == NEVER
    wish = {"member": {"id": anna.id}, "asset": "POINTS", "points": 10, "ttlSeconds": 60}
    await api.mutate("hold", wish, till)
    held = await ask(points, anna.member_id, at)
    assert held.changes_at == NOW + 60 * SECOND
