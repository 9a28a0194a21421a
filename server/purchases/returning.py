"""Returning goods: in one transaction everything is undone that the returned part has brought.

Whom it concerns is looked up first; then all their ledger accounts are locked in the order of their
ids, and what is left of the purchase is read. Two returns at once follow each other: the second
sees what the first has left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from tortoise.exceptions import IntegrityError

from server.cashback import service as cashback
from server.clock import Instant
from server.errors import ExternalIdConflict, InvalidInput, NotFound, phrase
from server.ledger import service as ledger
from server.ledger.service import Undone
from server.money import POINTS
from server.payments import service as payments
from server.programme import service as programme
from server.programme.service import Rulebook
from server.purchases import funding, queries, reversal, rules
from server.purchases.keeping import give_back, inviters_of, undo_offers, undo_referral
from server.purchases.outcomes import EarnedRule
from server.purchases.return_outcomes import (
    Refund,
    RestoredValue,
    ReturnDraft,
    ReturnedLine,
    ReturnedPurchase,
    ReversedPoints,
    decoded_return,
    encoded_return,
    return_hash,
)
from server.purchases.reversal import LineState
from server.purchases.rules import PurchasePoints
from server.purchases.stored import (
    PurchaseReference,
    StoredPurchase,
    find,
    line_states,
    stored,
)
from server.purchases.withdrawing import Undoing, withdraw
from server.storage import outbox, sql
from server.storage.ids import new_id
from server.tiers import service as tiers


async def take_back(draft: ReturnDraft, *, partner: str | None, now: Instant) -> ReturnedPurchase:
    """Return goods of a purchase. Writes; call it inside a transaction.

    `partner` None is the operator's staff, who may return what any till sold. The same external id
    with the same content is answered as the first time and changes nothing. Raises InvalidInput,
    NotFound or ExternalIdConflict, with paths below the return.
    """
    rules.check_sent(draft.external_id, draft.occurred_at, now=now)
    purchase = await _purchase(draft.purchase, partner=partner)
    rules.check_returned_after(draft.occurred_at, purchase.occurred_at)
    content_hash = return_hash(draft, purchase.id)
    if first := await _first_answer(draft, purchase.partner, content_hash):
        return first
    returning = _Returning(draft, purchase, content_hash, await programme.rulebook(), now)
    return await returning.outcome()


async def _purchase(reference: PurchaseReference, *, partner: str | None) -> StoredPurchase:
    if partner is None and reference.id is None:
        raise InvalidInput(
            "return.purchase", path=("purchase",), accepted=phrase("accepted.purchase_id")
        )
    found = await find(reference, partner=partner)
    if found is None:
        name = "externalId" if reference.id is None else "id"
        raise NotFound("purchase.not_found", path=("purchase", name))
    return found


async def _first_answer(
    draft: ReturnDraft, partner: str, content_hash: str
) -> ReturnedPurchase | None:
    row = await queries.return_of_partner(partner, draft.external_id)
    if row is None:
        return None
    if row[0] != content_hash:
        raise ExternalIdConflict(draft.external_id, path=("externalId",))
    return decoded_return(row[1])


@dataclass(frozen=True, slots=True)
class _Lines:
    """The purchase's lines before and after the return, and which of them it changes."""

    before: Sequence[LineState]
    after: Sequence[LineState]
    changed: Sequence[int]

    @property
    def net_minor(self) -> int:
        """What comes back of the net."""
        return sum(
            after.returned_minor - before.returned_minor
            for before, after in zip(self.before, self.after, strict=True)
        )

    @property
    def value_minor(self) -> int:
        """What comes back of what was paid with value."""
        return sum(
            after.value_back_minor - before.value_back_minor
            for before, after in zip(self.before, self.after, strict=True)
        )

    def of(self, number: int) -> ReturnedLine:
        """What of one line comes back."""
        before, after = self.before[number], self.after[number]
        return ReturnedLine(
            number,
            after.returned_quantity - before.returned_quantity,
            after.returned_minor - before.returned_minor,
        )


