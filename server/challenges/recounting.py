"""Counting anew what a member has completed, when a purchase is returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.challenges import models, rules
from server.challenges.rules import Challenge, Counted, Progress, Run
from server.clock import LocalDay
from server.programme.document import Programme
from server.storage import sql
from server.storage.ids import new_id


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A completion, or a streak, that no longer holds."""

    challenge: str
    is_streak: bool
    period_start: LocalDay
    first_period: LocalDay  # of a streak: where the run began that it was of
    next_period_start: LocalDay  # of a streak: after that run
    rewarded_by: int | None  # of a completion: the purchase whose lot is the reward
    points: int  # what the reward was worth, kept points included
    streaks_left: int = 0  # of a streak: how many that run's periods still hold


class Recounting:
    """A member's challenges in the periods of one purchase, within one writing transaction; made by
    `recounting`."""

    def __init__(
        self,
        member_id: int,
        day: LocalDay,
        progress: dict[tuple[str, LocalDay], Progress],
        runs: dict[str, list[Run]],
    ) -> None:
        self._member_id = member_id
        self._day = day
        self._progress = progress
        self._runs = runs
        self._stored_runs = {
            (key, run.first_period) for key, several in runs.items() for run in several
        }
        self._broken: set[str] = set()
        self._changed: set[tuple[str, LocalDay]] = set()
        self._totals: dict[str, list[int]] = {}

    def recount(
        self,
        programme: Programme,
        purchases: Sequence[Counted],
        versions: Mapping[int, Programme],
    ) -> list[Withdrawn]:
        """Count the periods anew from what is left of the member's purchases, in the order in which
        they were recorded; which completions no longer hold, in the programme's order, each with
        its streaks after it.

        `programme` is that of the returned purchase; `versions` has those of all purchases of its
        periods, returned ones included. A completion that others uphold stays with its reward. A
        return completes nothing.
        """
        withdrawn: list[Withdrawn] = []
        for challenge in rules.challenges_of(programme):
            start = rules.period_start(challenge.period, self._day)
            was = self._progress.get((challenge.key, start))
            if was is None:
                continue
            now = rules.recounted(challenge.key, start, purchases)
            if was.completed_at is None:
                now.completed_at = None
            elif now.completed_at is None:
                by = None if was.rewarded_by is None else versions.get(was.rewarded_by)
                withdrawn += self._withdraw(challenge, start, was, by or programme)
            else:
                now.rewarded_by = was.rewarded_by
            if now != was:
                self._progress[challenge.key, start] = now
                self._changed.add((challenge.key, start))
        return withdrawn

    def _withdraw(
        self, challenge: Challenge, start: LocalDay, was: Progress, programme: Programme
    ) -> list[Withdrawn]:
        rewarded = next(c for c in rules.challenges_of(programme) if c.key == challenge.key)
        after = rules.next_period_start(challenge.period, start)
        gone = [
            Withdrawn(
                challenge.key, False, start, start, after, was.rewarded_by, rewarded.reward_points
            )
        ]
        if rewarded.streak is not None:
            runs = self._runs.setdefault(challenge.key, [])
            streaks, run = rules.shorten_runs(runs, rewarded, start)
            if run is not None:
                self._broken.add(challenge.key)
                after = rules.next_period_start(challenge.period, run.last_period)
                left = sum(
                    part.streak_count
                    for part in runs
                    if run.first_period <= part.first_period <= run.last_period
                )
                gone += [
                    Withdrawn(
                        *(challenge.key, True, start, run.first_period, after, None),
                        rewarded.streak.reward_points,
                        left,
                    )
                ] * streaks
        total = self._totals.setdefault(challenge.key, [0, 0, 0])
        total[0] += 1
        total[1] += len(gone) - 1
        return gone

    def keep(self, challenge: str, points: int) -> None:
        """Remember points of a withdrawn reward that the member has kept: they are taken off the
        next rewards of the challenge."""
        self._totals[challenge][2] += points

    async def flush(self) -> None:
        """Write what was counted anew."""
        await sql.execute_many(
            models.UPSERT_PROGRESS,
            [
                (
                    new_id(),
                    self._member_id,
                    *key,
                    self._progress[key].progress,
                    rules.stored_counted(self._progress[key]),
                    self._progress[key].completed_at,
                    self._progress[key].rewarded_by,
                )
                for key in sorted(self._changed)
            ],
        )
        runs = {(key, run.first_period): run for key in self._broken for run in self._runs[key]}
        gone = {key for key in self._stored_runs - runs.keys() if key[0] in self._broken}
        await sql.execute_many(models.DELETE_RUN, [(self._member_id, *key) for key in sorted(gone)])
        await sql.execute_many(
            models.UPSERT_RUN,
            [
                (new_id(), self._member_id, *key, run.last_period, run.streak_count)
                for key, run in sorted(runs.items())
            ],
        )
        await sql.execute_many(
            models.TAKE_FROM_TOTAL,
            [(*total, self._member_id, key) for key, total in sorted(self._totals.items())],
        )


async def recounting(member_id: int, day: LocalDay) -> Recounting:
    """Open the member's challenges in the periods of the local day, to count them anew.

    The member's ledger accounts are locked by the caller.
    """
    starts = {rules.period_start(period, day) for period in rules.Period}
    progress = {
        (row[1], LocalDay(row[2])): Progress(row[3], rules.read_counted(row[4]), row[5], row[6])
        for row in await models.progress_rows([member_id], starts)
        if row[4] != models.KEPT
    }
    runs: dict[str, list[Run]] = {}
    for row in await models.runs_touching([member_id], min(starts), max(starts)):
        runs.setdefault(row[1], []).append(Run(*row[2:]))
    return Recounting(member_id, day, progress, runs)
