"""What a member's standing in the challenges is told from: the branches of one question."""

from server.storage.parts import Branch

PROGRESS = Branch(
    "challenge progress",
    member="member_id",
    numbers=("period_start", "progress", "completed_at"),
    texts=("challenge",),
    source="FROM challenge_progress WHERE member_id IN ({members}) AND period_start IN ({0}, {1})",
    value_count=2,
)
"""In the periods that start on two days."""

TOTALS = Branch(
    "challenge totals",
    member="member_id",
    numbers=("completion_count", "streak_count"),
    texts=("challenge",),
    source="FROM challenge_totals WHERE member_id IN ({members})",
)

RUNS = Branch(
    "challenge runs",
    member="member_id",
    numbers=("first_period", "last_period", "streak_count"),
    texts=("challenge",),
    source="FROM challenge_runs WHERE member_id IN ({members}) AND last_period >= {0}",
    value_count=1,
)
"""Those that reach a day."""
