"""How long the schema's lists usually are, and what weighs more than usual.

One table, so that an operator sees at a glance what operations are reckoned to cost. Sizes are what
a lively member has, not what is possible: a list that is longer than it was taken for costs too
little once, and is bounded by the time an operation may take.
"""

from collections.abc import Mapping

from server.edge.limits import SECRET_WEIGHT
from server.edge.permissions import Coordinate
from server.edge.sizing import Cost, ListSize, assumed, given, weighs

LISTS: Mapping[Coordinate, ListSize] = {
    ("Member", "challenges"): assumed(20),
    ("Member", "holds"): assumed(5),
    ("Points", "expiring"): assumed(20),
    ("Household", "members"): assumed(10),
    ("LotExplanation", "movements"): assumed(10),
    ("Purchase", "earned"): assumed(5),
    ("Purchase", "lines"): assumed(20),
    ("Purchase", "returns"): assumed(2),
    ("ReturnedPurchase", "lines"): assumed(20),
    ("ReturnedPurchase", "reversed"): assumed(5),
    ("ReturnedPurchase", "withdrawnChallenges"): assumed(2),
    ("RecordedPurchase", "earned"): assumed(5),
    ("PurchaseExplanation", "lines"): assumed(20),
    ("PurchaseExplanation", "challenges"): assumed(5),
    ("LineExplanation", "earned"): assumed(3),
    ("Programme", "tiers"): assumed(5),
    ("EarningTerms", "excludedLines"): assumed(10),
    ("CashbackTerms", "tierRates"): assumed(5),
    ("CashbackTerms", "caps"): assumed(5),
    ("Query", "pointBalances"): given("externalIds"),
    ("Query", "programmeVersions"): assumed(20),
    ("Insights", "months"): assumed(24),
    ("Insights", "retention"): assumed(300),
    ("ProgrammeMonth", "membersByTier"): assumed(5),
    ("MembersMerged", "values"): assumed(10),
    ("MergeUndone", "values"): assumed(10),
    ("InvalidProgramme", "problems"): assumed(10),
    ("Mutation", "recordPurchases"): given("input.purchases", sizes="answers"),
    ("Mutation", "redeemPointsForMembers"): given("input.redemptions", sizes="answers"),
    ("Mutation", "importBalances"): given("input.lines", sizes="answers"),
    ("Mutation", "publishDocuments"): given("input.documents"),
}

SECRETS: tuple[str, ...] = (
    "signUp",
    "signIn",
    "signInWithFirebase",
    "changePassword",
    "requestPasswordReset",
    "resetPassword",
    "joinHousehold",
    "payWithVoucher",
    "cancelRedemption",
)
"""The mutations in which a caller shows a secret that might be guessed, or has letters sent."""

WEIGHTS: Mapping[Coordinate, Cost] = {
    **{("Mutation", name): weighs(SECRET_WEIGHT) for name in SECRETS},
    # A token is too long to be guessed, and every app of a carrier's address renews its own.
    ("Mutation", "refreshSession"): weighs(20),
    ("Mutation", "publishProgramme"): weighs(1_000),
    ("Mutation", "mergeMembers"): weighs(50),
    ("Mutation", "undoMerge"): weighs(50),
    ("Query", "insights"): weighs(200),
    ("Query", "auditStatus"): weighs(10),
}

STATED: Mapping[Coordinate, Cost | ListSize] = {**LISTS, **WEIGHTS}
