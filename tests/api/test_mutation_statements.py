"""How many statements each mutation costs, who calls and what is announced included; and what it
tells those who follow."""

from itertools import count

import pytest

from server.definitions import service as definitions
from server.edge import attempts
from server.members import keys
from server.storage import sql
from tests.api.calling import Api
from tests.api.mutation_events import EVENTS, forget_events, kinds_put
from tests.api.test_idempotency import CASES

STATEMENTS = {
    "acceptReferral": (25, 21),
    "activateOffer": (18, 18),
    "adjustBalance": (20, 17),
    "approveAdjustment": (14, 11),
    "approveDefinition": (12, 11),
    "approvePayout": (10, 10),
    "blockCard": (14, 14),
    "cancelBasket": (13, 13),
    "cancelCouponRedemption": (11, 11),
    "cancelPayment": (22, 19),
    "cancelPayout": (21, 19),
    "cancelRedemption": (23, 20),
    "cancelRewardOrder": (24, 21),
    "changeHouseholdRole": (20, 20),
    "cancelPlan": (14, 14),
    "changePlan": (18, 18),
    "endPlan": (13, 13),
    "grantPlan": (20, 20),
    "resumePlan": (15, 15),
    "subscribePlan": (20, 20),
    "changePassword": (24, 24),
    "completeAction": (22, 18),
    "confirmBasket": (43, 24),
    "createApiKey": (18, 18),
    "deactivateOffer": (14, 14),
    "decideReferral": (22, 20),
    "discardDefinition": (8, 8),
    "dissolveHousehold": (20, 20),
    "endMemberSessions": (14, 14),
    "enrolMember": (26, 23),
    "favouriteReward": (13, 13),
    "foundHousehold": (19, 19),
    "generateCoupons": (16, 16),
    "givePoints": (24, 21),
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
    "markRewardDelivered": (11, 10),
    "markRewardReady": (11, 10),
    "mergeMembers": (96, 93),
    "noteMemberMarks": (17, 17),
    "orderReward": (24, 21),
    "payRewardOrder": (10, 10),
    "payWithCashback": (20, 18),
    "payWithPoints": (21, 18),
    "payWithVoucher": (14, 14),
    "publishDefinition": (14, 13),
    "publishDocuments": (11, 11),
    "publishProgramme": (15, 15),
    "recordPurchase": (28, 13),
    "recordPurchases": (28, 15),
    "redeemCoupon": (15, 15),
    "redeemCoupons": (19, 19),
    "redeemPoints": (20, 17),
    "redeemPointsForMembers": (20, 17),
    "refreshSession": (7, 7),
    "rejectAdjustment": (8, 8),
    "rejectDefinition": (8, 8),
    "rejectPayout": (20, 18),
    "release": (19, 17),
    "removeFromHousehold": (20, 20),
    "replaceApiKey": (23, 23),
    "replaceCard": (15, 15),
    "reportCardLost": (14, 14),
    "requestPasswordReset": (14, 14),
    "requestPayout": (22, 19),
    "reserveBasket": (35, 26),
    "resetPassword": (24, 23),
    "returnPurchase": (34, 30),
    "revokeApiKey": (14, 14),
    "revokeSession": (13, 13),
    "rollBackDefinition": (19, 18),
    "saveDefinition": (18, 18),
    "setConsent": (15, 13),
    "settle": (20, 19),
    "signIn": (29, 29),
    "signInWithFirebase": (29, 26),
    "signOut": (6, 6),
    "signOutEverywhere": (12, 12),
    "signUp": (36, 33),
    "takeDropPlace": (27, 24),
    "unblockCard": (14, 14),
    "undoMerge": (49, 47),
    "unfavouriteReward": (8, 8),
    "updateProfile": (14, 13),
    "withdrawDefinition": (16, 15),
    "createWebhook": (19, 19),
    "updateWebhook": (15, 15),
    "deleteWebhook": (15, 15),
    "pauseWebhook": (13, 13),
    "resumeWebhook": (12, 12),
    "rotateWebhookSecret": (19, 19),
    "testWebhook": (13, 13),
    "replayWebhookDelivery": (14, 14),
    "replayWebhookDeliveries": (12, 12),
    "createOrderWebhookSecret": (17, 17),
    "rotateOrderWebhookSecret": (20, 20),
    "revokeOrderWebhookSecret": (13, 13),
    "registerDevice": (14, 14),
    "unregisterDevice": (8, 8),
    "setMessageChoices": (16, 14),
    "setQuietHours": (12, 12),
    "markNotificationsRead": (13, 13),
    "notificationOpened": (15, 14),
    "dismissNotification": (12, 12),
    "pauseCampaign": (19, 19),
    "resumeCampaign": (19, 19),
    "stopCampaign": (19, 19),
}
"""By mutation: on SQLite, where a statement is a call into the same process, and on PostgreSQL,
where it is an exchange. What a mutation puts into the outbox is one more on SQLite; on PostgreSQL
it is written with the versions of what has changed."""


def test_every_mutation_is_here() -> None:
    assert set(STATEMENTS) == set(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_what_each_mutation_costs_and_puts_into_the_outbox(
    api: Api, name: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    await definitions.shelves()  # what is published is in memory
    await forget_events()
    # Every so many attempts in a process old ones are forgotten: not in this one.
    monkeypatch.setattr(attempts, "_taken", count(1))
    # Nor are keys read anew because a busy machine took long.
    monkeypatch.setattr(keys.KeyRing, "is_older_than", lambda _ring, seconds: seconds == 0)
    with sql.counted_statements() as statements:
        answer = await api.mutate(name, case.input, case.caller, key="k")
    assert answer["__typename"] == success
    most = STATEMENTS[name][engine == "postgres"]
    # What the process knows since an earlier sign-up is not looked up again.
    assert len(statements) in ((most - 1, most) if name == "signUp" else (most,)), statements
    assert await kinds_put() == EVENTS.get(name, [])
