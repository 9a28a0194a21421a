"""What the commands load: those that need no GraphQL don't wait for it."""

import subprocess
from pathlib import Path

import pytest

from tests.serving.servers import SECONDS_TO_START, command, environment


@pytest.mark.parametrize(
    "words",
    [
        ["migrate"],
        ["programme", "show"],
        ["keys", "create", "--name", "x", "--scope", "MEMBERS_READ"],
        ["serve", "--port", "0"],
    ],
    ids=["migrate", "programme", "keys", "serve refused"],
)
def test_a_command_loads_what_it_needs(words: list[str], tmp_path: Path) -> None:
    python, *rest = command(*words)
    result = subprocess.run(
        [python, "-X", "importtime", *rest],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_START,
    )
    loaded = {
        line.rpartition("|")[2].strip()
        for line in result.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "server.storage.database" in loaded
    heavy = {"strawberry", "graphql", "server.schema", "httpx2", "rich", "barcode", "zxingcpp"}
    assert loaded & heavy == set()
