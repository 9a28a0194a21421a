"""The kinds `message` and `message_policy`, made known to the definitions."""

from typing import Any

from server.definitions import service as definitions
from server.notifications.documents import Message, MessagePolicy
from server.notifications.fitting import message_misfits, policy_misfits

_EXAMPLE: dict[str, Any] = {
    "category": "points",
    "default_language": "en",
    "texts": {
        "en": {
            "title": "{points, plural, one {# point expires soon} other {# points expire soon}}",
            "body": "Use them before {expires_on, date, long}.",
        }
    },
    "channels": ["push", "email", "in_app"],
    "trigger": {"kind": "points_expiring", "days": [7, 1]},
    "link": "app://points",
}
MESSAGE = definitions.register(
    definitions.Kind(
        "message",
        Message,
        misfits=message_misfits,
        after=("segment",),
        example=_EXAMPLE,
    )
)
POLICY = definitions.register(
    definitions.Kind(
        "message_policy",
        MessagePolicy,
        misfits=policy_misfits,
        ends_freely=True,
        example={
            "quiet_hours": {"from": "21:00", "until": "08:00"},
            "caps": [{"messages": 2, "days": 7, "category": "offers"}, {"messages": 5, "days": 7}],
        },
    )
)
