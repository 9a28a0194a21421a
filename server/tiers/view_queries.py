"""What a member's tier is told from: the branches of one question."""

from server.storage.parts import Branch

STATES = Branch(
    "tier states",
    member="member_id",
    numbers=(
        "since",
        "window_spend_minor",
        "lifetime_spend_minor",
        "evaluated_day",
        "next_drop_day",
        "change_count",
        "programme_version",
    ),
    texts=("level",),
    source="FROM tier_states WHERE member_id IN ({members})",
)

DAYS = Branch(
    "tier days",
    member="d.member_id",
    numbers=("d.local_day", "d.spend_minor"),
    source="FROM tier_states s JOIN tier_days d ON d.member_id = s.member_id"
    " AND d.local_day > s.evaluated_day - {2} WHERE s.member_id IN ({members})"
    " AND (s.next_drop_day <= {0} OR s.evaluated_day <= {1})",
    value_count=3,
)
"""Of members whose tier may have changed by today ({0}) by time alone, or because the version took
effect on a day ({1}): the days in the window, which is {2} days long."""
