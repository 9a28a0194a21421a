"""What an audit proves, and how it tells what is wrong: each problem in one line, its row named."""

from collections import Counter
from enum import StrEnum

import msgspec

PROBLEMS_KEPT_PER_CHECK = 100
"""More are counted, but not kept: a broken database has no end of them."""


class Check(StrEnum):
    """What is proved."""

    CHAIN = "chain"  # each account's journal is whole, and ends where its account says
    ACCOUNT = "account"  # the account's sums are those of its postings
    LOTS = "lots"  # each lot is as it was granted, and has left what its postings left in it
    HOLDS = "holds"  # what is held is what the holds hold, and each was resolved once
    CONSERVATION = "conservation"  # what one member lost on the way to another, that one got
    USES = "uses"  # what orders, payments, gifts, referrals, staff and the like say was posted
    PURCHASES = "purchases"  # each purchase earned what its lines earn by its version's rules
    TIERS = "tiers"  # tiers follow from the purchases
    CHALLENGES = "challenges"  # so do challenges, runs and totals
    CASHBACK = "cashback"  # so does what was accrued in each span of time
    MERGED = "merged"  # a duplicate that was merged holds nothing


class Problem(msgspec.Struct, frozen=True):
    """One thing that is not as everything else says it is."""

    check: Check
    table: str
    row_id: int
    member_id: int
    what: str  # the column, or what is said of the row in a word or two
    expected: str
    found: str

    @property
    def line(self) -> str:
        """The problem in plain words."""
        return (
            f"{self.check.value}: {self.table} {self.row_id} of member {self.member_id}:"
            f" {self.what}: expected {self.expected}, found {self.found}"
        )


class Report(msgspec.Struct, frozen=True):
    """What an audit looked at and found."""

    member_count: int
    account_count: int
    posting_count: int
    purchase_count: int
    counts: dict[str, int]  # problems by check; checks without any are left out
    problems: tuple[Problem, ...]  # the first of each check, in the order of finding

    @property
    def problem_count(self) -> int:
        """How many problems were found, kept or not."""
        return sum(self.counts.values())

    @property
    def firsts(self) -> list[Problem]:
        """The first problem of each check, in the order of the checks."""
        first: dict[Check, Problem] = {}
        for problem in self.problems:
            first.setdefault(problem.check, problem)
        return [first[check] for check in Check if check in first]


class Findings:
    """What is found while an audit runs; the memory that it takes is bounded."""

    def __init__(self) -> None:
        self.counts: Counter[Check] = Counter()
        self.problems: list[Problem] = []
        self.member_ids: dict[int, None] = {}
        self.member_count = self.account_count = 0
        self.posting_count = self.purchase_count = 0

    @property
    def problem_count(self) -> int:
        """How many problems there are so far."""
        return self.counts.total()

    def add(
        self,
        check: Check,
        row: tuple[str, int, int],
        what: str,
        *,
        expected: object,
        found: object,
    ) -> None:
        """Note a problem of a row: its table, its id, and whose it is."""
        self.counts[check] += 1
        if self.counts[check] <= PROBLEMS_KEPT_PER_CHECK:
            table, row_id, member_id = row
            self.problems.append(
                Problem(check, table, row_id, member_id, what, _told(expected), _told(found))
            )
            self.member_ids[member_id] = None

    def same(
        self,
        check: Check,
        row: tuple[str, int, int],
        what: str,
        *,
        expected: object,
        found: object,
    ) -> bool:
        """Note a problem if the two differ; whether they are the same."""
        if expected == found:
            return True
        self.add(check, row, what, expected=expected, found=found)
        return False

    def report(self) -> Report:
        """Everything so far."""
        return Report(
            member_count=self.member_count,
            account_count=self.account_count,
            posting_count=self.posting_count,
            purchase_count=self.purchase_count,
            counts={check.value: self.counts[check] for check in Check if self.counts[check]},
            problems=tuple(self.problems),
        )


def _told(value: object) -> str:
    return "nothing" if value is None else str(value)
