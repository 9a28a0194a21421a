"""No list costs a statement an element: each costs as many for twenty things as for one."""

from tests.api.calling import Api
from tests.api.contract import root_fields
from tests.api.shop import QUERIES, opened

FEW, MANY = 2, 20
ONE_MORE = {"me", "member", "members", "node"}
"""Whose statement of points has events of so many postings that it is read in two steps."""


def test_every_query_is_here() -> None:
    assert {name for kind, name, _field in root_fields() if kind == "query"} == set(QUERIES)


async def test_a_query_of_twenty_takes_as_many_statements_as_one_of_two(api: Api) -> None:
    shop = await opened(api)
    counts: list[dict[str, list[str]]] = []
    for size in (FEW, MANY):
        await shop.grow(size)
        counts.append({name: await shop.counted(name) for name in QUERIES})
    few, many = counts
    more = {
        name: (len(few[name]), len(many[name]), sorted(set(many[name]) - set(few[name])))
        for name in QUERIES
        if len(many[name]) > len(few[name]) + (name in ONE_MORE)
    }
    assert not more
