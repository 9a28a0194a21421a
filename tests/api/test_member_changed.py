"""The subscription memberChanged: the newest state at once, and after each commit that concerns the
member."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from server import clock
from server.clock import NEVER, Instant
from server.edge.context import Context
from server.edge.executing import Operations
from server.edge.requests import GraphQLRequest
from server.households import service as households
from server.integrations.live import hub
from server.ledger import service as ledger
from server.membership.standing import standings
from server.money import POINTS
from server.principal import Principal, PrincipalKind, StaffRole
from server.programme import service as programme
from server.schema import schema
from server.storage import changes, sql
from tests.api.calling import SECOND, Api, Caller, enrolled, purchase_input, shown
from tests.api.following import PATIENCE_SECONDS, Events, followed
from tests.api.redeeming import give_points
from tests.households.living import SPENDER, founded, invited, written
from tests.programme.demo import demo_yaml


async def _give(member_id: int, points: int, *, available_at: Instant | None = None) -> None:
    """Points now, in one transaction."""
    now = clock.now()
    grant = ledger.Grant(
        asset=POINTS,
        amount=points,
        earned_at=now,
        available_at=now if available_at is None else available_at,
        expires_at=NEVER,
        reason=ledger.Reason.PURCHASE,
        rule="test",
        programme_version=1,
        reference=None,
    )
    async with sql.transaction(), ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        journal.grant(member_id, grant)


async def _until_all_wait() -> None:
    """Whoever follows waits for the next hint: nothing is under way any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        # Nobody is told when a subscriber begins to wait.
        while not all(one._waiting and not one._waiting.done() for one in hub._subscribers):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def _until_idle(events: Events) -> None:
    await _until_all_wait()
    assert events.delivered.empty()


@pytest.fixture
async def anna(api: Api) -> int:
    """A member who joined just now; the id."""
    return await enrolled("anna", at=clock.now(), name="Anna")


async def _member(api: Api, name: str | None = None) -> Caller:
    return await api.member(name, at=clock.now())


