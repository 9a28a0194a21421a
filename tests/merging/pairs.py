"""Two memberships of one person for tests: what they have, and joining and parting them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import DomainError
from server.ledger import service as ledger
from server.members import service as members
from server.merging import service
from server.merging.service import Merged, Parted, Wish
from server.rewards import service as rewards
from server.storage import sql
from tests.ledger.books import check_books
from tests.purchases.baskets import at

MANAGER = 7
OWNED = (
    "purchases", "purchase_lines", "purchase_returns", "return_lines", "payments", "vouchers",
    "payouts", "adjustments", "coupon_redemptions", "offer_uses", "offer_activations",
    "plan_subscriptions",
    "baskets",
)  # fmt: skip
COUNTED = {
    "tier_states": "level, since, window_spend_minor, lifetime_spend_minor, evaluated_day,"
    " next_drop_day, change_count, programme_version",
    "tier_days": "local_day, spend_minor",
    "tier_changes": "changed_at, level_before, level_after",
    "challenge_progress": "challenge, period_start, progress, counted, completed_at, rewarded_by",
    "challenge_runs": "challenge, first_period, last_period, streak_count",
    "challenge_totals": "challenge, completion_count, streak_count, kept_points",
    "cashback_months": "local_month, accrued_minor, capped_minor",
    "cashback_periods": "period, period_start, accrued_minor",
}


def known_as(external_id: str) -> MemberReference:
    return MemberReference(external_id=external_id)


def when(text: str | Instant) -> Instant:
    return at(text) if isinstance(text, str) else text


async def number(external_id: str) -> int:
    """The member's own id, whomever it leads to."""
    [row] = await sql.fetch("SELECT id FROM members WHERE external_id = $1", external_id)
    return int(row[0])


async def join(duplicate: str, survivor: str, text: str | Instant) -> Merged:
    now = when(text)
    wish = Wish(known_as(duplicate), known_as(survivor), "the same person")
    with clock.moved_to(now):
        async with sql.transaction():
            answer = await service.merge(wish, by=MANAGER, now=now)
    await check_books()
    return answer


async def part(merged: Merged, text: str | Instant) -> Parted:
    now = when(text)
    with clock.moved_to(now):
        async with sql.transaction():
            answer = await service.part(merged.merge.id, "not the same", by=MANAGER, now=now)
    await check_books()
    return answer


async def refused(duplicate: str, survivor: str, text: str) -> DomainError:
    """Why the two can't be joined; nothing is changed by it."""
    before = await everything()
    try:
        await join(duplicate, survivor, text)
    except DomainError as error:
        assert await everything() == before
        return error
    raise AssertionError("it was not refused")


async def redeem(external_id: str, points: int, text: str | Instant) -> None:
    async with sql.transaction():
        wish = rewards.Redemption(known_as(external_id), points)
        await rewards.redeem(wish, now=when(text))
    await check_books()


async def value(external_id: str, text: str | Instant) -> dict[str, Any]:
    """What is left of the member's lots by when it can be used, what is owed, and the balances."""
    member = await number(external_id)
    lots = await sql.fetch(
        "SELECT a.asset, l.expires_at, l.remaining FROM lots l"
        " JOIN ledger_accounts a ON a.id = l.account_id"
        " WHERE l.remaining > 0 AND a.member_id = $1",
        member,
    )
    left: Counter[tuple[str, int]] = Counter()
    for asset, expires_at, remaining in lots:
        left[asset, expires_at] += remaining
    found = await ledger.balances([member], when(text))
    balances = {
        asset: (one.available, one.pending, one.held, one.owed)
        for (_, asset), one in found.items()
        if one.available or one.pending or one.held or one.owed
    }
    return {"left": dict(left), "balances": balances}


async def worth(text: str | Instant, *external_ids: str) -> Counter[str]:
    """What they have together, by asset."""
    total: Counter[str] = Counter()
    ids = [await number(external_id) for external_id in external_ids]
    for (_, asset), one in (await ledger.balances(ids, when(text))).items():
        total[asset] += one.available + one.pending + one.held
    return total


async def counted(external_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """The member's tier, challenges and cashback, as they are stored."""
    member = await number(external_id)
    return {
        table: sorted(
            tuple(row)
            for row in await sql.fetch(
                f"SELECT {columns} FROM {table} WHERE member_id = $1",  # noqa: S608 - ours
                member,
            )
        )
        for table, columns in COUNTED.items()
    }


async def owned(external_id: str) -> dict[str, list[int]]:
    """The ids of the rows that are the member's."""
    member = await number(external_id)
    return {
        table: [
            row[0]
            for row in await sql.fetch(
                f"SELECT id FROM {table} WHERE member_id = $1 ORDER BY id",  # noqa: S608 - ours
                member,
            )
        ]
        for table in OWNED
    }


async def state(external_id: str, text: str | Instant) -> dict[str, Any]:
    """All that a merge may change of a member."""
    found = await members.members_by_external_id([external_id])
    return {
        "value": await value(external_id, text),
        "counted": await counted(external_id),
        "owned": await owned(external_id),
        "leads_to_itself": found[external_id] == await number(external_id),
    }


async def everything() -> dict[str, Sequence[sql.Row]]:
    tables = (*OWNED, *COUNTED, "members", "ledger_accounts", "lots", "postings", "merges")
    return {
        table: [tuple(row) for row in await sql.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        for table in (*tables, "household_members", "households", "cards")
    }
