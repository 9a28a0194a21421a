"""A real server, and requests to it while it may die."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from server.edge.http import SIMULATED_TIME_HEADER
from server.storage.database import Address
from tests.api.calling import NOW, Caller, Json, shown
from tests.api.contract import mutation_document
from tests.serving.servers import Server, options_of, started

SILENT = (OSError, http.client.HTTPException)
"""What a request comes to whose server dies."""


@contextmanager
def serving(address: Address, cwd: Path) -> Iterator[Server]:
    """A server process that takes the time from requests."""
    words = ("--port", "0", *options_of(address))
    with started(*words, cwd=cwd, settings={"LAUREL_SIMULATED_TIME": "accept"}) as server:
        yield server


def posted(url: str, name: str, input: Json, caller: Caller) -> Json:
    """What the server answers to a mutation at NOW, errors included. Raises one of SILENT."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {
        "content-type": "application/json",
        SIMULATED_TIME_HEADER: shown(NOW),
        **caller.headers,
    }
    try:
        body = json.dumps({"query": mutation_document(name), "variables": {"input": input}})
        connection.request("POST", "/graphql", body, headers)
        answer: Json = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer
