"""Playing: purchases and redemptions, each written down before and after as far as it matters."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from server.programme.document import RedemptionPolicy
from server.replay.checkpoint import PendingRedemptions, State, StateFile
from server.replay.client import Client
from server.replay.errors import ReplayStopped
from server.replay.operations import POINT_BALANCES, RECORD_PURCHASES, REDEEM_POINTS, Answer
from server.replay.policy import chunks, redeeming
from server.replay.steps import Batch, RedemptionRun, Step

HOUSEHOLDS_PER_CHUNK = 500


@dataclass
class Player:
    """Plays steps in order and keeps the state up to date."""

    client: Client
    policy: RedemptionPolicy
    state: State
    file: StateFile
    on_baskets: Callable[[Batch], None]
    households_per_chunk: int = HOUSEHOLDS_PER_CHUNK
    _began: float = field(default_factory=time.monotonic)
    _seconds_before: float = field(init=False)

    def __post_init__(self) -> None:
        self._seconds_before = self.state.seconds

    def play(self, step: Step) -> None:
        """Does one step. Raises ReplayStopped for the first problem in an answer."""
        if isinstance(step, Batch):
            self._record(step)
        else:
            self._redeem(step)

    def _save(self) -> None:
        self.state.seconds = self._seconds_before + time.monotonic() - self._began
        self.file.write(self.state)

    # -- purchases ------------------------------------------------------------------------------

    def _record(self, batch: Batch) -> None:
        key = f"replay-{self.state.replay[:32]}-{batch.first}-{batch.last}"
        variables = b'{"input":{"idempotencyKey":%b,"purchases":[%b]}}' % (
            msgspec.json.encode(key),
            batch.purchases,
        )
        about = _baskets_named(batch)
        data = self.client.execute(RECORD_PURCHASES, variables, at=batch.at, about=about)
        answers = _answers(data.record_purchases, batch.basket_ids, about)
        for basket_id, answer in zip(batch.basket_ids, answers, strict=True):
            if answer.is_problem:
                raise ReplayStopped(f"Basket {basket_id}: {answer.described()}")
        self.state.baskets_done = batch.last + 1
        self._save()
        self.on_baskets(batch)

    # -- redemptions ----------------------------------------------------------------------------

    def _redeem(self, run: RedemptionRun) -> None:
        for number, chunk in enumerate(chunks(run.households, size=self.households_per_chunk)):
            if number >= self.state.chunks_done:
                self._redeem_in(chunk, run, number)
                self.state.chunks_done = number + 1
                self.state.pending = None
                self._save()
        self.state.runs_done = run.number + 1
        self.state.chunks_done = 0
        self._save()

    def _redeem_in(self, chunk: Sequence[str], run: RedemptionRun, number: int) -> None:
        """All rounds of a chunk: redeem where the balance allows it, then look at what is left."""
        pending = self.state.pending
        if pending is None:
            pending = PendingRedemptions(1, list(redeeming(self.policy, self._ask(chunk, run))))
        while pending.households:
            self.state.pending = pending
            self._save()
            after = self._send(pending, run, number)
            if pending.round >= self.policy.max_redemptions_per_run:
                return
            pending = PendingRedemptions(pending.round + 1, list(redeeming(self.policy, after)))

    def _ask(self, chunk: Sequence[str], run: RedemptionRun) -> list[tuple[str, int | None]]:
        """Each household's available points at the start of the day."""
        about = f"Balances on {run.day.date}"
        variables = msgspec.json.encode({"externalIds": chunk})
        data = self.client.execute(POINT_BALANCES, variables, at=run.day.at, about=about)
        available = {balance.external_id: balance.available for balance in data.point_balances}
        for household in chunk:
            if household not in available:
                raise ReplayStopped(f"{about}: the server does not know household {household}.")
        return [(household, available[household]) for household in chunk]

    def _send(
        self, pending: PendingRedemptions, run: RedemptionRun, number: int
    ) -> list[tuple[str, int | None]]:
        """Redeems for each household; returns what each has left, None if it was too little."""
        about = f"Redemptions on {run.day.date}"
        key = f"replay-{self.state.replay[:32]}-{run.day.date}-{number}-{pending.round}"
        redemptions = [
            {"member": {"externalId": household}, "points": self.policy.redeem_points}
            for household in pending.households
        ]
        content = {"input": {"idempotencyKey": key, "redemptions": redemptions}}
        data = self.client.execute(
            REDEEM_POINTS, msgspec.json.encode(content), at=run.day.at, about=about
        )
        answers = _answers(data.redeem_points_for_members, pending.households, about)
        left: list[tuple[str, int | None]] = []
        for household, answer in zip(pending.households, answers, strict=True):
            if answer.is_problem and answer.typename != "InsufficientPoints":
                raise ReplayStopped(f"{about}, household {household}: {answer.described()}")
            left.append((household, answer.points_available_after))
        return left


def _answers(answer: Answer, asked: Sequence[str], about: str) -> list[Answer]:
    """The answers one by one. Raises ReplayStopped if the request as a whole was refused."""
    if answer.is_problem:
        text = f"{about}: {_named(answer, asked)}{answer.described()}"
        if answer.typename == "IdempotencyConflict":
            text += (
                " Another replay of the same baskets was played into this server: continue it from "
                "its own folder, or use a fresh database."
            )
        raise ReplayStopped(text)
    if answer.answers is None or len(answer.answers) != len(asked):
        raise ReplayStopped(f"{about}: the server did not answer each of {len(asked)} entries.")
    return answer.answers


def _named(answer: Answer, asked: Sequence[str]) -> str:
    """The basket or household that a path such as input.purchases.3.lines points at."""
    for part in answer.path or ():
        if part.isdecimal() and int(part) < len(asked):
            return f"{asked[int(part)]}: "
    return ""


def _baskets_named(batch: Batch) -> str:
    first, last = batch.basket_ids[0], batch.basket_ids[-1]
    return f"Basket {first}" if first == last else f"Baskets {first} to {last}"
