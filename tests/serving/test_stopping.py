"""How a server ends: when it is asked to, in order, and with exit code 0."""

import json
import shutil
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from server.storage.database import DATABASE_FILE
from tests.serving.servers import get, started


@pytest.fixture
def data(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with a migrated, empty database."""
    shutil.copyfile(sqlite_template, tmp_path / DATABASE_FILE)
    return tmp_path


def test_a_request_under_way_is_answered_first(data: Path) -> None:
    body = json.dumps({"query": "{ __typename }"}).encode()
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with started("--port", "0", "--data", str(data), cwd=data) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(head + body[:5])
            assert get(f"{server.url}/healthz") == (200, "ok\n")
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert server.process.poll() is None
            connection.sendall(body[5:])
            answer = b""
            while more := connection.recv(65536):
                answer += more
        assert server.ended() == 0
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'{"data":{"__typename":"Query"}' in answer
    assert server.printed == [f"Ready: {server.url}", "Stopped."]
    assert server.complaints == []


def test_it_ends_with_its_input_if_it_is_told_to(data: Path) -> None:
    words = ["--port", "0", "--stop-with-stdin", "--data", str(data)]
    with started(*words, cwd=data) as server:
        assert get(f"{server.url}/healthz") == (200, "ok\n")
        assert server.process.poll() is None
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.ended() == 0
    assert server.printed == [f"Ready: {server.url}", "Stopped."]
    assert server.complaints == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_is_broken_off_in_order(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    with started("--demo", "--port", "0", "--data", str(data), cwd=tmp_path) as server:
        server.wait_for("Making the sample members")
        assert server.stop(number) == 0
    assert server.printed[-1] == "Stopped."
    assert server.complaints == []
    with closing(sqlite3.connect(data / DATABASE_FILE)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM members").fetchone() == (0,)
        assert connection.execute("SELECT COUNT(*) FROM programme_versions").fetchone() == (0,)


def test_it_says_for_a_while_that_it_stops_before_it_does(data: Path) -> None:
    settings = {"LAUREL_DRAIN_SECONDS": "60"}
    with started("--port", "0", "--data", str(data), cwd=data, settings=settings) as server:
        assert get(f"{server.url}/readyz") == (200, "ok\n")
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while get(f"{server.url}/readyz") != (503, "the server is stopping\n"):
            assert time.monotonic() < deadline
        assert get(f"{server.url}/healthz") == (200, "ok\n")
        assert server.stop() == 0  # asked once more it stops at once
    assert server.complaints == []
