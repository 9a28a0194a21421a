"""The replay's own server as a process, with a stand-in for the server's command line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.replay import server_process
from server.replay.client import Recovery
from server.replay.errors import ReplayStopped
from server.replay.server_process import OwnServer, Patience, RemoteServer

STAND_IN = """
import json, os, sys
words = sys.argv[1:]
with open(os.path.join(os.getcwd(), "calls"), "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if words[0] == "serve":
    if os.path.exists("killed"):
        os.unlink("killed")
        os.kill(os.getpid(), 9)
    if os.path.exists("broken"):
        print("the database is too new", flush=True)
        sys.exit(3)
    print("INFO starting", os.environ["LAUREL_SIMULATED_TIME"], flush=True)
    print("Ready: http://127.0.0.1:4321", flush=True)
    sys.stdin.read()
elif words[0] == "keys":
    print(json.dumps({"id": "k1", "key": "laurel_secret"}))
elif words[0] == "programme":
    sys.exit("no such weekday\\nprogramme refused")
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose server only notes how it was called."""
    package = tmp_path / "checkout" / "server"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    monkeypatch.setattr(server_process, "CHECKOUT", package.parent)
    return package.parent


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def own(checkout: Path, tmp_path: Path, said: list[str]) -> Iterator[OwnServer]:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        yield OwnServer(
            ("--data", str(tmp_path / "data")),
            log=tmp_path / "server.log",
            lock=lock,
            say=said.append,
            patience=Patience(seconds=1.0, pause=0.05),
        )
    finally:
        os.close(lock)


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def fail_again_and_again(server: Recovery, reason: str) -> None:
    for attempt in range(1, 100):
        server.after_failure(reason, attempt=attempt)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_starts_and_stops(own: OwnServer, checkout: Path, tmp_path: Path) -> None:
    with own:
        assert own.url() == "http://127.0.0.1:4321"
        pid = own.pid
        assert is_running(pid)
    assert not is_running(pid)
    assert "INFO starting accept" in (tmp_path / "server.log").read_text()
    assert (checkout / "calls").read_text() == (
        '["serve", "--host", "127.0.0.1", "--port", "0", "--migrate", "--stop-with-stdin", '
        f'"--data", "{tmp_path / "data"}"]\n'
    )


def test_a_key_is_made_with_the_scopes_of_a_replay(own: OwnServer, checkout: Path) -> None:
    own.migrate()
    assert own.create_key() == "laurel_secret"
    migrate, keys = (checkout / "calls").read_text().splitlines()
    assert '"migrate", "--yes", "--data"' in migrate
    assert '"keys", "create", "--name", "replay", "--scope", "PURCHASES_WRITE"' in keys
    assert '"--scope", "SIMULATE_TIME", "--json"' in keys


def test_a_command_that_fails_is_named_with_its_last_words(own: OwnServer, tmp_path: Path) -> None:
    with pytest.raises(
        ReplayStopped, match=r"`programme publish` failed: no such weekday \| programme refused$"
    ):
        own.publish(tmp_path / "programme.yaml")


def test_a_server_that_does_not_start_is_said_to(own: OwnServer, checkout: Path) -> None:
    (checkout / "broken").touch()
    with pytest.raises(
        ReplayStopped, match=r"did not start \(status 3, see .*: the database is too new$"
    ):
        own.start()


def test_a_server_killed_while_it_starts_is_started_again(
    own: OwnServer, checkout: Path, said: list[str]
) -> None:
    (checkout / "killed").touch()
    with own:
        assert is_running(own.pid)
    assert said == ["The server was killed while it started; it is started again."]


def test_a_killed_server_is_started_again(own: OwnServer, said: list[str]) -> None:
    with own:
        killed = own.pid
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: not is_running(killed))
        own.after_failure("connection refused", attempt=1)
        assert is_running(own.pid)
        assert own.pid != killed
    assert said == ["The server ended with status -9; it is started again."]


def test_a_server_that_ends_at_every_attempt_is_given_up(own: OwnServer) -> None:
    with own:
        for attempt in range(1, 6):
            os.kill(own.pid, signal.SIGKILL)
            assert until(lambda: not is_running(own.pid))
            own.after_failure("connection refused", attempt=attempt)
        os.kill(own.pid, signal.SIGKILL)
        assert until(lambda: not is_running(own.pid))
        with pytest.raises(ReplayStopped, match="ended 6 times during one request"):
            own.after_failure("connection refused", attempt=6)


def test_a_server_that_is_there_but_silent_is_given_up_after_a_while(own: OwnServer) -> None:
    with own, pytest.raises(ReplayStopped, match=r"does not answer \(timed out; see .*continue"):
        fail_again_and_again(own, "timed out")


def test_the_server_ends_when_its_replay_is_killed(checkout: Path, tmp_path: Path) -> None:
    script = f"""
import os, sys, time
from pathlib import Path
from server.replay import server_process
server_process.CHECKOUT = Path({str(checkout)!r})
lock = os.open({str(tmp_path / "lock")!r}, os.O_RDWR | os.O_CREAT)
own = server_process.OwnServer((), log=Path({str(tmp_path / "log")!r}), lock=lock, say=print)
own.start()
print(own.pid, flush=True)
time.sleep(60)
"""
    real = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=real
    ) as replay:
        assert replay.stdout is not None
        pid = int(replay.stdout.readline())
        assert is_running(pid)
        replay.kill()
    assert until(lambda: not is_running(pid))


def test_a_remote_server_is_waited_for_and_then_given_up() -> None:
    remote = RemoteServer("http://h:1/graphql/", Patience(seconds=0.05, pause=0.01))
    assert remote.url() == "http://h:1"
    with pytest.raises(
        ReplayStopped, match=r"^The server http://h:1 does not answer \(refused\)\. When it does"
    ):
        fail_again_and_again(remote, "refused")
