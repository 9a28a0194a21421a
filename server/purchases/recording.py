"""How a batch of purchases is recorded: look up, lock, reckon in order, write in bulk.

Three exchanges with the database, however many purchases and rules there are, beside the beginning
and the end of the transaction: what was recorded before, and who the members are; the members'
ledger accounts, locked in the order of their ids; what the rules need. Then everything is reckoned
in memory in the order given, and written in one exchange.
"""

from collections.abc import Sequence

import msgspec

from server.cards import service as cards
from server.clock import Instant
from server.enrolment import service as enrolment
from server.errors import DomainError, ExternalIdConflict, NotFound
from server.ledger import service as ledger
from server.members.service import NewMember
from server.money import POINTS
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.purchases import models, paying, rules
from server.purchases.accepted import Accepted
from server.purchases.outcomes import EarnedPoints, EarnedRule, RecordedPurchase, Sent, decoded
from server.purchases.rewarding import Rewarding, earned_by, opened
from server.referrals import service as referrals
from server.storage import outbox, sql
from server.storage.exchange import Asked, Companion, Written, execute_each, fetch_each

Answer = RecordedPurchase | DomainError
_External = tuple[str, str]
"""A partner, and its id of a purchase."""


class Recording:
    """One batch on its way; `answers` runs it."""

    def __init__(
        self, sent: Sequence[Sent], now: Instant, companion: Companion[Answer] | None = None
    ) -> None:
        self._sent = sent
        self._now = now
        self._companion = companion
        self._answers: list[Answer | None] = [None] * len(sent)
        self._left: list[int] = []
        self._hashes: dict[int, str] = {}
        self._first_of: dict[_External, int] = {}
        self._brought: dict[int, sql.Row] = {}
        self._welcomed: dict[int, tuple[PublishedProgramme, Instant]] = {}
        self._purchases: list[sql.Row] = []
        self._lines: list[sql.Row] = []

    async def answers(self) -> list[Answer | None]:
        """Record the batch; an answer for each purchase, in order, None only for those that the
        companion did not leave."""
        sought = cards.SoughtMembers(
            [each.submission.draft.member for each in self._sent], beside=referrals.OPEN_BESIDE
        )
        book, members = await self._look_up(sought)
        accepted = await self._find_members(self._check(book), members)
        if accepted:
            await self._reckon(accepted, book)
        else:
            await execute_each(self._settle())
        return self._answers

    def _settle(self) -> Sequence[Written]:
        """Answer what stands in the batch twice; what the companion wants to be written."""
        for position in self._left:
            self._answers[position] = self._answer(position)
        return [] if self._companion is None else list(self._companion.written(self._answers))

    def _answer(self, position: int) -> Answer:
        answer = self._answers[position]
        if answer is None:
            external = self._external(position)
            first = self._first_of[external]
            if self._hashes[first] != self._hashes[position]:
                return ExternalIdConflict(external[1], path=("externalId",))
            return self._answer(first)
        return answer

    def _external(self, position: int) -> _External:
        sent = self._sent[position]
        return sent.partner, sent.submission.draft.external_id

    async def _look_up(
        self, sought: cards.SoughtMembers
    ) -> tuple[programme.Rulebook, list[cards.Found]]:
        """Ask what was recorded before, answer it, and find the rules and the members."""
        beside = [] if self._companion is None else self._companion.asked
        recorded = self._recorded_asked()
        found = iter(await fetch_each([*beside, *recorded, programme.NEWEST, *sought.asked]))
        answers_beside = [next(found) for _ in beside]
        self._left = list(range(len(self._sent)))
        if self._companion is not None:
            self._left = sorted(self._companion.left(answers_beside))
        for position in self._left:
            self._hashes[position] = rules.content_hash(self._sent[position].submission.draft)
        self._answer_repetitions([row for _ in recorded for row in next(found)])
        book = await programme.rulebook(next(found))
        rest = list(found)
        self._brought = sought.beside(rest)
        return book, sought.found(rest)

    def _recorded_asked(self) -> list[Asked]:
        """What asks which of the purchases were recorded before; one question for each partner."""
        ids: dict[str, set[str]] = {}
        for partner, external_id in map(self._external, range(len(self._sent))):
            if external_id.isprintable():
                ids.setdefault(partner, set()).add(external_id)
        return [models.recorded(partner, known) for partner, known in sorted(ids.items())]

    def _answer_repetitions(self, rows: Sequence[sql.Row]) -> None:
        """Answer what was recorded before."""
        recorded = {(row[0], row[1]): row for row in rows}
        for position in self._left if recorded else ():
            row = recorded.get(self._external(position))
            if row is not None:
                self._answers[position] = (
                    decoded(row[3])
                    if row[2] == self._hashes[position]
                    else ExternalIdConflict(row[1], path=("externalId",))
                )

    def _check(self, book: programme.Rulebook) -> list[Accepted]:
        """The purchases whose values are accepted; the others are answered."""
        checked: list[Accepted] = []
        for position in self._left:
            if self._answers[position] is not None:
                continue
            sent = self._sent[position]
            draft = sent.submission.draft
            published = book.at(draft.occurred_at)
            try:
                amounts = rules.amounts_of(draft, published.programme)
                rules.check(draft, published.programme, amounts, now=self._now)
            except DomainError as error:
                self._answers[position] = error
                continue
            checked.append(Accepted(position, sent, published, amounts))
        return checked

    async def _find_members(
        self, checked: list[Accepted], found: Sequence[cards.Found]
    ) -> list[Accepted]:
        """The purchases whose member is known, or is enrolled now; each external id once."""
        accepted: list[Accepted] = []
        unknown: dict[str, list[Accepted]] = {}
        for each in checked:
            member, external = found[each.position], self._external(each.position)
            external_id = each.submission.draft.member.external_id
            if external in self._first_of:
                continue  # what stands in the batch twice is answered as the first
            if isinstance(member, int):
                each.member_id = member
                accepted.append(each)
            elif (
                isinstance(member, NotFound)
                and each.submission.enrol_if_unknown
                and external_id is not None
                and not each.submission.draft.payment_ids  # nobody pays before joining
            ):
                unknown.setdefault(external_id, []).append(each)
                accepted.append(each)
            else:
                self._answers[each.position] = member.below("member")
                continue
            self._first_of[external] = each.position
        if unknown:
            await self._enrol(unknown)
        return [each for each in accepted if each.member_id]

    async def _enrol(self, unknown: dict[str, list[Accepted]]) -> None:
        newcomers: dict[str, NewMember] = {}
        for external_id, purchases in unknown.items():
            first = purchases[0]
            try:
                newcomers[external_id] = enrolment.checked_newcomer(
                    first.submission.draft.occurred_at, first.published, external_id=external_id
                )
            except DomainError as error:
                for each in purchases:
                    self._answers[each.position] = error.below("member")
        currencies = {
            unknown[external_id][0].published.programme.programme.currency
            for external_id in newcomers
        }
        ids = await enrolment.register(list(newcomers.values()), sorted(currencies))
        for external_id, member_id in zip(newcomers, ids, strict=True):
            for each in unknown[external_id]:
                each.member_id = member_id
            first = unknown[external_id][0]
            self._welcomed[member_id] = (first.published, first.submission.draft.occurred_at)

    async def _reckon(self, accepted: list[Accepted], book: programme.Rulebook) -> None:
        """Lock the members, read what the rules need, reckon each purchase, write everything."""
        assets = {each.terms.currency for each in accepted} | {POINTS}
        members = {each.member_id for each in accepted}
        brought = [self._brought[one] for one in sorted(members & self._brought.keys())]
        inviters = {inviter_id for _id, inviter_id in brought}
        async with ledger.journal(
            members | inviters, sorted(assets), recorded_at=self._now
        ) as journal:
            rewarding = await opened(accepted, book, journal)
            referring = await referrals.opened(journal, {one[0]: one[1] for one in brought})
            payments = await paying.looked_up(accepted)
            for each in accepted:
                try:
                    # Before the welcome points, which it includes: who is enrolled by a purchase
                    # has empty accounts, which take every purchase that `rules.check` accepts.
                    payments.pay_for(each)
                    _check_room(journal, each)
                except DomainError as error:
                    self._answers[each.position] = error
                    continue
                outcome = rewarding.reward(each, *self._welcome(journal, rewarding, each))
                outcome = _referred(referring, each, outcome)
                self._answers[each.position] = outcome
                self._keep(each, outcome)
                payments.attach(each, outcome.purchase_id)
            journal.beside(
                before=[
                    (models.INSERT_PURCHASE, self._purchases),
                    (models.INSERT_LINE, self._lines),
                ],
                after=[*rewarding.writes(), *referring.writes(), *self._settle()],
            )
        await payments.flush()

    def _welcome(
        self, journal: ledger.Journal, rewarding: Rewarding, each: Accepted
    ) -> tuple[bool, list[EarnedPoints]]:
        """Whether the purchase enrols its member, and the welcome points that it then earns."""
        if each.member_id not in self._welcomed:
            return False, []
        published, at = self._welcomed.pop(each.member_id)
        grant = enrolment.welcome(journal, rewarding.levels, each.member_id, published, at)
        return True, [earned_by(EarnedRule.WELCOME, grant)] if grant else []

    def _keep(self, each: Accepted, outcome: RecordedPurchase) -> None:
        content_hash = self._hashes[each.position]
        self._purchases.append(each.row(outcome, content_hash=content_hash, now=self._now))
        self._lines += each.line_rows(outcome.purchase_id)
        outbox.put(
            "purchase.recorded",
            each.member_id,
            outcome.event_facts(each.partner),
            occurred_at=each.submission.draft.occurred_at,
        )


def _referred(
    referring: referrals.Rewarding, each: Accepted, outcome: RecordedPurchase
) -> RecordedPurchase:
    """The outcome with the referral that the purchase counts for, if there is one."""
    bought = referrals.Bought(
        outcome.purchase_id,
        each.submission.draft.occurred_at,
        each.day,
        outcome.eligible_minor,
        each.published,
    )
    referral_id = referring.count(each.member_id, bought)
    if referral_id is None:
        return outcome
    return msgspec.structs.replace(outcome, referral_id=referral_id)


def _check_room(journal: ledger.Journal, each: Accepted) -> None:
    """Raise InvalidInput, before anything is counted, if an account can't hold what is earned."""
    programme_then = each.published.programme
    points = rules.highest_points(each.amounts, programme_then)
    cashback_minor = rules.highest_cashback_minor(each.amounts, programme_then)
    for part in each.submission.offers:
        points += part.points_total
        cashback_minor += part.cashback_total_minor
    try:
        journal.check_room(each.member_id, POINTS, points)
        journal.check_room(each.member_id, each.terms.currency, cashback_minor)
    except DomainError as error:
        raise error.below("lines") from None
