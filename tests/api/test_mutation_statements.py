"""How many statements each mutation costs, who calls and what is announced included."""

from itertools import count

import pytest

from server.edge import attempts
from server.storage import sql
from tests.api.calling import Api
from tests.api.test_idempotency import CASES

STATEMENTS = {
    "adjustBalance": (19, 17),
    "approveAdjustment": (13, 11),
    "approvePayout": (10, 10),
    "blockCard": (14, 14),
    "cancelPayment": (20, 18),
    "cancelPayout": (21, 19),
    "cancelRedemption": (21, 19),
    "changeHouseholdRole": (20, 20),
    "changePassword": (22, 22),
    "createApiKey": (18, 18),
    "dissolveHousehold": (20, 20),
    "endMemberSessions": (14, 14),
    "enrolMember": (25, 23),
    "foundHousehold": (19, 19),
    "givePoints": (23, 21),
    "hold": (20, 17),
    "importBalances": (21, 19),
    "inviteToHousehold": (18, 18),
    "joinHousehold": (24, 24),
    "leaveHousehold": (18, 18),
    "markPayoutFailed": (21, 19),
    "markPayoutPaid": (19, 18),
    "mergeMembers": (70, 68),
    "payWithCashback": (19, 17),
    "payWithPoints": (19, 17),
    "payWithVoucher": (12, 12),
    "publishDocuments": (11, 11),
    "publishProgramme": (15, 15),
    "recordPurchase": (27, 13),
    "recordPurchases": (27, 15),
    "redeemPoints": (19, 17),
    "redeemPointsForMembers": (19, 17),
    "refreshSession": (7, 7),
    "rejectAdjustment": (8, 8),
    "rejectPayout": (20, 18),
    "release": (19, 17),
    "removeFromHousehold": (20, 20),
    "replaceApiKey": (23, 23),
    "replaceCard": (15, 15),
    "reportCardLost": (14, 14),
    "requestPasswordReset": (13, 13),
    "requestPayout": (22, 19),
    "resetPassword": (22, 22),
    "returnPurchase": (33, 30),
    "revokeApiKey": (14, 14),
    "revokeSession": (13, 13),
    "settle": (19, 18),
    "signIn": (29, 29),
    "signInWithFirebase": (28, 26),
    "signOut": (6, 6),
    "signOutEverywhere": (12, 12),
    "signUp": (35, 33),
    "unblockCard": (14, 14),
    "undoMerge": (48, 46),
    "updateProfile": (13, 13),
}
"""By mutation: on SQLite, where a statement is a call into the same process, and on PostgreSQL,
where it is an exchange."""


def test_every_mutation_is_here() -> None:
    assert set(STATEMENTS) == set(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_what_each_mutation_costs(
    api: Api, name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    # Every so many attempts in a process old ones are forgotten: not in this one.
    monkeypatch.setattr(attempts, "_taken", count(1))
    with sql.counted_statements() as statements:
        answer = await api.mutate(name, case.input, case.caller, key="k")
    assert answer["__typename"] == success
    most = STATEMENTS[name][engine == "postgres"]
    # What the process knows since an earlier sign-up is not looked up again.
    assert len(statements) in ((most - 1, most) if name == "signUp" else (most,)), statements
