"""What each mutation tells those who follow the outbox."""

from server.storage import sql

EVENTS: dict[str, list[str]] = {
    "adjustBalance": ["points.earned"],
    "approveAdjustment": ["points.earned"],
    "approveDefinition": ["definition.published"],
    "cancelPayment": ["points.earned"],
    "cancelRedemption": ["points.earned"],
    "cancelRewardOrder": ["order.changed", "points.earned"],
    "changePassword": ["password.changed"],
    "completeAction": ["points.earned"],
    "confirmBasket": ["points.earned", "purchase.recorded"],
    "enrolMember": ["member.created", "points.earned"],
    "givePoints": ["points.earned", "points.redeemed"],
    "markRewardDelivered": ["order.changed"],
    "markRewardReady": ["order.changed"],
    "mergeMembers": ["member.merged"],
    "orderReward": ["order.changed", "points.redeemed", "voucher.issued"],
    "payWithPoints": ["points.redeemed"],
    "notificationOpened": ["notification.opened"],
    "publishDefinition": ["definition.published"],
    "recordPurchase": ["points.earned", "purchase.recorded"],
    "recordPurchases": ["points.earned", "purchase.recorded"],
    "redeemPoints": ["points.redeemed", "voucher.issued"],
    "redeemPointsForMembers": [
        "points.redeemed",
        "points.redeemed",
        "voucher.issued",
        "voucher.issued",
    ],
    "resetPassword": ["password.changed"],
    "returnPurchase": ["points.reversed", "purchase.returned"],
    "rollBackDefinition": ["definition.published"],
    "setConsent": ["consent.changed"],
    "setMessageChoices": ["consent.changed"],
    "signInWithFirebase": ["member.created", "points.earned"],
    "signUp": ["account.opened", "member.created", "points.earned"],
    "takeDropPlace": ["order.changed", "points.redeemed"],
    "updateProfile": ["member.updated"],
    "withdrawDefinition": ["definition.published"],
}
"""By mutation the kinds of its case's events, sorted; of those not named, none."""


async def forget_events() -> None:
    """Let the outbox be empty."""
    async with sql.transaction():
        await sql.execute("DELETE FROM outbox_events")


async def kinds_put() -> list[str]:
    """The kinds of what is in the outbox, sorted."""
    return sorted(row[0] for row in await sql.fetch("SELECT kind FROM outbox_events"))