class _Returning:
    """One return on its way; `outcome` runs it."""

    def __init__(
        self,
        draft: ReturnDraft,
        purchase: StoredPurchase,
        content_hash: str,
        book: Rulebook,
        now: Instant,
    ) -> None:
        self._draft = draft
        self._purchase = purchase
        self._hash = content_hash
        self._book = book
        self._now = now
        self._id = new_id()
        self._then = book.numbered(purchase.programme_version)
        self._present = book.at(now)
        self._policy = ledger.ReturnPolicy(self._present.programme.returns.policy.value)

    async def outcome(self) -> ReturnedPurchase:
        """Lock everyone concerned, undo what is to be undone, write it down."""
        member_id, currency = self._purchase.member_id, self._purchase.currency
        family = {member_id, *await queries.duplicates_of(member_id)}
        owners = await payments.paid_by(self._purchase.id) if self._purchase.paid_minor else set()
        inviters = await inviters_of(self._purchase)
        async with ledger.journal(
            family | owners | inviters, [POINTS, currency], recorded_at=self._now
        ) as journal:
            await self._read_again(member_id)
            first = await _first_answer(self._draft, self._purchase.partner, self._hash)
            if first is not None:
                return first  # it has just been made
            undoing = Undoing(journal, member_id, family, self._policy, self._id)
            lines = self._lines(await line_states(self._purchase.id))
            outcome = await self._undo(undoing, lines)
        balances = await ledger.balances([member_id], self._now)
        outcome = msgspec.structs.replace(
            outcome,
            points_available_after=balances[member_id, POINTS].available,
            cashback_available_after_minor=balances[member_id, currency].available,
        )
        await self._keep(outcome)
        return outcome

    async def _read_again(self, member_id: int) -> None:
        row = await queries.purchase(self._purchase.id)
        assert row is not None, "purchases stay"
        self._purchase = stored(row)
        if self._purchase.member_id != member_id:
            # Merged just now: another attempt locks whose it is.
            raise IntegrityError("the purchase has another member")

    def _lines(self, before: Sequence[LineState]) -> _Lines:
        after = list(before)
        changed = reversal.returned(before, self._draft.lines)
        for number, state in changed.items():
            after[number] = state
        return _Lines(before, after, sorted(changed))

    async def _undo(self, undoing: Undoing, lines: _Lines) -> ReturnedPurchase:
        # What had paid comes back first: what was earned is then taken from it, where it was used.
        refund, restored = await self._give_back(undoing.journal, lines)
        rules_then, tier = self._then.programme, self._purchase.outcome.tier_before
        was = reversal.amounts_left(lines.before, rules_then)
        left = reversal.amounts_left(lines.after, rules_then)
        grants = await ledger.granted_by([self._purchase.id])
        points = _difference(
            reversal.points_kept(was, rules_then, tier),
            reversal.points_kept(left, rules_then, tier),
        )
        points_taken = await _undo_grant(
            undoing, grants, ledger.Reason.PURCHASE, POINTS, points.total
        )
        cashback_taken = await self._undo_cashback(undoing, grants, was, left)
        offers = await undo_offers(
            undoing, grants, self._purchase.outcome, lines.before, lines.after
        )
        referral_taken = await undo_referral(undoing, self._purchase, left.eligible_minor)
        spend_minor = was.eligible_minor - left.eligible_minor
        levels = await self._uncount(spend_minor)
        withdrawal = await withdraw(
            undoing, self._purchase, self._then, self._book, after=lines.after
        )
        await self._write(lines, left_eligible_minor=left.eligible_minor)
        # Last of all, for it locks what other members wait for.
        await give_back(self._purchase, lines.before, lines.after)
        await funding.note_return(
            self._purchase,
            lines.after,
            rules_then,
            occurred_at=self._draft.occurred_at,
            now=self._now,
        )
        return ReturnedPurchase(
            return_id=self._id,
            external_id=self._draft.external_id,
            purchase_id=self._purchase.id,
            member_id=self._purchase.member_id,
            currency=self._purchase.currency,
            digits=self._purchase.outcome.digits,
            lines=tuple(lines.of(number) for number in lines.changed),
            refund=refund,
            reversed=(*_by_rule(points), *offers.reversed, *withdrawal.reversed),
            points_taken=points_taken + offers.points_taken + withdrawal.taken,
            cashback_taken=cashback_taken + offers.cashback_taken,
            restored=restored,
            tier_before=levels.before.name,
            tier_after=levels.after,
            withdrawn=withdrawal.withdrawn,
            referral_taken=referral_taken,
        )

    async def _give_back(
        self, journal: ledger.Journal, lines: _Lines
    ) -> tuple[Refund, RestoredValue]:
        """Give back the value that had paid for what is returned."""
        given = payments.GivenBack()
        if lines.value_minor:
            given = await payments.give_back(
                journal,
                await payments.of_purchase(self._purchase.id),
                lines.value_minor,
                returned_by=self._id,
                published=self._present,
                now=self._now,
            )

        def value_of(kind: str) -> int:
            return sum(one.value_minor for one in given.payments if one.kind == kind)

        refund = Refund(
            lines.net_minor, value_of("points"), value_of("cashback"), value_of("voucher")
        )
        restored = RestoredValue(
            given.points.amount,
            given.points.with_grace,
            given.cashback_minor.amount,
            given.voucher_minor,
        )
        return refund, restored

    async def _undo_cashback(
        self,
        undoing: Undoing,
        grants: Sequence[ledger.Granted],
        was: rules.Amounts,
        left: rules.Amounts,
    ) -> Undone:
        rules_then, outcome = self._then.programme, self._purchase.outcome
        day = self._purchase.day(self._then)
        before, after = (
            reversal.cashback_kept(amounts, rules_then, outcome.tier_before, first=outcome.cashback)
            for amounts in (was, left)
        )
        accrued_minor = before.accrued_minor - after.accrued_minor
        capped_minor = before.capped_minor - after.capped_minor
        if not accrued_minor and not capped_minor:
            return Undone()
        undone = await _undo_grant(
            undoing, grants, ledger.Reason.CASHBACK, self._purchase.currency, accrued_minor
        )
        accruing = await cashback.accruing([undoing.member_id], [day], [rules_then])
        accruing.unaccrue(
            undoing.member_id,
            day,
            # What the policy lets the member keep goes on counting towards the caps.
            accrued_minor=accrued_minor - undone.not_recovered,
            capped_minor=capped_minor,
            programme=rules_then,
        )
        await accruing.flush()
        return undone

    async def _uncount(self, spend_minor: int) -> tiers.Evaluated:
        member_id = self._purchase.member_id
        levels = await tiers.reopening(member_id, self._present, self._book)
        evaluated = levels.uncount(
            member_id,
            self._purchase.day(self._then),
            spend_minor,
            published=self._present,
            at=self._now,
        )
        await levels.flush()
        return evaluated

    async def _write(self, lines: _Lines, *, left_eligible_minor: int) -> None:
        purchase = self._purchase
        await sql.execute_many(
            queries.UPDATE_LINE,
            [
                (
                    lines.after[number].returned_quantity,
                    lines.after[number].returned_minor,
                    purchase.id,
                    number,
                )
                for number in lines.changed
            ],
        )
        await sql.execute(
            queries.UPDATE_PURCHASE,
            purchase.returned_net_minor + lines.net_minor,
            purchase.eligible_minor - left_eligible_minor,
            purchase.id,
        )

    async def _keep(self, outcome: ReturnedPurchase) -> None:
        await sql.execute(
            queries.INSERT_RETURN,
            self._id,
            self._purchase.member_id,
            self._purchase.id,
            self._purchase.partner,
            self._draft.external_id,
            self._hash,
            self._draft.occurred_at,
            self._now,
            outcome.refund.net_minor,
            encoded_return(outcome),
        )
        await sql.execute_many(
            queries.INSERT_RETURN_LINE,
            [
                (
                    new_id(),
                    self._purchase.member_id,
                    self._id,
                    line.number,
                    line.quantity,
                    line.amount_minor,
                )
                for line in outcome.lines
            ],
        )
        outbox.put(
            "purchase.returned",
            self._purchase.member_id,
            outcome.event_facts(self._purchase.partner),
            occurred_at=self._draft.occurred_at,
        )


def _difference(before: PurchasePoints, after: PurchasePoints) -> PurchasePoints:
    return PurchasePoints(
        before.base - after.base, before.tier - after.tier, before.category - after.category
    )


def _by_rule(points: PurchasePoints) -> list[ReversedPoints]:
    parts = (
        (EarnedRule.BASE, points.base),
        (EarnedRule.TIER, points.tier),
        (EarnedRule.CATEGORY, points.category),
    )
    return [ReversedPoints(rule, part) for rule, part in parts if part]


async def _undo_grant(
    undoing: Undoing,
    grants: Sequence[ledger.Granted],
    reason: ledger.Reason,
    asset: str,
    amount: int,
) -> Undone:
    """Undo so much of what the purchase was granted for the reason, in one lot."""
    if not amount:
        return Undone()
    [grant] = (grant for grant in grants if grant.reason is reason)
    undone = await undoing.undo(grant, asset, amount)
    assert undone.amount == amount, "a return undoes what was granted and not undone before"
    return undone
