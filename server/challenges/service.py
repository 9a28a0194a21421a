"""The verbs of challenges: counting purchases, and telling how members stand."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from server import clock
from server.challenges import models, rules
from server.challenges.recounting import Recounting, Withdrawn, recounting
from server.challenges.rules import Challenge, Counted, Progress, PurchaseFacts, Run
from server.challenges.standings import (
    Standing,
    StreakStanding,
    standing_part,
    standings,
    standings_of,
)
from server.clock import Instant, LocalDay
from server.programme.document import Programme
from server.storage import outbox, sql
from server.storage.exchange import Asked, Written
from server.storage.ids import new_id

__all__ = [
    "Completion",
    "Counted",
    "Counting",
    "PurchaseFacts",
    "Recounting",
    "Standing",
    "StreakStanding",
    "Withdrawn",
    "counting",
    "counting_asked",
    "periods_of",
    "recounting",
    "standing_part",
    "standings",
    "standings_of",
]


class Completion(msgspec.Struct, frozen=True):
    """A challenge, or a streak of it, that a purchase completed."""

    challenge: str
    is_streak: bool
    points: int  # less what the member has kept of earlier rewards that were undone


class _Rewarded(msgspec.Struct):
    """What the completions of a challenge gave a member, streaks of it included, and when."""

    points: int = 0
    at: Instant = Instant(0)


class Counting:
    """The challenges of some members within one writing transaction; made by `counting`."""

    def __init__(
        self,
        progress: dict[tuple[int, str, LocalDay], Progress],
        runs: dict[tuple[int, str], list[Run]],
        kept: dict[tuple[int, str], int],
    ) -> None:
        self._progress = progress
        self._runs = runs
        self._kept = kept
        self._less_kept: dict[tuple[int, str], int] = {}
        self._changed: set[tuple[int, str, LocalDay]] = set()
        self._changed_runs: dict[tuple[int, str, LocalDay], Run] = {}
        self._swallowed: set[tuple[int, str, LocalDay]] = set()
        self._totals: dict[tuple[int, str], list[int]] = {}
        self._rewards: dict[tuple[int, str], _Rewarded] = {}

    def count(
        self, member_id: int, programme: Programme, facts: PurchaseFacts, *, purchase_id: int
    ) -> list[Completion]:
        """Count a purchase; what it completed, in the order in which it is rewarded."""
        ignored = programme.challenges.departments.ignored_departments
        completions: list[Completion] = []
        for challenge in rules.challenges_of(programme):
            start = rules.period_start(challenge.period, facts.day)
            key = (member_id, challenge.key, start)
            progress = self._progress.setdefault(key, Progress())
            was = (progress.progress, progress.completed_at)
            if rules.count(challenge, progress, facts, ignored):
                progress.rewarded_by = purchase_id
                points = self._reward(member_id, challenge.key, challenge.reward_points)
                completions.append(Completion(challenge.key, False, points))
                streaks = self._extend_run(member_id, challenge, start)
                for _ in range(streaks if challenge.streak else 0):
                    assert challenge.streak is not None
                    points = self._reward(member_id, challenge.key, challenge.streak.reward_points)
                    completions.append(Completion(challenge.key, True, points))
                total = self._totals.setdefault((member_id, challenge.key), [0, 0])
                total[0] += 1
                total[1] += streaks
                rewarded = self._rewards.setdefault((member_id, challenge.key), _Rewarded())
                rewarded.points += sum(one.points for one in completions[-1 - streaks :])
                rewarded.at = max(rewarded.at, facts.at)
            if was != (progress.progress, progress.completed_at):
                self._changed.add(key)
        return completions

    def _reward(self, member_id: int, challenge: str, points: int) -> int:
        """The points of a reward, less what the member has kept of earlier ones."""
        key = (member_id, challenge)
        kept = min(points, self._kept.get(key, 0))
        if kept:
            self._kept[key] -= kept
            self._less_kept[key] = self._less_kept.get(key, 0) - kept
        return points - kept

    def _extend_run(self, member_id: int, challenge: Challenge, start: LocalDay) -> int:
        if challenge.streak is None:
            return 0
        runs = self._runs.setdefault((member_id, challenge.key), [])
        streaks, run, swallowed = rules.extend_runs(runs, challenge, start)
        self._changed_runs[member_id, challenge.key, run.first_period] = run
        for gone in swallowed:
            key = (member_id, challenge.key, gone.first_period)
            self._changed_runs.pop(key, None)
            self._swallowed.add(key)
        return streaks

    def _put_events(self) -> None:
        for (member_id, challenge), rewarded in self._rewards.items():
            times = self._totals[member_id, challenge][0]
            facts = {"challenge": challenge, "points": rewarded.points, "times": times}
            outbox.put("challenge.completed", member_id, facts, occurred_at=rewarded.at)

    def writes(self) -> list[Written]:
        """What writes what was counted; what was completed is put as events."""
        self._put_events()
        return [
            (
                models.UPSERT_PROGRESS,
                [
                    (
                        new_id(),
                        *key,
                        self._progress[key].progress,
                        rules.stored_counted(self._progress[key]),
                        self._progress[key].completed_at,
                        self._progress[key].rewarded_by,
                    )
                    for key in sorted(self._changed)
                ],
            ),
            (models.DELETE_RUN, sorted(self._swallowed)),
            (
                models.UPSERT_RUN,
                [
                    (new_id(), *key, run.last_period, run.streak_count)
                    for key, run in sorted(self._changed_runs.items())
                ],
            ),
            (
                models.ADD_TO_TOTAL,
                [(new_id(), *key, *total, 0) for key, total in sorted(self._totals.items())],
            ),
            (
                models.TAKE_FROM_TOTAL,
                [(0, 0, change, *key) for key, change in sorted(self._less_kept.items())],
            ),
        ]


def counting_asked(member_ids: Collection[int], days: Iterable[LocalDay]) -> list[Asked]:
    """What `counting` takes the answers to, for purchases of the local days."""
    if not member_ids:
        return []
    wanted = set(days)
    starts = {rules.period_start(period, day) for period in rules.Period for day in wanted}
    first = min(rules.previous_period_start(p, min(starts)) for p in rules.Period)
    last = max(rules.next_period_start(p, max(starts)) for p in rules.Period)
    return [models.progress_asked(member_ids, starts), models.runs_asked(member_ids, first, last)]


def counting(answers: Sequence[Sequence[sql.Row]]) -> Counting:
    """Open the challenges of members for counting purchases, of the answers to `counting_asked`,
    which is asked once the members' ledger accounts are locked."""
    progress: dict[tuple[int, str, LocalDay], Progress] = {}
    kept: dict[tuple[int, str], int] = {}
    runs: dict[tuple[int, str], list[Run]] = {}
    found, touched = (*answers, (), ())[:2]
    for row in found:
        if row[4] == models.KEPT:
            kept[row[0], row[1]] = row[3]
            continue
        counted = rules.read_counted(row[4])
        progress[row[0], row[1], row[2]] = Progress(row[3], counted, row[5], row[6])
    for row in touched:
        runs.setdefault((row[0], row[1]), []).append(Run(*row[2:]))
    return Counting(progress, runs, kept)


