"""Purchases that requests record at once: as if they had come one after the other."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import clock
from server.cards.service import MemberReference
from server.edge import idempotency
from server.errors import DomainError, ExternalIdConflict, IdempotencyConflict, InvalidInput
from server.ledger import service as ledger
from server.money import POINTS
from server.purchases import rules
from server.purchases import service as purchases
from server.purchases.gathered import RECORDED_TOGETHER
from server.purchases.rules import Draft
from server.purchases.service import RecordedPurchase, Sent, Submission
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.purchases.baskets import at, draft, line, publish

NOON = at("2017-03-05")
REFUSED, BROKEN = 0, 666
"""Amounts: a basket without lines, and one at which the arithmetic breaks."""
SIZE = 32


class Request(NamedTuple):
    key: int
    number: int  # the till's id of the purchase
    member: int
    amount: int
    day: int = 1
    partner: str = "shop"

    def draft(self, prefix: str = "") -> Draft:
        lines = () if self.amount == REFUSED else (line("PRODUCE", self.amount), line("MEAT", 500))
        return draft(
            f"{prefix}{self.number}", f"2017-03-0{self.day}", *lines, household=f"m{self.member}"
        )


async def record(request: Request) -> RecordedPurchase:
    submission = Submission(request.draft(), enrol_if_unknown=True)

    async def alone() -> RecordedPurchase:
        return await purchases.record(submission, partner=request.partner, now=NOON)

    with clock.moved_to(NOON):
        return await RECORDED_TOGETHER.once(
            scope=f"{request.partner}/recordPurchase",
            key=str(request.key),
            content=await idempotency.content_hash(submission),
            item=Sent(submission, request.partner),
            apart=[(request.partner, submission.draft.external_id)],
            alone=alone,
        )


async def at_once(requests: Sequence[Request]) -> list[RecordedPurchase | BaseException]:
    return await asyncio.gather(*map(record, requests), return_exceptions=True)


def broken_at(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = rules.amounts_of

    def amounts_of(wanted: Draft, programme: Any) -> Any:
        if any(one.sales_minor == BROKEN for one in wanted.lines):
            raise RuntimeError("a defect")
        return plain(wanted, programme)

    monkeypatch.setattr(rules, "amounts_of", amounts_of)


async def balances(prefix: str) -> list[tuple[str, str, int]]:
    rows = await sql.fetch(
        "SELECT m.external_id, a.asset, a.balance FROM ledger_accounts a JOIN members m"
        " ON m.id = a.member_id ORDER BY 1, 2"
    )
    return [
        (row[0].removeprefix(prefix), row[1], row[2]) for row in rows if row[0].startswith(prefix)
    ]


async def all_again_of_others(requests: Sequence[Request]) -> list[RecordedPurchase]:
    """What the purchases bring other members when they are recorded one by one."""
    answers: list[RecordedPurchase] = []
    for request in requests:
        wanted = request.draft("again-")
        other = MemberReference(external_id=f"other-m{request.member}")
        async with sql.transaction():
            answers.append(
                await purchases.record(
                    Submission(msgspec.structs.replace(wanted, member=other), True),
                    partner=request.partner,
                    now=NOON,
                )
            )
    return answers


def told(outcome: RecordedPurchase) -> RecordedPurchase:
    """Without what differs between two members."""
    return msgspec.structs.replace(outcome, purchase_id=0, external_id="", member_id=0)


REQUESTS = st.lists(
    st.builds(
        Request,
        key=st.integers(1, 6),
        number=st.integers(1, 6),
        member=st.integers(1, 3),
        amount=st.sampled_from([REFUSED, BROKEN, 1000, 1000, 25_000]),
        day=st.integers(1, 3),
        partner=st.sampled_from(["shop", "shop", "cinema"]),
    ),
    min_size=2,
    max_size=10,
)


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=st.lists(REQUESTS, min_size=1, max_size=3))
async def test_at_once_is_as_in_some_order(
    database: Address, monkeypatch: pytest.MonkeyPatch, plan: list[list[Request]]
) -> None:
    await _emptied()
    broken_at(monkeypatch)
    requests = [request for wave in plan for request in wave]
    answers = [answer for wave in plan for answer in await at_once(wave)]
    succeeded = [
        (answer, request)
        for answer, request in zip(answers, requests, strict=True)
        if isinstance(answer, RecordedPurchase)
    ]
    _check_refusals(requests, answers)

    # Each key, and each of the tills' ids, has one answer, and has it for ever.
    by_key: dict[object, RecordedPurchase] = {}
    for answer, request in succeeded:
        assert by_key.setdefault((request.partner, request.key), answer) == answer
        assert by_key.setdefault((request.partner, "id", request.number), answer) == answer
    for answer, request in succeeded:
        assert await record(request) == answer
    assert len(await sql.fetch("SELECT id FROM idempotency_records")) == len(
        {(request.partner, request.key) for _answer, request in succeeded}
    )

    # They have brought what they bring one by one, in the order in which they were recorded.
    in_order = sorted(succeeded, key=lambda pair: pair[0].purchase_id)
    once = [next(group) for _, group in groupby(in_order, key=lambda pair: pair[0].purchase_id)]
    again = await all_again_of_others([request for _answer, request in once])
    assert [told(answer) for answer, _request in once] == [told(answer) for answer in again]
    assert await balances("m") == await balances("other-m")
    await check_books()


def _check_refusals(requests: Sequence[Request], answers: Sequence[object]) -> None:
    """Each is refused for a reason of its own."""
    recorded = [
        request
        for request, answer in zip(requests, answers, strict=True)
        if isinstance(answer, RecordedPurchase)
    ]
    for request, answer in zip(requests, answers, strict=True):
        if isinstance(answer, RecordedPurchase):
            assert request.amount not in (REFUSED, BROKEN)
        elif isinstance(answer, IdempotencyConflict):
            assert any((one.partner, one.key) == (request.partner, request.key) for one in recorded)
        elif isinstance(answer, ExternalIdConflict):
            same = [
                one
                for one in recorded
                if (one.partner, one.number) == (request.partner, request.number)
            ]
            assert same
            assert all(one.draft() != request.draft() for one in same)
        elif isinstance(answer, InvalidInput):
            assert request.amount == REFUSED
        else:
            assert isinstance(answer, RuntimeError)
            assert request.amount == BROKEN


async def _emptied() -> None:
    """The database as at first, with the demo's rules; history can't be deleted, so its members,
    tills and keys are given other names."""
    number = (await sql.fetch("SELECT COUNT(*) FROM members"))[0][0]
    if not await sql.fetch("SELECT id FROM programme_versions"):
        await publish()
    async with sql.transaction():
        await sql.execute("DELETE FROM idempotency_records")
        await sql.execute(
            "UPDATE members SET external_id = 'old' || CAST(id AS TEXT) WHERE external_id"
            " NOT LIKE 'old%'"
        )
        await sql.execute("UPDATE purchases SET external_id = 'old' || CAST(id AS TEXT)")
    assert number == len(await sql.fetch("SELECT id FROM members WHERE external_id LIKE 'old%'"))


async def test_one_defect_leaves_the_others_recorded(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish()
    broken_at(monkeypatch)
    answers = await at_once(
        [Request(1, 1, 1, 1000), Request(2, 2, 1, BROKEN), Request(3, 3, 2, 1000)]
    )
    assert [type(answer) for answer in answers] == [
        RecordedPurchase,
        RuntimeError,
        RecordedPurchase,
    ]
    rows = await sql.fetch("SELECT external_id FROM purchases ORDER BY 1")
    assert [row[0] for row in rows] == ["1", "3"]
    await check_books()


async def test_partners_have_ids_of_their_own_in_one_round(database: Address) -> None:
    await publish()
    here, there = await at_once([Request(1, 1, 1, 1000), Request(1, 1, 1, 2000, partner="cinema")])
    assert isinstance(here, RecordedPurchase)
    assert isinstance(there, RecordedPurchase)
    assert [here.net_minor, there.net_minor] == [1500, 2500]
    balance = (await ledger.balances([here.member_id], NOON))[here.member_id, POINTS]
    assert balance.pending + balance.available == here.points + there.points


async def test_many_at_once_cost_as_many_statements_as_one(database: Address) -> None:
    await publish()
    await at_once([Request(n, n, n, 1000) for n in range(1, SIZE + 1)])
    with sql.counted_statements() as lone:
        assert isinstance(await record(Request(100, 100, 1, 1000, day=2)), RecordedPurchase)
    with sql.counted_statements() as many:
        answers = await at_once([Request(n, n, n - 100, 1000, day=2) for n in range(102, 132)])
    assert not [answer for answer in answers if isinstance(answer, DomainError | Exception)]
    assert len(many) == len(lone) == {"sqlite": 23, "postgres": 7}[sql.engine()]
