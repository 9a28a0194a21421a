"""The other process: the app without memory, told by lines of JSON what to answer.

A line names the database to open, or a request and its instant; an empty one closes the database.
"""

import asyncio
import base64
import json
import sys
from typing import Any

from server import logs
from server.storage.database import Address, opened
from tests.api.remembering import WITHOUT_MEMORY, app, prepare_keys
from tests.api.remembering_sending import Near


def _told(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _heard() -> Any:
    return json.loads(await asyncio.to_thread(sys.stdin.readline) or "null")


async def _serve(near: Near) -> None:
    """Answers requests until there is nothing more to hear."""
    while heard := await _heard():
        body = base64.b64decode(heard["body"])
        status, content = await near.posted(body, heard["headers"], heard["at"])
        _told(status=status, content=base64.b64encode(content).decode())


async def _main() -> None:
    logs.configure(with_operations=False)
    near = app(WITHOUT_MEMORY).api
    assert isinstance(near, Near)
    while heard := await _heard():
        async with opened(Address(heard["engine"], heard["location"]), pool_size=2):
            await prepare_keys()
            _told()
            await _serve(near)
        _told()


if __name__ == "__main__":
    asyncio.run(_main())
