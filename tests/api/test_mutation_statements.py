"""How many statements each mutation costs, who calls and what is announced included."""

from itertools import count

import pytest

from server.definitions import service as definitions
from server.edge import attempts
from server.storage import sql
from tests.api.calling import Api
from tests.api.test_idempotency import CASES

STATEMENTS = {
    "acceptReferral": (25, 21),
    "activateOffer": (18, 18),
    "adjustBalance": (19, 17),
    "approveAdjustment": (13, 11),
    "approveDefinition": (11, 11),
    "approvePayout": (10, 10),
    "blockCard": (14, 14),
    "cancelBasket": (13, 13),
    "cancelCouponRedemption": (11, 11),
    "cancelPayment": (21, 19),
    "cancelPayout": (21, 19),
    "cancelRedemption": (22, 20),
    "cancelRewardOrder": (23, 21),
    "changeHouseholdRole": (20, 20),
    "cancelPlan": (14, 14),
    "changePlan": (18, 18),
    "endPlan": (13, 13),
    "grantPlan": (20, 20),
    "resumePlan": (15, 15),
    "subscribePlan": (20, 20),
    "changePassword": (22, 22),
    "completeAction": (21, 18),
    "confirmBasket": (42, 24),
    "createApiKey": (18, 18),
    "deactivateOffer": (14, 14),
    "decideReferral": (22, 20),
    "discardDefinition": (8, 8),
    "dissolveHousehold": (20, 20),
    "endMemberSessions": (14, 14),
    "enrolMember": (25, 23),
    "favouriteReward": (13, 13),
    "foundHousehold": (19, 19),
    "generateCoupons": (16, 16),
    "givePoints": (23, 21),
    "hold": (20, 17),
    "importBalances": (21, 19),
    "importDefinitions": (17, 17),
    "inviteToHousehold": (18, 18),
    "joinDrop": (21, 21),
    "joinHousehold": (24, 24),
    "leaveDrop": (14, 14),
    "leaveHousehold": (18, 18),
    "markPayoutFailed": (21, 19),
    "markPayoutPaid": (19, 18),
    "markRewardDelivered": (10, 10),
    "markRewardReady": (10, 10),
    "mergeMembers": (90, 88),
    "noteMemberMarks": (17, 17),
    "orderReward": (23, 21),
    "payRewardOrder": (10, 10),
    "payWithCashback": (20, 18),
    "payWithPoints": (20, 18),
    "payWithVoucher": (14, 14),
    "publishDefinition": (13, 13),
    "publishDocuments": (11, 11),
    "publishProgramme": (15, 15),
    "recordPurchase": (27, 13),
    "recordPurchases": (27, 15),
    "redeemCoupon": (15, 15),
    "redeemCoupons": (19, 19),
    "redeemPoints": (19, 17),
    "redeemPointsForMembers": (19, 17),
    "refreshSession": (7, 7),
    "rejectAdjustment": (8, 8),
    "rejectDefinition": (8, 8),
    "rejectPayout": (20, 18),
    "release": (19, 17),
    "removeFromHousehold": (20, 20),
    "replaceApiKey": (23, 23),
    "replaceCard": (15, 15),
    "reportCardLost": (14, 14),
    "requestPasswordReset": (13, 13),
    "requestPayout": (22, 19),
    "reserveBasket": (35, 26),
    "resetPassword": (22, 22),
    "returnPurchase": (33, 30),
    "revokeApiKey": (14, 14),
    "revokeSession": (13, 13),
    "rollBackDefinition": (18, 18),
    "saveDefinition": (18, 18),
    "setConsent": (14, 13),
    "settle": (20, 19),
    "signIn": (29, 29),
    "signInWithFirebase": (28, 26),
    "signOut": (6, 6),
    "signOutEverywhere": (12, 12),
    "signUp": (35, 33),
    "takeDropPlace": (26, 24),
    "unblockCard": (14, 14),
    "undoMerge": (48, 46),
    "unfavouriteReward": (8, 8),
    "updateProfile": (13, 13),
    "withdrawDefinition": (15, 15),
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
    await definitions.shelves()  # what is published is in memory
    # Every so many attempts in a process old ones are forgotten: not in this one.
    monkeypatch.setattr(attempts, "_taken", count(1))
    with sql.counted_statements() as statements:
        answer = await api.mutate(name, case.input, case.caller, key="k")
    assert answer["__typename"] == success
    most = STATEMENTS[name][engine == "postgres"]
    # What the process knows since an earlier sign-up is not looked up again.
    assert len(statements) in ((most - 1, most) if name == "signUp" else (most,)), statements
