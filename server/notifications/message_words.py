"""The words of messages as enums of the schema."""

from server.edge.enums import described
from server.notifications.shapes import Category, Channel

__all__ = ["Category", "Channel"]

described(
    Channel,
    name="MessageChannel",
    description="How a message reaches a member.",
    PUSH="A push message to the devices that they are signed in on.",
    EMAIL="A letter to the e-mail address of their account.",
    IN_APP="The inbox of the app.",
)
described(
    Category,
    name="MessageCategory",
    description="What a message is about.",
    OFFERS="Marketing: offers and campaigns.",
    POINTS="Marketing: points, cashback and tiers.",
    CHALLENGES="Marketing: challenges and streaks.",
    SERVICE="Receipts, security and orders: what a member must be told. It needs no consent, keeps "
    "no quiet hours and is not capped; its push messages can be switched off.",
)
