"""Tables of challenges, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField


class ChallengeProgress(Model):
    """A member's progress in one challenge and one period (a week or a month)."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    period_start = fields.IntField()  # local day
    progress = fields.BigIntField()
    counted = fields.TextField()  # what was counted: days or departments, as JSON; empty for sums
    completed_at = InstantField(null=True)
    rewarded_by = fields.BigIntField(null=True)  # the purchase whose lot is the reward

    class Meta:
        """Table."""

        table = "challenge_progress"
        unique_together = (("member_id", "challenge", "period_start"),)
        constraints = (CheckConstraint(check="progress >= 0", name="challenge_progress_progress"),)


class ChallengeRun(Model):
    """Periods in a row in which a member completed a challenge, and the streaks they gave."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    first_period = fields.IntField()  # local day on which the run's first period starts
    last_period = fields.IntField()  # local day on which the run's last period starts
    streak_count = fields.IntField()

    class Meta:
        """Table."""

        table = "challenge_runs"
        unique_together = (("member_id", "challenge", "first_period"),)
        constraints = (
            CheckConstraint(check="first_period <= last_period", name="challenge_runs_periods"),
            CheckConstraint(check="streak_count >= 0", name="challenge_runs_streak_count"),
        )


class ChallengeTotal(Model):
    """How often a member has completed a challenge, and its streak, so far."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    challenge = fields.CharField(64)
    completion_count = fields.IntField()
    streak_count = fields.IntField()
    kept_points = fields.BigIntField()  # of rewards undone but not recovered: off the next ones

    class Meta:
        """Table."""

        table = "challenge_totals"
        unique_together = (("member_id", "challenge"),)
        constraints = (
            CheckConstraint(
                check="completion_count >= 0 AND streak_count >= 0 AND kept_points >= 0",
                name="challenge_totals_counts",
            ),
        )


PROGRESS_COLUMNS = (
    "member_id, challenge, period_start, progress, counted, completed_at, rewarded_by"
)
RUN_COLUMNS = "member_id, challenge, first_period, last_period, streak_count"
UPSERT_PROGRESS = sql.insert(
    "challenge_progress",
    f"id, {PROGRESS_COLUMNS}",
    otherwise="ON CONFLICT (member_id, challenge, period_start) DO UPDATE SET"
    " progress = excluded.progress, counted = excluded.counted,"
    " completed_at = excluded.completed_at, rewarded_by = excluded.rewarded_by",
)
UPSERT_RUN = sql.insert(
    "challenge_runs",
    f"id, {RUN_COLUMNS}",
    otherwise="ON CONFLICT (member_id, challenge, first_period) DO UPDATE SET"
    " last_period = excluded.last_period, streak_count = excluded.streak_count",
)
DELETE_RUN = (
    "DELETE FROM challenge_runs WHERE member_id = $1 AND challenge = $2 AND first_period = $3"
)
ADD_TO_TOTAL = sql.insert(
    "challenge_totals",
    "id, member_id, challenge, completion_count, streak_count, kept_points",
    otherwise="ON CONFLICT (member_id, challenge) DO UPDATE SET"
    " completion_count = challenge_totals.completion_count + excluded.completion_count,"
    " streak_count = challenge_totals.streak_count + excluded.streak_count,"
    " kept_points = challenge_totals.kept_points + excluded.kept_points",
)
# An upsert of numbers below 0 would break the table's checks before it finds the row.
TAKE_FROM_TOTAL = (
    "UPDATE challenge_totals SET completion_count = completion_count - $1,"
    " streak_count = streak_count - $2, kept_points = kept_points + $3"
    " WHERE member_id = $4 AND challenge = $5"
)

KEPT = "kept"
"""The text of the rows that tell kept points and no progress."""


def progress_asked(member_ids: Iterable[int], period_starts: Iterable[int]) -> Asked:
    """What asks for PROGRESS_COLUMNS of the members in the periods; and, of each challenge of
    theirs of which they have kept points, for a row with those as its progress and with the text
    KEPT."""
    members, starts = sql.padded(member_ids), sql.padded(period_starts)
    wanted = sql.placeholders(len(members))
    return (
        f"SELECT {PROGRESS_COLUMNS} FROM challenge_progress"
        f" WHERE member_id IN ({wanted})"
        f" AND period_start IN ({sql.placeholders(len(starts), len(members) + 1)})"
        f" UNION ALL SELECT member_id, challenge, 0, kept_points, '{KEPT}', NULL, NULL"
        f" FROM challenge_totals WHERE member_id IN ({wanted}) AND kept_points > 0",
        (*members, *starts),
    )


async def progress_rows(
    member_ids: Iterable[int], period_starts: Iterable[int]
) -> Sequence[sql.Row]:
    """What `progress_asked` asks for."""
    statement, values = progress_asked(member_ids, period_starts)
    return await sql.fetch(statement, *values)


def runs_asked(member_ids: Iterable[int], first_day: int, last_day: int) -> Asked:
    """What asks for RUN_COLUMNS of the members' runs that reach into the span of local days."""
    members = sql.padded(member_ids)
    count = len(members)
    return (
        f"SELECT {RUN_COLUMNS} FROM challenge_runs"
        f" WHERE member_id IN ({sql.placeholders(count)})"
        f" AND last_period >= ${count + 1} AND first_period <= ${count + 2}",
        (*members, first_day, last_day),
    )


async def runs_touching(
    member_ids: Iterable[int], first_day: int, last_day: int
) -> Sequence[sql.Row]:
    """What `runs_asked` asks for."""
    statement, values = runs_asked(member_ids, first_day, last_day)
    return await sql.fetch(statement, *values)
