"""Publishing a replay's offers into its own database, so that they count from its first instant.

The replay writes them to a file and has `python -m server publish-campaigns` publish it: here, or
in the server that holds the database.
"""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from server import clock
from server.clock import Instant
from server.definitions import importing
from server.definitions.bundles import FORMAT_KEY, FORMAT_VERSION, Item
from server.definitions.errors import InvalidDefinition
from server.definitions.service import COMMAND_LINE
from server.programme.commands import CommandRefused
from server.storage import sql

PUBLISH = "publish_campaigns"
"""The errand of `publish`, for a server that holds the database."""


def write(path: Path, items: list[dict[str, Any]]) -> None:
    """Write the definitions as a file that `definitions import` takes as well."""
    content = {FORMAT_KEY: FORMAT_VERSION, "definitions": items}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


async def publish(*, file: str, at: int) -> str:
    """Publish the file's definitions as of the instant, even of a past one: all of them or none,
    and what counts already not again; what there is to say of it."""
    from server.coupons import kinds as _coupons  # noqa: F401, PLC0415 - makes its kinds known
    from server.offers import kinds as _offers  # noqa: F401, PLC0415 - same
    from server.segments import kinds as _segments  # noqa: F401, PLC0415 - same

    items = _read(Path(file))
    now = Instant(at)
    try:
        with clock.moved_to(now):
            async with sql.transaction(shares_commit=False):
                done = await importing.bring_in(items, by=COMMAND_LINE, now=now)
    except InvalidDefinition as error:
        lines = "; ".join(error.lines.splitlines())
        raise CommandRefused(f"the offers are not accepted: {lines}") from error
    return f"{len(done.items)} definitions count from {clock.datetime_of(now).isoformat()}"


def _read(path: Path) -> list[Item]:
    content = msgspec.json.decode(path.read_bytes())
    places = [("definitions", number) for number in range(len(content["definitions"]))]
    return [
        Item(one["kind"], one["key"], None, one["document"], place, (*place, "document"))
        for one, place in zip(content["definitions"], places, strict=True)
    ]


ERRANDS: Mapping[str, Callable[..., Coroutine[Any, Any, str]]] = {PUBLISH: publish}
"""What a server does for the replay that has started it."""
