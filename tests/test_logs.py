"""The log says what failed and where, and nothing of whom."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import structlog
from asyncpg import UniqueViolationError
from server import logs

logs.configure()
password = "hunter2-in-a-variable"
try:
    detail = "Key (external_id)=(anna) exists."
    facts = {"S": "ERROR", "C": "23505", "M": "duplicate key", "D": detail}
    raise UniqueViolationError.new(facts)
except UniqueViolationError as error:
    structlog.get_logger().error("unexpected error", error_id="1f", exc_info=error)
"""


def test_an_error_is_one_line_without_values() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = ran.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["error_id"]) == ("unexpected error", "error", "1f")
    assert told["exception"].splitlines()[-1].endswith("UniqueViolationError: duplicate key")
    assert "anna" not in line
    assert "hunter2" not in line
