"""What it costs to show and to record: how many statements the database is asked."""

from typing import Any

import pytest

from server.clock import Instant
from server.examples import HOME_SCREEN
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, Api, Caller, enrolled, line, purchase_input
from tests.api.example import LAST, played
from tests.api.home import HOME


async def counted(api: Api, document: str, caller: Caller, at: Instant, **variables: Any) -> int:
    """How many statements the operation takes, once what stays in memory is there."""
    await api.data(document, variables, caller, at=at)
    with sql.counted_statements() as statements:
        await api.data(document, variables, caller, at=at)
    return len(statements)


@pytest.mark.parametrize("document", [HOME_SCREEN, HOME], ids=["example", "everything"])
async def test_the_home_screen_takes_few_statements(
    api: Api, household: Caller, document: str
) -> None:
    with sql.counted_statements() as statements:
        await api.data(document, caller=household, at=LAST)
        statements.clear()
        await api.data(document, caller=household, at=LAST)
    assert len(statements) <= (8 if document == HOME_SCREEN else 10), "\n".join(statements)


LIST = """
query {
  members(first: 100) {
    nodes {
      id externalId name
      card { number }
      points { available pending nextExpiry { points } expiring(withinDays: 90) { points } }
      tier { name next { name amountMissing { amount } } }
      eligibleSpend { amount }
      cashback { available { amount } lifetimeCapped { amount } monthAccrued { amount } }
      challenges { key progress streak { current } }
      vouchersIssued
    }
  }
}
"""


async def test_a_list_of_members_takes_as_many_statements_as_one_of_few(
    api: Api, till: Caller
) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    counts = []
    for size in (3, 27):
        purchases = [
            purchase_input(member={"externalId": f"m{size}-{number}"}, enrolIfUnknown=True)
            for number in range(size)
        ]
        await api.mutate("recordPurchases", {"purchases": purchases}, till)
        counts.append(await counted(api, LIST, manager, NOW))
    data = await api.data(LIST, caller=manager, at=NOW)
    assert len(data["members"]["nodes"]) == 30
    assert counts[0] == counts[1]


async def test_a_list_of_members_whose_tiers_have_fallen_takes_as_many_too(
    api: Api, till: Caller
) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    later = Instant(NOW + 400 * DAY)
    counts = []
    for size in (3, 27):
        purchases = [
            purchase_input(
                member={"externalId": f"m{size}-{number}"},
                enrolIfUnknown=True,
                lines=[line(salesMinor=200_000)],
            )
            for number in range(size)
        ]
        await api.mutate("recordPurchases", {"purchases": purchases}, till)
        counts.append(await counted(api, LIST, manager, later))
    data = await api.data(LIST, caller=manager, at=later)
    assert {member["tier"]["name"] for member in data["members"]["nodes"]} == {"Bronze"}
    assert counts[0] == counts[1]


async def test_recording_many_purchases_takes_as_many_statements_as_recording_one(
    api: Api, till: Caller
) -> None:
    counts = []
    for turn, size in enumerate((1, 1, 50)):
        for known in (False, True):
            purchases = [
                purchase_input(member={"externalId": f"m{turn}-{number}"}, enrolIfUnknown=not known)
                for number in range(size)
            ]
            with sql.counted_statements() as statements:
                told = await api.mutate("recordPurchases", {"purchases": purchases}, till)
            assert {one["__typename"] for one in told["answers"]} == {"RecordedPurchase"}
            counts.append(len(statements))
    assert counts[2:4] == counts[4:6]


async def test_a_purchase_costs_the_same_after_a_long_history(api: Api, till: Caller) -> None:
    household = await played(api, till)
    purchase = {"member": {"id": household.id}, "occurredAt": "2018-01-01T04:00:00Z"}
    counts = []
    for _ in range(2):
        with sql.counted_statements() as statements:
            await api.record(till, at=LAST, **purchase)
        counts.append(len(statements))
    await enrolled("new", at=LAST)
    with sql.counted_statements() as statements:
        await api.record(
            till, at=LAST, member={"externalId": "new"}, occurredAt="2018-01-01T04:59:59Z"
        )
    assert max(counts) - len(statements) <= 3
