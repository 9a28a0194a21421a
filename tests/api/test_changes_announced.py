"""Whatever mutation changes what a member sees announces it after its commit, and can be found out
afterwards by whoever missed the announcement."""

from functools import cache

import pytest
from graphql import get_named_type

from server.clock import Instant
from server.edge.context import Context
from server.membership import queries
from server.membership.standing import Standing, standings
from server.principal import Principal, PrincipalKind
from server.storage import changes, sql
from server.storage.changes import DROP, HOUSEHOLD, MEMBER, PROGRAMME, Change
from tests.api.calling import NOW, SECOND, Api, Json
from tests.api.contract import contract, selection
from tests.api.prepared_documents import executed
from tests.api.test_idempotency import CASES

AFTER = Instant(NOW + SECOND)


@cache
def _everything() -> str:
    query = contract().query_type
    assert query is not None
    return f"{{ me {selection(get_named_type(query.fields['me'].type))} }}"


async def _me(member_id: int) -> Json:
    """All that the member sees."""
    principal = Principal(PrincipalKind.MEMBER, id=1, member_id=member_id)
    context = Context(principal=principal, at=AFTER)
    result = await executed(_everything(), context)
    assert result.errors is None, result.errors
    assert result.data is not None
    me: Json = result.data["me"]
    return me


async def _members() -> list[int]:
    return [row[0] for row in await sql.fetch("SELECT id FROM members")]


async def _listened_to(member_id: int) -> set[Change]:
    """What a member's subscriber listens to."""
    fellows = await queries.fellows(member_id)
    lines = await sql.fetch("SELECT line_id FROM drop_places WHERE member_id = $1", member_id)
    return {
        *((DROP, row[0]) for row in lines),
        (MEMBER, member_id),
        (PROGRAMME, 0),
        *((HOUSEHOLD, household_id) for household_id, _fellow in fellows),
        *((MEMBER, fellow) for _household, fellow in fellows),
    }


async def _stood(topics: set[Change]) -> dict[int, Standing]:
    return await standings({number for topic, number in topics if topic == MEMBER})


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_announces_whose_view_it_changes_and_no_repetition_does(
    api: Api, name: str
) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    members = await _members()
    saw = {one: await _me(one) for one in members}
    topics = {one: await _listened_to(one) for one in members}
    stood = {one: await _stood(topics[one]) for one in members}
    announced: set[Change] = set()
    with changes.announced_to(announced.update):
        told = await api.mutate(name, case.input, case.caller, key="k")
        assert told["__typename"] == success
        of_the_first = set(announced)
        announced.clear()
        await api.mutate(name, case.input, case.caller, key="k")
        assert announced == set()
    for one in members:
        if await _me(one) != saw[one]:
            assert topics[one] & of_the_first, "not announced"
            assert await _stood(topics[one]) != stood[one], "not found out afterwards"


async def test_a_refused_mutation_announces_nothing(api: Api) -> None:
    anna = await api.member("anna")
    announced: set[Change] = set()
    with changes.announced_to(announced.update):
        for name, given in (
            ("redeemPoints", {"points": 99_000}),
            ("requestPayout", {"amountMinor": 100_000, "destination": "LT12"}),
            ("updateProfile", {"locale": "?"}),
            ("leaveHousehold", {}),
        ):
            told = await api.mutate(name, given, anna)
            assert "code" in told, name
    assert announced == set()


async def test_what_the_cases_change_is_seen_here(api: Api) -> None:
    """The test above would prove nothing if nothing could be seen."""
    _success, prepare = CASES["updateProfile"]
    case = await prepare(api)
    before = await _me(case.caller.member_id)
    await api.mutate("updateProfile", case.input, case.caller)
    assert await _me(case.caller.member_id) != before
