"""`python -m tests.fcm --port 0 --credentials FOLDER [--log FILE] [--usual WAY]`

Prints its URL and the credentials' path, and serves until it is stopped. Without --log nothing of
what comes is kept but the count. Each line of the log is flushed before the message is answered.
"""

import argparse
import asyncio
from pathlib import Path

import uvloop

from tests.fcm.conduct import Conduct
from tests.fcm.credentials import PROJECT
from tests.fcm.running import listening, made


async def _serve(told: argparse.Namespace) -> None:
    fcm = made(project=told.project, port=told.port)
    fcm.keeps = False
    fcm.usual = Conduct.of(told.usual)
    if told.log is not None:
        fcm.log = told.log.open("ab")
    await listening(fcm)
    told.credentials.mkdir(parents=True, exist_ok=True)
    print(fcm.url, fcm.account.write(told.credentials), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.fcm", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--project", default=PROJECT)
    parser.add_argument("--credentials", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--usual", default="ok")
    try:
        uvloop.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