@pytest.fixture
def lossy() -> Iterator[pytest.MonkeyPatch]:
    """Nothing of what is noted is announced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "_announce", lambda _changes: None)
        yield patch


async def test_it_begins_with_the_present_state(api: Api, anna: int) -> None:
    async with followed(anna) as events:
        member = await events.next()
    assert member["name"] == "Anna"
    assert member["points"] == {"available": 100, "pending": 0, "lifetimeEarned": 100}


async def test_it_shows_what_me_shows(api: Api) -> None:
    caller = await _member(api, "anna")
    wanted = "id points { available pending } tier { name rank } challenges { key progress }"
    async with followed(caller.member_id, wanted) as events:
        member = await events.next()
    assert member == (await api.data(f"{{ me {{ {wanted} }} }}", caller=caller))["me"]


async def test_a_purchase_brings_an_event_with_what_it_earned(
    api: Api, till: Caller, anna: int
) -> None:
    wanted = "points { lifetimeEarned } purchases { nodes { id } }"
    async with followed(anna, wanted) as events:
        assert (await events.next())["purchases"]["nodes"] == []
        told = await api.record(till, at=None, occurredAt=shown(clock.now()))
        member = await events.next()
        assert member["purchases"]["nodes"] == [{"id": told["purchaseId"]}]
        assert member["points"]["lifetimeEarned"] == 100 + told["points"]


async def test_a_refused_mutation_and_a_repeated_one_bring_no_event(
    api: Api, till: Caller, anna: int
) -> None:
    async with followed(anna) as events:
        await events.next()
        purchase = {"purchase": purchase_input(occurredAt=shown(clock.now()))}
        await api.mutate("recordPurchase", purchase, till, key="k", at=None)
        await events.next()
        await _until_idle(events)
        told = await api.mutate("recordPurchase", purchase, till, key="k", at=None)
        assert told["__typename"] == "RecordedPurchase"
        told = await api.mutate(
            "redeemPoints", {"member": {"externalId": "anna"}, "points": 99_000}, till, at=None
        )
        assert told["__typename"] == "InsufficientPoints"
        await _until_idle(events)


async def test_a_commit_wakes_only_those_whom_it_concerns(api: Api, anna: int) -> None:
    bob = (await _member(api, "bob")).member_id
    async with followed(anna) as hers, followed(bob) as his:
        await hers.next()
        await his.next()
        await _until_idle(hers)
        await _give(anna, 5)
        assert (await hers.next())["points"]["available"] == 105
        await _until_idle(his)
        await _give(bob, 7)
        assert (await his.next())["points"]["available"] == 107


async def test_whoever_waits_runs_no_statement(
    api: Api, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with followed(anna) as events:
        await events.next()
        await _until_idle(events)
        ran: list[str] = []
        monkeypatch.setattr(sql, "_count", ran.append)
        bob = await _member(api, "bob")
        of_bob = len(ran)
        await _until_idle(events)
        assert bob.member_id
        assert len(ran) == of_bob


async def test_in_a_household_everybody_sees_what_one_earns(api: Api) -> None:
    ada, bob, carl = [(await _member(api, name)).member_id for name in ("ada", "bob", "carl")]
    await founded(ada, (bob, SPENDER))
    code = await invited(ada, at=clock.now())
    wanted = "household { members { memberId } pooledPoints { available } }"
    async with followed(bob, wanted) as events:
        pooled = (await events.next())["household"]["pooledPoints"]
        await _give(ada, 50)
        member = await events.next()
        assert member["household"]["pooledPoints"]["available"] == pooled["available"] + 50
        await _until_idle(events)
        await written(lambda: households.join(carl, code, now=clock.now()))
        assert len((await events.next())["household"]["members"]) == 3
        await _until_idle(events)
        await _give(carl, 1)
        member = await events.next()
        assert member["household"]["pooledPoints"]["available"] == pooled["available"] + 151


async def test_of_a_merged_duplicate_the_survivor_is_shown(api: Api, till: Caller) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    duplicate, survivor = [await _member(api, name) for name in ("dup", "sur")]
    await give_points(survivor.member_id, 1000)
    async with followed(duplicate.member_id) as events:
        assert (await events.next())["id"] == duplicate.id
        # What a session's principal is after the merge, `authenticate` decides.
        events.principal = replace(events.principal, member_id=survivor.member_id)
        wish = {"duplicate": {"id": duplicate.id}, "survivor": {"id": survivor.id}}
        await api.mutate("mergeMembers", {**wish, "reason": "same person"}, manager, at=None)
        member = await events.next()
        assert (member["id"], member["points"]["available"]) == (survivor.id, 1200)
        assert await events.next() == member  # now that the survivor is listened to
        await _until_idle(events)
        await _give(survivor.member_id, 1)
        assert (await events.next())["points"]["available"] == 1201


async def test_a_new_programme_brings_an_event(api: Api, anna: int) -> None:
    async with followed(anna, "challenges { key rewardPoints }") as events:
        before = {one["key"]: one["rewardPoints"] for one in (await events.next())["challenges"]}
        richer = demo_yaml({("challenges", "weekly_visits", "reward_points"): 51})
        async with sql.transaction():
            await programme.publish(richer, published_by="test")
        after = {one["key"]: one["rewardPoints"] for one in (await events.next())["challenges"]}
        assert after == {**before, "weekly_visits": 51}


async def test_time_alone_brings_an_event(api: Api, anna: int) -> None:
    async with followed(anna) as events:
        await events.next()
        # So late that it is pending still when somebody looks.
        await _give(anna, 10, available_at=Instant(clock.now() + 4 * SECOND))
        assert (await events.next())["points"]["pending"] == 10
        member = await events.next()
        assert member["points"] == {"available": 110, "pending": 0, "lifetimeEarned": 110}


async def test_a_lost_announcement_is_made_up_for(
    api: Api, anna: int, lossy: pytest.MonkeyPatch
) -> None:
    async with followed(anna) as events:
        await events.next()
        await _until_idle(events)
        await _give(anna, 10)
        await _until_idle(events)
        hub.announce_gap()
        assert (await events.next())["points"]["available"] == 110


async def test_a_gap_in_which_nothing_happened_brings_no_event(api: Api, anna: int) -> None:
    async with followed(anna) as events:
        await events.next()
        await _until_idle(events)
        hub.announce_gap()
        await _until_idle(events)


async def test_a_gap_costs_one_statement_for_all_who_follow(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [(await _member(api)).member_id for _ in range(10)]
    async with _all_followed(members) as all_events:
        for events in all_events:
            await events.next()
        for events in all_events:
            await _until_idle(events)
        ran: list[str] = []
        monkeypatch.setattr(sql, "_count", ran.append)
        hub.announce_gap()
        for events in all_events:
            await _until_idle(events)
        assert len(ran) == 1


@asynccontextmanager
async def _all_followed(members: list[int]) -> AsyncIterator[list[Events]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(followed(one)) for one in members]


async def test_an_event_shows_one_state_of_the_database(api: Api, anna: int) -> None:
    """Each field has a statement of its own, between which writers commit all the time."""
    wanted = """
        points { available lifetimeEarned }
        activity(first: 1) { nodes { balanceAfter } }
        explainBalance { available }
    """
    writing = True

    async def write() -> None:
        while writing:
            await _give(anna, 1)

    async with followed(anna, wanted) as events:
        await events.next()
        writer = asyncio.create_task(write())
        for _ in range(30):
            member = await events.next()
            available = member["points"]["available"]
            assert member["points"]["lifetimeEarned"] == available
            assert member["activity"]["nodes"][0]["balanceAfter"] == available
            assert member["explainBalance"]["available"] == available
        writing = False
        await writer


@pytest.mark.parametrize("seed", range(3))
async def test_no_older_state_follows_a_newer_one_and_the_last_is_the_last(
    api: Api, anna: int, seed: int
) -> None:
    chance = random.Random(seed)

    async def write(count: int) -> None:
        for _ in range(count):
            await _give(anna, 1)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 100)

    async with followed(anna) as events:
        earned = [(await events.next())["points"]["lifetimeEarned"]]
        writers = [asyncio.create_task(write(10)) for _ in range(4)]
        while earned[-1] < 140:
            earned.append((await events.next())["points"]["lifetimeEarned"])
        assert earned == sorted(earned)
        assert earned[0] == 100
        await asyncio.gather(*writers)
        await _until_idle_or_same(events, 140)


async def _until_idle_or_same(events: Events, earned: int) -> None:
    """Whatever still comes repeats the last state."""
    await _until_all_wait()
    while not events.delivered.empty():
        assert (await events.next())["points"]["lifetimeEarned"] == earned


async def test_staff_and_keys_follow_nobody(api: Api, till: Caller) -> None:
    operations = Operations(schema)
    for kind, code in (
        (PrincipalKind.STAFF, "FORBIDDEN"),
        (PrincipalKind.KEY, "FORBIDDEN"),
        (PrincipalKind.ANONYMOUS, "UNAUTHENTICATED"),
    ):
        context = Context(principal=Principal(kind, id=5))
        request = GraphQLRequest("subscription { memberChanged { id } }", None, None, {})
        planned = await operations.planned(request, context, allows=lambda _kind: None)

        async def renewed(context: Context = context) -> Context:
            return context

        told = [answer.body async for answer in operations.events(planned, context, renewed)]
        assert [body["errors"][0]["extensions"]["code"] for body in told] == [code]


async def test_how_many_stand_is_asked_in_one_statement(
    api: Api, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(sql, "_count", ran.append)
    answers = await asyncio.gather(*(standings({anna, number}) for number in range(200)))
    assert len(ran) == 1
    assert len({answer[anna] for answer in answers}) == 1
