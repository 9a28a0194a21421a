"""Bugs in what members, tills and staff do: returns, payments, gifts, households, payouts."""

from tests.mutants.mutant import Mutant

_REVERSAL = "server/purchases/reversal.py"
_WITHDRAWING = "server/purchases/withdrawing.py"
_ATTACHING = "server/payments/attaching.py"
_PAYOUTS = "server/payouts/service.py"
_OF_RETURNS = "tests/purchases/test_returns.py"
_OF_PAID = "tests/purchases/test_paid_with_value.py"
_NEVER_MINT = (
    "tests/purchases/test_returns_properties.py"
    "::test_challenges_completed_again_never_mint_whatever_the_policy[sqlite]"
)

DOMAINS: tuple[Mutant, ...] = (
    Mutant(
        name="whole-line-for-a-unit",
        what="returning one unit gives back the money of the whole line",
        file=_REVERSAL,
        original="after = _of_units_minor(state, state.returned_quantity + quantity)",
        bug="after = _of_units_minor(state, state.line.quantity)",
        tests=(f"{_OF_RETURNS}::test_units_come_back_one_by_one_and_the_rest_at_last",),
    ),
    Mutant(
        name="units-rounded-one-by-one",
        what="the last unit that is returned doesn't give back what rounding has left",
        file=_REVERSAL,
        original="returned = state.returned_minor + after - before",
        bug="returned = state.returned_minor + _of_units_minor(state, quantity)",
        tests=(f"{_OF_RETURNS}::test_units_come_back_one_by_one_and_the_rest_at_last",),
    ),
    Mutant(
        name="return-mints-cashback",
        what="what a cap had cut off a purchase's cashback is kept when a part is returned",
        file=_REVERSAL,
        original="accrued = min(first.accrued_minor, earned)",
        bug="accrued = earned",
        tests=(f"{_OF_RETURNS}::test_the_month_has_room_for_cashback_again",),
    ),
    Mutant(
        name="challenge-not-withdrawn",
        what="a challenge that no longer holds after a return leaves its reward with the member",
        file=_WITHDRAWING,
        original="undone = await self._undoing.undo(grant, POINTS, grant.amount)",
        bug="undone = Undone()",
        tests=(f"{_OF_RETURNS}::test_units_come_back_one_by_one_and_the_rest_at_last",),
    ),
    Mutant(
        name="kept-points-not-noted",
        what="what a member has kept of a withdrawn reward is forgotten: completing it again mints",
        file=_WITHDRAWING,
        original="            self._recounting.keep(gone.challenge, stayed)\n",
        bug="            pass\n",
        tests=(_NEVER_MINT,),
    ),
    Mutant(
        name="kept-points-not-taken-off",
        what="the next reward of a challenge is paid in full, whatever was kept of the last",
        file="server/challenges/service.py",
        original="return points - kept",
        bug="return points",
        tests=(_NEVER_MINT,),
    ),
    Mutant(
        name="tier-not-lowered",
        what="returned spend still counts for the tier",
        file="server/purchases/returning.py",
        original="await self._uncount(spend_minor)",
        bug="await self._uncount(0)",
        tests=(f"{_OF_RETURNS}::test_the_tier_falls_and_what_it_gave_to_others_stands",),
    ),
    Mutant(
        name="cashback-month-not-lowered",
        what="cashback that was taken back still counts towards the month's cap",
        file="server/cashback/rules.py",
        original="    month.accrued_minor = max(0, month.accrued_minor - accrued_minor)\n",
        bug="",
        tests=(f"{_OF_RETURNS}::test_the_month_has_room_for_cashback_again",),
    ),
    Mutant(
        name="cashback-spans-not-lowered",
        what="cashback that was taken back still counts towards the caps of other spans",
        file="server/cashback/rules.py",
        original="period.accrued_minor = max(0, period.accrued_minor - accrued_minor)",
        bug="period.accrued_minor = max(0, period.accrued_minor)",
        tests=("tests/cashback/test_caps.py::test_what_is_taken_back_makes_room_in_every_span",),
    ),
    Mutant(
        name="paid-value-earns",
        what="what a basket was paid with in points earns points",
        file="server/purchases/rules.py",
        original="earning = nets if earns else [",
        bug="earning = nets if not earns else [",
        tests=(f"{_OF_PAID}::test_what_was_paid_for_earns_nothing_and_comes_back_by_lines",),
    ),
    Mutant(
        name="paid-value-not-given-back",
        what="a return gives back money alone, and keeps the points that had paid",
        file=_REVERSAL,
        original="return floor_share(self.paid_minor, self.returned_minor, self.net_minor)",
        bug="return 0",
        tests=(f"{_OF_PAID}::test_what_was_paid_for_earns_nothing_and_comes_back_by_lines",),
    ),
    Mutant(
        name="voucher-not-given-back",
        what="a voucher that had paid for returned goods stays used",
        file=_ATTACHING,
        original="        await rewards.refill(payment.voucher_id, amount)\n",
        bug="",
        tests=("tests/payments/test_cancelling.py::test_cashback_and_vouchers_come_back",),
    ),
    Mutant(
        name="first-payment-given-back-first",
        what="a return gives back the first payment first, not the last",
        file=_ATTACHING,
        original="for payment in reversed(payments):",
        bug="for payment in payments:",
        tests=("tests/payments/test_purchases.py::test_the_last_payment_comes_back_first",),
    ),
    Mutant(
        name="gift-limit-off-by-one",
        what="the last point that a day's limit allows can't be given",
        file="server/transfers/rules.py",
        original="if given_today + points > limit:",
        bug="if given_today + points >= limit:",
        tests=("tests/transfers/test_service.py::test_the_limit_of_a_local_day",),
    ),
    Mutant(
        name="gift-limit-read-before-the-lock",
        what="two gifts at once each see the whole of the day's limit",
        file="server/transfers/service.py",
        original="    async with ledger.journal([giver, receiver], [POINTS], recorded_at=now)"
        " as journal:\n"
        "        # Read under the giver's lock: two gifts at once can't both have what is left of"
        " the day.\n"
        "        given_today = await models.given_on(giver, POINTS, gift.local_day)\n",
        bug="    given_today = await models.given_on(giver, POINTS, gift.local_day)\n"
        "    async with ledger.journal([giver, receiver], [POINTS], recorded_at=now)"
        " as journal:\n",
        tests=(
            "tests/transfers/test_limit_at_once.py"
            "::test_a_gift_that_waits_counts_what_the_other_has_given[postgres]",
        ),
    ),
    Mutant(
        name="contributor-spends-the-pool",
        what="who only contributes to a household may spend everybody's points",
        file="server/households/service.py",
        original="if household.roles[member_id] is HouseholdRole.CONTRIBUTOR:",
        bug="if member_id not in household.roles:",
        tests=("tests/households/test_service.py::test_who_may_not_spend_has_no_pool",),
    ),
    Mutant(
        name="pool-not-read-again",
        what="points of who has just left a household are spent by those who stay",
        file="server/rewards/pooling.py",
        original="return tuple(one for one in members if one in present)",
        bug="return members if present else ()",
        tests=(
            "tests/households/test_read_again.py"
            "::test_a_till_that_waits_for_who_leaves_spends_nothing_of_theirs[postgres]",
        ),
    ),
    Mutant(
        name="invitation-not-read-again",
        what="two who use one invitation at once both get in",
        file="server/households/service.py",
        original="invitation = await models.invitation(hashed)  # as it stands under",
        bug="invitation = row  # as it stood before",
        tests=(
            "tests/households/test_read_again.py::test_of_two_who_wait_with_one_code_one_gets_in[postgres]",
        ),
    ),
    Mutant(
        name="rejected-payout-not-released",
        what="the cashback of a rejected payout stays held for ever",
        file=_PAYOUTS,
        original="        _check_decision(payout, PayoutStatus.REJECTED, by=by)\n"
        "        await ledger.release(journal, payout.hold_id)\n",
        bug="        _check_decision(payout, PayoutStatus.REJECTED, by=by)\n",
        tests=("tests/payouts/test_transitions.py::test_where_the_cashback_is",),
    ),
    Mutant(
        name="payout-decided-by-who-asked",
        what="who of the staff asked for a payout may approve it as well",
        file=_PAYOUTS,
        original="if payout.requested_by == by:",
        bug="if payout.member_id == by:",
        tests=(
            "tests/payouts/test_transitions.py"
            "::test_who_asked_on_the_members_behalf_does_not_decide",
        ),
    ),
    Mutant(
        name="adjustment-decided-by-who-asked",
        what="who of the staff asked for an adjustment may approve it as well",
        file="server/adjustments/service.py",
        original="if found.requested_by == by:",
        bug="if found.decided_by == by:",
        tests=("tests/api/test_adjustments.py::test_nobody_decides_what_they_have_asked_for",),
    ),
    Mutant(
        name="adjustment-in-parts-passes",
        what="an adjustment above the limit needs no second person if it is made in parts",
        file="server/adjustments/rules.py",
        original="return abs(amount) + applied_today <= limit",
        bug="return abs(amount) <= limit",
        tests=("tests/api/test_adjustments.py::test_parts_count_together_on_one_local_day",),
    ),
    Mutant(
        name="audit-skips-the-head",
        what="the audit doesn't compare where a journal ends with what its account says",
        file="server/audit/journals.py",
        original="expected=self._hash, found=account[4]",
        bug="expected=account[4], found=account[4]",
        tests=("tests/audit/test_audit.py::test_every_tampering_is_found_in_its_row[sqlite]",),
    ),
    Mutant(
        name="audit-believes-the-hash",
        what="the audit follows the chain of hashes without reckoning them",
        file="server/audit/journals.py",
        original="hashed = chained_hash(self._hash, posting[1:-1])",
        bug="hashed = posting[15]",
        tests=("tests/audit/test_audit.py::test_every_tampering_is_found_in_its_row[sqlite]",),
    ),
    Mutant(
        name="returns-of-other-partners",
        what="a till returns what another partner has sold",
        file="server/purchases/returning.py",
        original="found = await find(reference, partner=partner)",
        bug="found = await find(reference, partner=None)",
        tests=(f"{_OF_RETURNS}::test_only_its_partner_and_staff_return_a_purchase",),
    ),
    Mutant(
        name="payments-of-other-partners",
        what="a till cancels what was paid at another partner's",
        file="server/payments/cancelling.py",
        original="if payment is None or partner not in (payment.partner, None):",
        bug="if payment is None:",
        tests=("tests/payments/test_cancelling.py::test_another_tills_payment_looks_like_none",),
    ),
    Mutant(
        name="any-staff-may",
        what="a field for managers is open to all of the staff",
        file="server/edge/permissions.py",
        original="return principal.staff_role in self.roles",
        bug="return bool(self.roles)",
        tests=("tests/api/test_access.py::test_exactly_those_named_get_past_the_guard",),
    ),
    Mutant(
        name="returns-open-to-any-key",
        what="a key without the scope of purchases may return them",
        file="server/purchases/return_mutation.py",
        original="access(Scope.PURCHASES_WRITE, roles",
        bug="access(*Scope, roles",
        tests=("tests/api/test_access.py::test_exactly_those_named_get_past_the_guard",),
    ),
)
