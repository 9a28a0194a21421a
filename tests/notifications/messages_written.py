"""Messages for tests, from their plain documents."""

from typing import Any

from server.clock import Instant
from server.definitions import checking
from server.definitions.kinds import Surroundings
from server.definitions.shelves import Published, Shelves
from server.integrations import push
from server.notifications.documents import Message
from server.notifications.fitting import longest_push, message_misfits
from server.notifications.rendering import variables_in
from tests.offers.quoting import demo_programme


def plain_message(**changes: Any) -> dict[str, Any]:
    """The plain document of a message."""
    return {
        "category": "points",
        "default_language": "en",
        "texts": {"en": {"title": "Hello", "body": "There is something."}},
        **changes,
    }


def message(**changes: Any) -> Message:
    """A message."""
    made: Message = checking.checked(plain_message(**changes), Message)
    return made


def filled(plain: dict[str, Any], spare: int = 0) -> dict[str, Any]:
    """The message with so much data that its longest push has all bytes that there are but
    `spare`; as it is, if it has more."""
    told: Message = checking.checked(plain, Message)
    variables = variables_in(told)
    longest = max(
        push.payload_bytes(longest_push(told, text, variables, tag))
        for tag, text in told.texts.items()
    )
    rest = push.MAXIMUM_PAYLOAD_BYTES - spare - longest
    data = dict(plain.get("data", {}))
    for number in range(10):
        key = f"filling{number}"
        room = rest - len(f',"{key}":""')
        if room < 0:
            break
        data[key] = "x" * min(room, 400)
        rest = room - len(data[key])
    return {**plain, "data": data}


def saying(trigger: str | None, **texts: str) -> Message:
    """A message for the trigger with these titles, by language tag with underscores."""
    written = {tag.replace("_", "-"): {"title": one, "body": one} for tag, one in texts.items()}
    first = next(iter(written))
    kind = {} if trigger is None else {"trigger": {"kind": trigger}}
    return message(default_language=first, texts=written, **kind)


def misfits(plain: dict[str, Any], *published: Published) -> list[tuple[str, str]]:
    """What of a plain document does not fit: the place, and what would be accepted there."""
    shelves = Shelves(-1, {one.id: one for one in published})
    around = Surroundings(demo_programme(), shelves, Instant(10), "m")
    found = message_misfits(checking.checked(plain, Message), around)
    return [(".".join(map(str, path)), accepted) for path, accepted in found]
