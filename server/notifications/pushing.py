"""A message as it is pushed to a device."""

from server.integrations.push import PushMessage
from server.notifications.shapes import Wire

ID_KEY = "notificationId"
"""Where the data of every push has the notification's id, by which the app tells of its opening."""
LONGEST_ID = "-" * 44
"""As long as the opaque id of a notification can be."""


def pushed(
    token: str,
    title: str,
    body: str,
    wire: Wire,
    *,
    notification_id: str,
    ttl_seconds: int | None = None,
) -> PushMessage:
    """The push of a notification, by its opaque id, to a device; `ttl_seconds` is what is left of
    its time to live."""
    return PushMessage(
        token=token,
        title=title,
        body=body,
        data={**wire.data, ID_KEY: notification_id},
        image=wire.image,
        link=wire.link,
        collapse_key=wire.collapse_key,
        ttl_seconds=wire.ttl_seconds if ttl_seconds is None else ttl_seconds,
        is_high_priority=wire.is_high_priority,
        android=wire.android,
        apns=wire.apns,
        webpush=wire.webpush,
    )