class PeriodProgress(msgspec.Struct, frozen=True):
    """A challenge and what a member has counted in the period that a day lies in."""

    key: str
    target: int
    progress: int
    completed_at: Instant | None


async def progress_on(
    days: Iterable[tuple[int, Programme, LocalDay]],
) -> list[list[PeriodProgress]]:
    """For each (member, programme, day): each challenge of the programme with what the member has
    counted by now in the day's period; one statement for all."""
    wanted = list(days)
    starts = {
        rules.period_start(challenge.period, day)
        for _, programme, day in wanted
        for challenge in rules.challenges_of(programme)
    }
    members = [member_id for member_id, _, _ in wanted]
    rows = await models.progress_rows(members, starts) if wanted else ()
    found = {(row[0], row[1], row[2]): (row[3], row[5]) for row in rows}
    return [
        [
            PeriodProgress(
                challenge.key,
                challenge.target,
                *found.get(
                    (member_id, challenge.key, rules.period_start(challenge.period, day)),
                    (0, None),
                ),
            )
            for challenge in rules.challenges_of(programme)
        ]
        for member_id, programme, day in wanted
    ]


def periods_of(programme: Programme, day: LocalDay) -> tuple[LocalDay, LocalDay]:
    """The first local day of the periods that a purchase of the day counts in, and the first one
    after them."""
    starts = [(c.period, rules.period_start(c.period, day)) for c in rules.challenges_of(programme)]
    return (
        min(start for _, start in starts),
        max(rules.next_period_start(period, start) for period, start in starts),
    )


def period_end(standing: Standing, zone_name: str) -> Instant:
    """The instant at which the standing's period ends."""
    return clock.start_of_day(standing.next_period_start, zone_name)
