"""Who pays for a reward: exact parts, exactly undone, told month by month."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.definitions import service as definitions
from server.money import POINTS
from server.partners import rules, service
from server.partners.documents import Share
from server.partners.service import Left, Reward
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address
from server.storage.exchange import execute_each
from tests.api.calling import NOW, Api, Json, enrolled, instant, line, return_input, usd
from tests.api.redeeming import give_points
from tests.purchases.baskets import publish

SHARES = (Share("bakery", 3333), Share("dairy", 3333))
MARCH, APRIL = 202603, 202604


@st.composite
def shares(draw: st.DrawFn) -> tuple[Share, ...]:
    given = draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=4))
    left, found = 10_000, []
    for number, bps in enumerate(given):
        part = min(bps, left)
        if part:
            found.append(Share(f"p{number}", part))
            left -= part
    return tuple(found)


@given(whole=st.integers(-(10**12), 10**12), of=shares())
def test_the_parts_add_up_to_the_whole_and_differ_from_the_exact_share_by_less_than_one(
    whole: int, of: tuple[Share, ...]
) -> None:
    parts = rules.parts(whole, of)
    assert sum(parts) == whole
    for part, share in zip(parts, of, strict=False):
        assert abs(part * 10_000 - whole * share.share_bps) < 10_000


async def fund(*rewards: Reward, now: Instant = NOW) -> None:
    async with sql.transaction():
        terms = (await programme.rulebook()).at(now).programme
        await execute_each(service.entries(rewards, terms, recorded_at=now))


def reward(**changes: object) -> Reward:
    standard: dict[str, object] = {
        "member_id": 1,
        "source": "discount",
        "rule": "offer:bread",
        "reference": 7,
        "asset": "USD",
        "amount": 100,
        "value_minor": 100,
        "shares": SHARES,
        "occurred_at": NOW,
    }
    return Reward(**{**standard, **changes})  # type: ignore[arg-type]


async def undo(*left: Left, reference: int = 7, at: Instant = NOW) -> None:
    async with sql.transaction():
        terms = (await programme.rulebook()).at(at).programme
        await service.undo(
            left,
            member_id=1,
            reference=reference,
            programme=terms,
            occurred_at=at,
            recorded_at=at,
        )


async def owed(month: int) -> dict[str, int]:
    return {one.partner: one.owed_minor for one in await service.settlement(month)}


async def test_each_party_bears_its_part_and_the_operator_the_rest(database: Address) -> None:
    await publish({})
    await fund(
        reward(),
        reward(source="points", asset=POINTS, amount=101, value_minor=101, lot_id=9),
        reward(reference=8, shares=()),
    )
    assert await owed(MARCH) == {"": 34 + 34, "bakery": 33 + 34, "dairy": 33 + 33}
    [operator, bakery, _dairy] = await service.settlement(MARCH)
    assert [(line.source, line.points, line.value_minor) for line in operator.lines] == [
        ("discount", 0, 34),
        ("points", 34, 34),
    ]
    assert [(line.rule, line.rewards, line.amount) for line in bakery.lines] == [
        ("offer:bread", 1, 33),
        ("offer:bread", 1, 34),
    ]
    rows = await sql.fetch("SELECT lot_id FROM settlement_entries WHERE asset = 'POINTS'")
    assert [row[0] for row in rows] == [9, 9, 9]


async def test_parts_undone_one_after_the_other_come_to_nothing_left(database: Address) -> None:
    await publish({})
    await fund(reward())
    april = instant("2026-04-02T12:00:00Z")
    for left in (71, 70, 1, 0):
        await undo(Left("discount", "offer:bread", left, left, SHARES), at=april)
        total: dict[str, int] = {}
        for month in (MARCH, APRIL):
            for partner, minor in (await owed(month)).items():
                total[partner] = total.get(partner, 0) + minor
        assert [total[one] for one in ("bakery", "dairy", "")] == rules.parts(left, SHARES)
    assert await owed(MARCH) == {"": 34, "bakery": 33, "dairy": 33}
    assert await owed(APRIL) == {"": -34, "bakery": -33, "dairy": -33}


async def test_undoing_again_to_the_same_rest_writes_nothing(database: Address) -> None:
    await publish({})
    await fund(reward())
    for _ in range(2):
        await undo(Left("discount", "offer:bread", 40, 40, SHARES))
    [row] = await sql.fetch("SELECT COUNT(*) FROM settlement_entries")
    assert row[0] == 6


@pytest.mark.parametrize(
    ("at", "month"),
    [("2026-04-01T03:59:59.999999Z", MARCH), ("2026-04-01T04:00:00Z", APRIL)],
)
async def test_the_month_is_the_programmes_local_one(
    database: Address, at: str, month: int
) -> None:
    await publish({("programme", "timezone"): "America/New_York"})
    await fund(reward(occurred_at=instant(at)))
    assert sum((await owed(month)).values()) == 100
    assert await owed(MARCH + APRIL - month) == {}


async def partner(key: str = "bakery", **more: object) -> None:
    async with sql.transaction():
        made, is_new = await definitions.publish_document(
            "partner", key, {"name": key.title(), **more}, by=definitions.COMMAND_LINE, now=NOW
        )
    assert is_new
    assert made is not None


async def test_what_is_paid_at_a_partners_till_is_owed_to_it(database: Address) -> None:
    await publish({})
    await partner()
    await partner("dairy", is_reimbursed=False)
    terms = (await programme.rulebook()).at(NOW).programme
    for name, minor in (("bakery", 500), ("bakery", -200), ("dairy", 500), ("unknown", 500)):
        async with sql.transaction():
            await execute_each(
                await service.redemption(
                    member_id=1,
                    partner=name,
                    payment_id=3,
                    kind="points",
                    value_minor=minor,
                    programme=terms,
                    now=NOW,
                )
            )
    assert await owed(MARCH) == {"": 300, "bakery": -300}


async def test_the_csv_holds_the_same_lines_and_no_formulas(database: Address) -> None:
    await publish({})
    await fund(reward(rule="=1+1"), reward(source="points", asset=POINTS, lot_id=1))
    parties = await service.settlement(MARCH)
    text = service.csv_of(MARCH, parties)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == [
        *("month", "partner", "source", "rule", "rewards", "asset", "amount", "currency"),
        "value_minor",
    ]
    assert rows[1] == ["2026-03", "OPERATOR", "discount", "'=1+1", "1", "USD", "34", "USD", "34"]
    assert sum(int(row[-1]) for row in rows[1:]) == 200
    assert text.endswith("\r\n")


SETTLEMENT = (
    "{ settlement(year: 2026, month: 3) { month csv parties { partner name owed { amount"
    " currencyCode } lines { source points value { amount } } } } }"
)


async def test_staff_see_all_parties_and_a_partners_key_its_own(api: Api) -> None:
    await partner()
    await fund(reward())
    auditor = await api.staff(StaffRole.AUDITOR)
    key = await api.key(Scope.SETTLEMENTS_READ, partner="bakery")
    told: Json = (await api.data(SETTLEMENT, caller=auditor, at=NOW))["settlement"]
    assert [one["partner"] for one in told["parties"]] == [None, "bakery", "dairy"]
    own = (await api.data(SETTLEMENT, caller=key, at=NOW))["settlement"]
    assert own["parties"] == [
        {
            "partner": "bakery",
            "name": "Bakery",
            "owed": usd("0.33"),
            "lines": [{"source": "DISCOUNT", "points": None, "value": {"amount": "0.33"}}],
        }
    ]
    assert len(own["csv"].splitlines()) == 2


@pytest.mark.parametrize("month", [0, 13])
async def test_a_month_that_no_calendar_has_is_refused(api: Api, month: int) -> None:
    auditor = await api.staff(StaffRole.AUDITOR)
    document = f"{{ settlement(year: 2026, month: {month}) {{ month }} }}"
    assert await api.codes(document, caller=auditor, at=NOW) == ["INVALID_INPUT"]


async def test_everybody_sees_who_belongs_to_the_coalition(api: Api) -> None:
    await partner(stores=["9", "10"], website="https://bakery.example")
    told = await api.data("{ partners { key name stores website imageUrl } }", at=NOW)
    assert told["partners"] == [
        {
            "key": "bakery",
            "name": "Bakery",
            "stores": ["10", "9"],
            "website": "https://bakery.example",
            "imageUrl": None,
        }
    ]


async def test_a_payment_at_a_partners_till_is_settled_with_what_comes_back_of_it(
    api: Api,
) -> None:
    await partner("shop")
    member_id = await enrolled("anna")
    await give_points(member_id, 5000)
    till = await api.key(Scope.POINTS_REDEEM, Scope.PURCHASES_WRITE, partner="shop")
    other = await api.key(Scope.POINTS_REDEEM, partner="elsewhere")
    wish: Json = {
        "member": {"externalId": "anna"},
        "points": 1000,
        "basket": {"netMinor": 5000, "currencyCode": "USD"},
    }
    paid = await api.mutate("payWithPoints", wish, till)
    await api.mutate("payWithPoints", wish, other)
    assert await owed(MARCH) == {"": 1000, "shop": -1000}
    bought = await api.record(
        till, lines=[line(salesMinor=4000)], paymentIds=[paid["payment"]["id"]]
    )
    back = return_input(
        purchase={"id": bought["purchaseId"]}, lines=[{"number": 0, "amountMinor": 1000}]
    )
    assert "code" not in await api.mutate("returnPurchase", {"return": back}, till)
    assert await owed(MARCH) == {"": 750, "shop": -750}
    again = await api.mutate("payWithPoints", wish, till)
    await api.mutate("cancelPayment", {"paymentId": again["payment"]["id"]}, till)
    assert await owed(MARCH) == {"": 750, "shop": -750}
