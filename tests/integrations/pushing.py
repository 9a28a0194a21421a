"""Messages to send by a pusher."""

from typing import Any

from server.integrations.fcm import FirebasePusher
from server.integrations.push import Outcome, PushMessage


def message(token: str, **said: Any) -> PushMessage:
    """A short one, but for what is said."""
    return PushMessage(**({"token": token, "title": "Hello", "body": "World"} | said))


async def sent_one(pusher: FirebasePusher, to: str = "phone", **said: Any) -> Outcome:
    """What became of one."""
    [outcome] = await pusher.send([message(to, **said)])
    return outcome
