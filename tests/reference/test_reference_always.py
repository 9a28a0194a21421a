"""What holds for the reference whatever the programme and the purchases are."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.cases import only
from tests.reference.programme_reference import play
from tests.reference.strategies import baskets, programmes


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_always_holds(data: st.DataObject) -> None:
    programme = data.draw(programmes())
    played = data.draw(baskets(programme))
    outcome = play(programme, played)
    assert sum(month["baskets"] for month in outcome.months) == len(played)
    assert len({basket["household_id"] for basket in played}) == len(outcome.members)
    for member in outcome.members:
        cashback = member["cashback_available_minor"] + member["cashback_pending_minor"]
        assert member["cashback_earned_minor"] == cashback
        assert min(value for value in member.values() if isinstance(value, int)) >= 0
        redeemed = programme["redemption_policy"]["redeem_points"] * member["vouchers_issued"]
        assert member["points_redeemed"] == redeemed
    for field in ("points_earned", "cashback_accrued_minor", "cashback_capped_minor"):
        of_member = field.replace("accrued", "earned")
        by_month = sum(month[field] for month in outcome.months)
        assert by_month == sum(member[of_member] for member in outcome.members)
    for month in outcome.months:
        tiers = sum(count for name, count in month.items() if name in tier_fields(programme))
        enrolled = sum(m["new_members"] for m in outcome.months if m["month"] <= month["month"])
        assert tiers == enrolled


def tier_fields(programme: dict[str, Any]) -> set[str]:
    """The names of the counts of members by tier."""
    return {f"members_{level['name'].lower()}" for level in programme["tiers"]["levels"]}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_order_of_the_file_and_other_members_do_not_matter(data: st.DataObject) -> None:
    programme = data.draw(programmes())
    played = data.draw(baskets(programme, outside=True))
    outcome = play(programme, played)
    assert play(programme, reversed(played)) == outcome
    alone = [
        only(play(programme, [b for b in played if b["household_id"] == member["household_id"]]))
        for member in outcome.members
    ]
    assert alone == outcome.members
