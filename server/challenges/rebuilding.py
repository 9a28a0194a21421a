"""Counting all of a member's challenges anew, when memberships are joined or parted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from server.challenges import models, rules
from server.challenges.rules import Challenge, Counted, Progress, Run
from server.clock import LocalDay
from server.storage import sql
from server.storage.ids import new_id


@dataclass(slots=True)
class _Rebuilt:
    """What the purchases so far have made."""

    progress: dict[tuple[str, LocalDay], Progress] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    totals: dict[str, list[int]] = field(default_factory=dict)  # completions, streaks

    def count(
        self, purchase: Counted, challenge: Challenge, rewarded: Collection[tuple[str, int]]
    ) -> None:
        start = rules.period_start(challenge.period, purchase.facts.day)
        key = (challenge.key, start)
        progress = self.progress.setdefault(key, Progress())
        ignored = purchase.programme.challenges.departments.ignored_departments
        if rules.count(challenge, progress, purchase.facts, ignored):
            streaks = 0
            if challenge.streak is not None:
                runs = self.runs.setdefault(challenge.key, [])
                streaks, _run, _swallowed = rules.extend_runs(runs, challenge, start)
            total = self.totals.setdefault(challenge.key, [0, 0])
            total[0] += 1
            total[1] += streaks
        if progress.rewarded_by is None and (challenge.key, purchase.purchase_id) in rewarded:
            progress.rewarded_by = purchase.purchase_id


async def rewards_noted(member_ids: Collection[int]) -> set[tuple[str, int]]:
    """(challenge, purchase) of the completions of the members that purchases were rewarded for."""
    values = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT challenge, rewarded_by FROM challenge_progress"  # noqa: S608 - placeholders
        f" WHERE member_id IN ({sql.placeholders(len(values))}) AND rewarded_by IS NOT NULL",
        *values,
    )
    return {(row[0], row[1]) for row in rows}


async def kept_points(member_id: int) -> dict[str, int]:
    """What the member has kept of withdrawn rewards, by challenge; without zeros."""
    rows = await sql.fetch(
        "SELECT challenge, kept_points FROM challenge_totals"
        " WHERE member_id = $1 AND kept_points > 0",
        member_id,
    )
    return {row[0]: row[1] for row in rows}


async def rebuild(
    member_id: int,
    purchases: Sequence[Counted],
    *,
    rewarded: Collection[tuple[str, int]],
    kept: Mapping[str, int],
) -> None:
    """Put the member's progress, runs and totals as these purchases make them, in the order in
    which they were recorded, each by its own version's definition.

    Nothing is granted: a period that the purchases complete only together counts as completed,
    without a reward. `rewarded` has (challenge, purchase) of the rewards that were granted; those
    of the purchases stay noted. `kept` is what the member has kept of withdrawn rewards. The
    member's ledger accounts are locked by the caller.
    """
    rebuilt = _Rebuilt()
    for purchase in purchases:
        for challenge in rules.challenges_of(purchase.programme):
            rebuilt.count(purchase, challenge, rewarded)
    await _replace(member_id, rebuilt, kept)


async def _replace(member_id: int, rebuilt: _Rebuilt, kept: Mapping[str, int]) -> None:
    for table in ("challenge_progress", "challenge_runs", "challenge_totals"):
        await sql.execute(f"DELETE FROM {table} WHERE member_id = $1", member_id)  # noqa: S608
    await sql.execute_many(
        models.UPSERT_PROGRESS,
        [
            (
                new_id(),
                member_id,
                *key,
                progress.progress,
                rules.stored_counted(progress),
                progress.completed_at,
                progress.rewarded_by if progress.completed_at is not None else None,
            )
            for key, progress in sorted(rebuilt.progress.items())
            if progress.progress or progress.completed_at is not None
        ],
    )
    await sql.execute_many(
        models.UPSERT_RUN,
        [
            (new_id(), member_id, key, run.first_period, run.last_period, run.streak_count)
            for key, runs in sorted(rebuilt.runs.items())
            for run in runs
        ],
    )
    await sql.execute_many(
        models.ADD_TO_TOTAL,
        [
            (new_id(), member_id, key, *rebuilt.totals.get(key, (0, 0)), kept.get(key, 0))
            for key in sorted(rebuilt.totals.keys() | kept.keys())
        ],
    )
