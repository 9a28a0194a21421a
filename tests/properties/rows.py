"""The members as rows of the replay's output."""

from collections.abc import Iterable
from typing import Any

from server import clock
from server.cashback import service as cashback
from server.challenges import service as challenges
from server.ledger import service as ledger
from server.ledger.service import Balance
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.rewards import service as rewards
from server.tiers import service as tiers
from tests.playing import end_of, zone_of
from tests.reference.basket_amounts import Programme


async def member_rows(document: Programme, households: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The members' rows of the replay's output at its end, by household."""
    end, currency = end_of(document), document["programme"]["currency"]
    today = clock.local_day(end, zone_of(document))
    published = (await programme.rulebook()).at(end)
    member_ids = await members.members_by_external_id(households)
    ids = list(member_ids.values())
    if not ids:
        return {}
    balances = await ledger.balances(ids, end)
    holdings = await ledger.holdings(ids, end)
    assert {key: holding.balance for key, holding in holdings.items()} == balances
    views = await tiers.views(ids, published, end)
    accrued = await cashback.totals(ids, today)
    vouchers = await rewards.voucher_counts(ids)
    standings = await challenges.standings(ids, published.programme, today)
    rows: dict[str, dict[str, Any]] = {}
    for household, member_id in member_ids.items():
        points = balances[member_id, POINTS]
        money = balances.get((member_id, currency), Balance())
        months = accrued.get(member_id, cashback.Totals())
        assert months.accrued_minor == money.granted_total
        weekly, departments, month_spend = standings[member_id]
        rows[household] = {
            "household_id": household,
            "points_earned": points.granted_total,
            "points_redeemed": points.redeemed_total,
            "points_expired": points.expired_total,
            "points_available": points.available,
            "points_pending": points.pending,
            "vouchers_issued": vouchers.get(member_id, 0),
            "cashback_earned_minor": months.accrued_minor,
            "cashback_available_minor": money.available,
            "cashback_pending_minor": money.pending,
            "cashback_capped_minor": months.capped_minor,
            "eligible_spend_minor": views[member_id].lifetime_spend_minor,
            "tier": views[member_id].name,
            "tier_changes": views[member_id].change_count,
            "weekly_visits_completed": weekly.completions,
            "streaks_completed": weekly.streak.completions if weekly.streak else 0,
            "departments_completed": departments.completions,
            "month_spend_completed": month_spend.completions,
        }
    return rows
