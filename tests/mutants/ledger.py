"""Bugs in the ledger: what is there, what is spent, held, undone and given back."""

from tests.mutants.mutant import Mutant

_RULES = "server/ledger/rules.py"
_JOURNAL = "server/ledger/journal.py"
_HOLDS = "server/ledger/holds.py"
_UNDOING = "server/ledger/undoing.py"
_QUERIES = "server/ledger/queries.py"
_OF_RULES = "tests/ledger/test_rules.py"

LEDGER: tuple[Mutant, ...] = (
    Mutant(
        name="shares-rounded-up",
        what="a share is rounded up, so that parts add up to more than the whole",
        file="server/money.py",
        original="return amount * numerator // denominator",
        bug="return -(-amount * numerator // denominator)",
        tests=("tests/test_money.py::test_a_share_is_rounded_down",),
    ),
    Mutant(
        name="spent-at-its-expiry",
        what="a lot can still be spent at the instant of its expiry",
        file=_RULES,
        original="self.available_at <= at < self.expires_at",
        bug="self.available_at <= at <= self.expires_at",
        tests=(
            f"{_OF_RULES}"
            "::test_a_lot_is_available_from_its_first_instant_until_just_before_its_expiry",
        ),
    ),
    Mutant(
        name="shown-at-its-expiry",
        what="a balance still shows a lot at the instant of its expiry",
        file=_RULES,
        original="        if expires_at <= at:",
        bug="        if expires_at < at:",
        tests=(
            f"{_OF_RULES}"
            "::test_a_holding_tells_available_pending_and_lapsed_apart_to_the_microsecond",
        ),
    ),
    Mutant(
        name="expiry-booked-too-late",
        what="a writer books what time has done one microsecond after it has happened",
        file=_RULES,
        original="if when > at:",
        bug="if when >= at:",
        tests=(
            "tests/ledger/test_parts.py"
            "::test_who_writes_at_an_instant_books_what_ends_with_it[sqlite]",
        ),
    ),
    Mutant(
        name="expiry-forgotten",
        what="an account doesn't learn when its new lot expires, so nobody books it",
        file=_JOURNAL,
        original="min(account.next_expiry_at, lot.expires_at)",
        bug="account.next_expiry_at",
        tests=("tests/ledger/test_service.py::test_booking_an_expiry_changes_no_answer",),
    ),
    Mutant(
        name="pending-is-spent",
        what="value can be spent before it is available",
        file=_RULES,
        original="return self.available_at <= at < self.expires_at",
        bug="return at < self.expires_at",
        tests=(f"{_OF_RULES}::test_spending_skips_what_is_pending_or_expired",),
    ),
    Mutant(
        name="spent-in-the-order-of-making",
        what="what was made first is spent first, not what expires first",
        file=_RULES,
        original="for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.sequence)):",
        bug="for lot in sorted(lots, key=lambda lot: (lot.sequence, lot.expires_at)):",
        tests=(f"{_OF_RULES}::test_what_expires_first_is_spent_first_then_what_was_made_first",),
    ),
    Mutant(
        name="full-account-takes-more",
        what="an account takes more than GraphQL can show",
        file=_JOURNAL,
        original="        self.check_room(member_id, grant.asset, grant.amount)\n",
        bug="",
        tests=(
            "tests/ledger/test_service.py"
            "::test_an_account_holds_just_so_much_and_a_grant_beyond_changes_nothing",
        ),
    ),
    Mutant(
        name="hash-leaves-out-a-column",
        what="the hash chain doesn't cover when a posting was recorded",
        file="server/ledger/accounts.py",
        original="chained_hash(self.last_hash, posting)",
        bug="chained_hash(self.last_hash, posting[:-1])",
        tests=("tests/ledger/test_service.py::test_booking_an_expiry_changes_no_answer",),
    ),
    Mutant(
        name="hash-leaves-out-the-hash-before",
        what="a posting's hash doesn't depend on the postings before it",
        file=_RULES,
        original='"\\n".join((previous, *map(str, posting)))',
        bug='"\\n".join(map(str, posting))',
        tests=(
            f"{_OF_RULES}"
            "::test_the_hash_of_a_posting_is_that_of_its_fields_after_the_hash_before_it",
        ),
    ),
    Mutant(
        name="hold-resolved-twice",
        what="a hold that was settled or released can be once more",
        file=_QUERIES,
        original="id = $4 AND resolved_at IS NULL AND expires_at > $2",
        bug="id = $4 AND expires_at > $2",
        tests=(
            "tests/payments/test_waiting_tills.py"
            "::test_a_hold_is_neither_settled_nor_released_again[postgres]",
        ),
    ),
    Mutant(
        name="hold-open-at-its-end",
        what="a hold still counts as open at the instant at which its time is over",
        file=_HOLDS,
        original="HoldStatus.OPEN if at < self.expires_at",
        bug="HoldStatus.OPEN if at <= self.expires_at",
        tests=("tests/ledger/test_parts.py::test_a_hold_is_resolved_until_just_before_its_end",),
    ),
    Mutant(
        name="expired-hold-still-shown",
        what="a balance shows as held what an expired hold has set free",
        file=_RULES,
        original="elif at < value.releases_at:",
        bug="elif value.releases_at:",
        tests=(
            f"{_OF_RULES}"
            "::test_a_hold_holds_until_its_time_is_over_and_then_fills_what_is_owed_first",
        ),
    ),
    Mutant(
        name="expired-hold-not-booked",
        what="an account doesn't learn when its hold ends, so that its value can't be spent again",
        file=_JOURNAL,
        original="        account.next_expiry_at = min(account.next_expiry_at, releases_at)\n",
        bug="",
        tests=("tests/payments/test_holding.py::test_a_hold_is_over_by_the_clock_alone",),
    ),
    Mutant(
        name="settled-and-given-back",
        what="a settled hold gives back all that it held, also what was spent",
        file=_HOLDS,
        original="held - taken",
        bug="held",
        tests=("tests/payments/test_together.py::test_a_hold_is_settled_once[sqlite]",),
    ),
    Mutant(
        name="whole-grant-undone-for-a-part",
        what="undoing a part of a grant undoes all of it",
        file=_UNDOING,
        original="amount = min(amount, root.amount - root.undone)",
        bug="amount = root.amount - root.undone",
        tests=("tests/ledger/test_parts.py::test_undoing_a_part_of_a_grant_leaves_the_rest",),
    ),
    Mutant(
        name="recalled-twice",
        what="what was taken from elsewhere for a part of a grant is taken again for the next",
        file=_UNDOING,
        original="    root.recalled += plan.elsewhere\n",
        bug="",
        tests=(
            "tests/ledger/test_undoing.py"
            "::test_a_grant_undone_in_parts_is_undone_as_at_once[sqlite]",
        ),
    ),
    Mutant(
        name="lapsed-taken-from-elsewhere",
        what="for what lapsed unused of a returned grant, other points are taken",
        file=_RULES,
        original="gone = min(amount - from_lot, lapsed - (undone - returned - recalled))",
        bug="gone = 0",
        tests=(
            "tests/purchases/test_return_policies.py::test_what_lapsed_unused_is_not_taken_again",
        ),
    ),
    Mutant(
        name="owed-whatever-the-policy",
        what="what can't be taken back is owed, also where the programme lets it go",
        file=_UNDOING,
        original="owed = missing if policy is ReturnPolicy.INTO_NEGATIVE else 0",
        bug="owed = missing",
        tests=("tests/ledger/test_undoing.py::test_each_policy_takes_what_it_says",),
    ),
    Mutant(
        name="debt-not-filled",
        what="what the programme grants doesn't fill what the member owes",
        file=_JOURNAL,
        original="if not account.owed or (",
        bug="if side is Side.ISSUED or not account.owed or (",
        tests=(
            "tests/ledger/test_undoing.py"
            "::test_what_is_owed_is_filled_by_what_comes_in_pending_ones_included",
        ),
    ),
    Mutant(
        name="given-back-with-a-new-expiry",
        what="points that are given back get the days of grace instead of their own expiry",
        file=_UNDOING,
        original="has_lapsed = lot.expires_at <= journal.recorded_at",
        bug="has_lapsed = lot.expires_at > 0",
        tests=("tests/payments/test_cancelling.py::test_points_come_back_with_their_own_expiry",),
    ),
    Mutant(
        name="grace-forgotten",
        what="points that lapsed before they are given back lapse again at once",
        file=_UNDOING,
        original="expires_at=grace_expires_at if has_lapsed else lot.expires_at",
        bug="expires_at=lot.expires_at",
        tests=("tests/payments/test_cancelling.py::test_lapsed_points_live_for_the_days_of_grace",),
    ),
    Mutant(
        name="first-taken-given-back-first",
        what="a part that is given back goes to the lots that had paid first, not last",
        file=_UNDOING,
        original="in reversed(rows):",
        bug="in rows:",
        tests=(
            "tests/ledger/test_parts.py::test_a_part_comes_back_to_the_lots_that_had_paid_last",
        ),
    ),
    Mutant(
        name="gift-gets-a-new-expiry",
        what="a gift lives for a year with the receiver, whatever was left with the giver",
        file="server/ledger/moving.py",
        original="expires_at=take.lot.expires_at",
        bug="expires_at=Instant(journal.recorded_at + 31_536_000_000_000)",
        tests=(
            "tests/transfers/test_service.py"
            "::test_what_expires_first_is_given_first_and_keeps_its_expiry",
        ),
    ),
)
