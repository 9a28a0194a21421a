"""How a batch of purchases is recorded: look up, lock, reckon in order, write in bulk.

All members' ledger accounts are locked first, in the order of their ids; everything that the rules
need is then read in a few statements for all purchases, reckoned in memory in the order given, and
written in a few statements.
"""

from collections.abc import Sequence

import msgspec

from server import clock
from server.cards import service as cards
from server.cashback import service as cashback
from server.challenges import service as challenges
from server.clock import Instant, LocalDay
from server.enrolment import service as enrolment
from server.errors import DomainError, ExternalIdConflict, NotFound
from server.ledger import service as ledger
from server.members.service import NewMember
from server.money import POINTS
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.purchases import models, paying, rules
from server.purchases.accepted import Accepted
from server.purchases.outcomes import (
    CashbackAccrued,
    EarnedPoints,
    EarnedRule,
    RecordedPurchase,
    Submission,
    decoded,
)
from server.storage import sql
from server.storage.ids import new_id
from server.tiers import service as tiers

Answer = RecordedPurchase | DomainError
PURCHASE_RULE = "purchase"


class Recording:
    """One batch on its way; `answers` runs it."""

    def __init__(self, submissions: Sequence[Submission], partner: str, now: Instant) -> None:
        self._submissions = submissions
        self._partner = partner
        self._now = now
        self._answers: list[Answer | None] = [None] * len(submissions)
        self._hashes = [rules.content_hash(submission.draft) for submission in submissions]
        self._first_of: dict[str, int] = {}
        self._welcomed: dict[int, tuple[PublishedProgramme, Instant]] = {}
        self._purchases: list[sql.Row] = []
        self._lines: list[sql.Row] = []

    async def answers(self) -> list[Answer]:
        """Record the batch; an answer for each purchase, in order."""
        await self._answer_repetitions()
        book = await programme.rulebook()
        accepted = await self._find_members(self._check(book))
        if accepted:
            await self._reckon(accepted, book)
        return [self._answer(position) for position in range(len(self._submissions))]

    def _answer(self, position: int) -> Answer:
        answer = self._answers[position]
        if answer is None:
            draft = self._submissions[position].draft
            first = self._first_of[draft.external_id]
            if self._hashes[first] != self._hashes[position]:
                return ExternalIdConflict(draft.external_id, path=("externalId",))
            return self._answer(first)
        return answer

    async def _answer_repetitions(self) -> None:
        """Answer what was recorded before, and remember what stands in this batch twice."""
        known = {
            submission.draft.external_id
            for submission in self._submissions
            if submission.draft.external_id.isprintable()
        }
        rows = await models.recorded(self._partner, known) if known else ()
        recorded = {row[0]: (row[1], row[2]) for row in rows}
        for position, submission in enumerate(self._submissions):
            external_id = submission.draft.external_id
            if external_id not in recorded:
                continue
            content_hash, outcome = recorded[external_id]
            self._answers[position] = (
                decoded(outcome)
                if content_hash == self._hashes[position]
                else ExternalIdConflict(external_id, path=("externalId",))
            )

    def _check(self, book: programme.Rulebook) -> list[Accepted]:
        """The purchases whose values are accepted; the others are answered."""
        checked: list[Accepted] = []
        for position, submission in enumerate(self._submissions):
            draft = submission.draft
            if self._answers[position] is not None:
                continue
            published = book.at(draft.occurred_at)
            try:
                amounts = rules.amounts_of(draft, published.programme)
                rules.check(draft, published.programme, amounts, now=self._now)
            except DomainError as error:
                self._answers[position] = error
                continue
            checked.append(Accepted(position, submission, published, amounts))
        return checked

    async def _find_members(self, checked: list[Accepted]) -> list[Accepted]:
        """The purchases whose member is known, or is enrolled now; each external id once."""
        references = [each.submission.draft.member for each in checked]
        found = await cards.members_of(references) if references else []
        accepted: list[Accepted] = []
        unknown: dict[str, list[Accepted]] = {}
        for each, member in zip(checked, found, strict=True):
            external_id = each.submission.draft.member.external_id
            if each.submission.draft.external_id in self._first_of:
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
            self._first_of[each.submission.draft.external_id] = each.position
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
        members = {each.member_id for each in accepted}
        days: dict[int, list[LocalDay]] = {}
        for each in accepted:
            days.setdefault(each.member_id, []).append(each.day)
        assets = {each.published.programme.programme.currency for each in accepted} | {POINTS}
        all_days = {each.day for each in accepted}
        async with ledger.journal(members, sorted(assets), recorded_at=self._now) as journal:
            levels = await tiers.counting(days, [each.published for each in accepted], book)
            accruing = await cashback.accruing(
                members, all_days, [each.published.programme for each in accepted]
            )
            progress = await challenges.counting(members, all_days)
            drafts = [each.submission.draft for each in accepted]
            payments = await paying.looked_up(drafts, self._partner)
            for each in accepted:
                try:
                    # Before the welcome points, which it includes: who is enrolled by a purchase
                    # has empty accounts, which take every purchase that `rules.check` accepts.
                    payments.pay_for(each)
                    _check_room(journal, each)
                except DomainError as error:
                    self._answers[each.position] = error
                    continue
                is_new, welcome = self._welcome(journal, levels, each)
                outcome = self._outcome(each, welcome, journal, levels, accruing, progress)
                outcome = msgspec.structs.replace(outcome, enrolled=is_new)
                self._answers[each.position] = outcome
                self._keep(each, outcome)
                payments.attach(each, outcome.purchase_id)
            await sql.execute_many(models.INSERT_PURCHASE, self._purchases)
            await sql.execute_many(models.INSERT_LINE, self._lines)
            await payments.flush()
        await levels.flush()
        await accruing.flush()
        await progress.flush()

    def _welcome(
        self, journal: ledger.Journal, levels: tiers.Counting, each: Accepted
    ) -> tuple[bool, list[EarnedPoints]]:
        """Whether the purchase enrols its member, and the welcome points that it then earns."""
        if each.member_id not in self._welcomed:
            return False, []
        published, at = self._welcomed.pop(each.member_id)
        grant = enrolment.welcome(journal, levels, each.member_id, published, at)
        return True, [_earned(EarnedRule.WELCOME, grant)] if grant else []

    def _outcome(
        self,
        each: Accepted,
        welcome: list[EarnedPoints],
        journal: ledger.Journal,
        levels: tiers.Counting,
        accruing: cashback.Accruing,
        progress: challenges.Counting,
    ) -> RecordedPurchase:
        """Hold one purchase against every rule, in order, and grant what it earns."""
        purchase_id = new_id()
        draft, rules_then = each.submission.draft, each.published.programme
        at = draft.occurred_at
        tier = levels.count(each.member_id, each.published, at, each.amounts.eligible_minor)
        points = rules.points_of(each.amounts, rules_then, tier.before.multiplier_percent)
        earned = welcome + self._grant_points(each, points, journal, purchase_id)
        accrued = self._accrue(each, accruing, journal, purchase_id, tier=tier.before.name)
        facts = challenges.PurchaseFacts(
            at, each.day, each.amounts.eligible_minor, each.amounts.departments
        )
        for completion in progress.count(
            each.member_id, rules_then, facts, purchase_id=purchase_id
        ):
            earned += self._grant_completion(each, completion, journal, purchase_id)
        return RecordedPurchase(
            purchase_id=purchase_id,
            external_id=draft.external_id,
            member_id=each.member_id,
            enrolled=False,
            programme_version=each.published.version,
            currency=rules_then.programme.currency,
            digits=rules_then.programme.minor_unit_digits,
            net_minor=each.amounts.net_minor,
            eligible_minor=each.amounts.eligible_minor,
            points=sum(one.points for one in earned),
            earned=tuple(earned),
            cashback=accrued,
            tier_before=tier.before.name,
            tier_after=tier.after,
            paid_minor=sum(each.paid),
        )

    def _grant_points(
        self,
        each: Accepted,
        points: rules.PurchasePoints,
        journal: ledger.Journal,
        purchase_id: int,
    ) -> list[EarnedPoints]:
        grant = enrolment.points_grant(
            each.published,
            points.total,
            each.submission.draft.occurred_at,
            reason=ledger.Reason.PURCHASE,
            rule=PURCHASE_RULE,
            reference=purchase_id,
            pending_days=each.published.programme.points.purchase_pending_days,
        )
        journal.grant(each.member_id, grant)
        parts = (
            (EarnedRule.BASE, points.base),
            (EarnedRule.TIER, points.tier),
            (EarnedRule.CATEGORY, points.category),
        )
        return [_earned(rule, grant, points=part) for rule, part in parts if part]

    def _accrue(
        self,
        each: Accepted,
        accruing: cashback.Accruing,
        journal: ledger.Journal,
        purchase_id: int,
        *,
        tier: str,
    ) -> CashbackAccrued:
        rules_then, at = each.published.programme, each.submission.draft.occurred_at
        accrual = accruing.accrue(
            each.member_id, each.day, each.amounts.cashback_minor, rules_then, tier=tier
        )
        available_at = enrolment.available_at(
            at, rules_then.cashback.pending_days, rules_then.programme.timezone
        )
        journal.grant(
            each.member_id,
            ledger.Grant(
                asset=rules_then.programme.currency,
                amount=accrual.accrued_minor,
                earned_at=at,
                available_at=available_at,
                expires_at=clock.NEVER,
                reason=ledger.Reason.CASHBACK,
                rule="cashback",
                programme_version=each.published.version,
                reference=purchase_id,
            ),
        )
        return CashbackAccrued(accrual.accrued_minor, accrual.capped_minor, available_at)

    def _grant_completion(
        self,
        each: Accepted,
        completion: challenges.Completion,
        journal: ledger.Journal,
        purchase_id: int,
    ) -> list[EarnedPoints]:
        streak = completion.is_streak
        grant = enrolment.points_grant(
            each.published,
            completion.points,
            each.submission.draft.occurred_at,
            reason=ledger.Reason.STREAK if streak else ledger.Reason.CHALLENGE,
            rule=completion.challenge,
            reference=purchase_id,
        )
        journal.grant(each.member_id, grant)
        rule = EarnedRule.STREAK if streak else EarnedRule.CHALLENGE
        return [_earned(rule, grant, challenge=completion.challenge)]

    def _keep(self, each: Accepted, outcome: RecordedPurchase) -> None:
        content_hash = self._hashes[each.position]
        self._purchases.append(
            each.row(outcome, partner=self._partner, content_hash=content_hash, now=self._now)
        )
        self._lines += each.line_rows(outcome.purchase_id)


def _check_room(journal: ledger.Journal, each: Accepted) -> None:
    """Raise InvalidInput, before anything is counted, if an account can't hold what is earned."""
    programme_then = each.published.programme
    points = rules.highest_points(each.amounts, programme_then)
    cashback_minor = rules.highest_cashback_minor(each.amounts, programme_then)
    try:
        journal.check_room(each.member_id, POINTS, points)
        journal.check_room(each.member_id, programme_then.programme.currency, cashback_minor)
    except DomainError as error:
        raise error.below("lines") from None


def _earned(
    rule: EarnedRule,
    grant: ledger.Grant,
    *,
    points: int | None = None,
    challenge: str | None = None,
) -> EarnedPoints:
    return EarnedPoints(
        rule,
        grant.amount if points is None else points,
        challenge,
        grant.available_at,
        grant.expires_at,
    )
