"""The server that a replay talks to: one that it starts itself, or one that runs already."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

import server
from server.clock import Instant
from server.replay.errors import ReplayStopped

CHECKOUT = Path(server.__file__).resolve().parent.parent
READY = b"Ready: "
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0
SECONDS_OF_PATIENCE = 60.0
LONGEST_PAUSE_SECONDS = 5.0
RESTARTS_AT_MOST = 5
LOG_LINES_SHOWN = 5
SCOPES = (
    "PURCHASES_WRITE",
    "MEMBERS_ENROL",
    "MEMBERS_READ",
    "POINTS_REDEEM",
    "INSIGHTS_READ",
    "SIMULATE_TIME",
)
SIMULATED_TIME = ("/usr/bin/env", "LAUREL_SIMULATED_TIME=accept")


class Patience:
    """How long a request is sent again: a while after its first failure, with growing pauses."""

    def __init__(self, seconds: float = SECONDS_OF_PATIENCE, pause: float = 0.1) -> None:
        self._seconds = seconds
        self._pause = pause
        self._since = 0.0

    def wait(self, *, attempt: int) -> bool:
        """Waits before the next attempt; False, at once, if there has been enough of them."""
        now = time.monotonic()
        if attempt == 1:
            self._since = now
        if now - self._since > self._seconds:
            return False
        time.sleep(min(self._pause * 2 ** min(attempt - 1, 10), LONGEST_PAUSE_SECONDS))
        return True


class RemoteServer:
    """A server that somebody else runs."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        self._url = url.rstrip("/").removesuffix("/graphql")
        self._patience = patience or Patience()

    def url(self) -> str:
        """The server's address, without a path."""
        return self._url

    def after_failure(self, reason: str, *, attempt: int) -> None:
        """Waits; raises ReplayStopped when it has been too long."""
        if not self._patience.wait(attempt=attempt):
            raise ReplayStopped(
                f"The server {self._url} does not answer ({reason}). "
                "When it does, start the same command again to continue."
            )


class OwnServer:
    """A server on a database of the replay's; it ends when the replay does, however that ends."""

    def __init__(
        self,
        location: Sequence[str],
        *,
        log: Path,
        lock: int,
        say: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self._location = tuple(location)  # --data FOLDER or --database URL
        self._log = log
        self._lock = lock  # an open file that the server holds, too, for as long as it runs
        self._say = say
        self._patience = patience or Patience()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._restarts = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- setting up -----------------------------------------------------------------------------

    def migrate(self) -> None:
        """Brings the database's tables up to date."""
        self._run("migrate", "--yes")

    def publish(self, programme: Path) -> None:
        """Publishes the programme."""
        self._run("programme", "publish", str(programme.resolve()))

    def create_key(self) -> str:
        """Makes an API key for the replay and returns it."""
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        output = self._run("keys", "create", "--name", "replay", *scopes, "--json")
        try:
            return str(msgspec.json.decode(output)["key"])
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise ReplayStopped("`keys create` did not print an API key.") from error

    def publish_campaigns(self, file: Path, at: Instant) -> None:
        """Publishes the offers in the file as of the instant; the server runs meanwhile."""
        self._run("publish-campaigns", str(file.resolve()), "--at", str(at))

    def _run(self, *words: str) -> bytes:
        """Runs one of the server's commands to its end and returns what it printed."""
        result = subprocess.run(  # noqa: S603 - the server's own commands
            [sys.executable, "-m", "server", *words, *self._location],
            cwd=CHECKOUT,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if result.returncode != 0:
            said = (result.stderr or result.stdout).decode(errors="replace")
            raise ReplayStopped(f"`{' '.join(words[:2])}` failed: {_last_lines(said)}")
        return result.stdout

    # -- running --------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the server and waits until it is ready, again if it is killed meanwhile."""
        attempt = 0
        while True:
            attempt += 1
            with self._log.open("ab") as log:
                beginning = log.tell()
                self._process = process = self._launched(log)
            with self._log.open("rb") as said:
                said.seek(beginning)
                url, last_words = _ready(process, said)
            if url is not None:
                self._url = url
                return
            self.stop()
            if process.returncode != -signal.SIGKILL or attempt > RESTARTS_AT_MOST:
                raise ReplayStopped(
                    f"The server did not start (status {process.returncode}, see {self._log}): "
                    f"{last_words}"
                )
            self._say("The server was killed while it started; it is started again.")

    def _launched(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """The server's process; it ends when the other end of its standard input is closed."""
        return subprocess.Popen(  # noqa: S603 - the server's own command
            [
                *SIMULATED_TIME,
                sys.executable,
                *("-m", "server", "serve", "--host", "127.0.0.1", "--port", "0"),
                *("--migrate", "--stop-with-stdin"),
                *self._location,
            ],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(self._lock,),
            start_new_session=True,  # Ctrl-C is for the replay, which then stops the server
        )

    def stop(self) -> None:
        """Lets the server finish and end; ends it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for end in (process.terminate, process.kill):
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                end()
        process.wait()

    def url(self) -> str:
        """The server's address, without a path."""
        return self._url

    @property
    def pid(self) -> int:
        """The server's process."""
        return 0 if self._process is None else self._process.pid

    def after_failure(self, reason: str, *, attempt: int) -> None:
        """Starts the server again if it has ended, else waits; ReplayStopped after too many."""
        if attempt == 1:
            self._restarts = 0
        status = None if self._process is None else self._process.poll()
        if status is None:
            if not self._patience.wait(attempt=attempt):
                raise ReplayStopped(
                    f"The server does not answer ({reason}; see {self._log}). "
                    "Start the same command again to continue."
                )
            return
        if self._restarts >= RESTARTS_AT_MOST:
            raise ReplayStopped(
                f"The server ended {self._restarts + 1} times during one request (see {self._log})."
                " Start the same command again to continue."
            )
        self._restarts += 1
        self._say(f"The server ended with status {status}; it is started again.")
        self.stop()
        self.start()


def _ready(process: subprocess.Popen[bytes], said: IO[bytes]) -> tuple[str | None, str]:
    """The address in the line that the server prints when it is ready, and its last words."""
    deadline = time.monotonic() + SECONDS_TO_START
    printed = b""
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        printed += said.read()
        for line in printed.splitlines(keepends=True):
            if line.startswith(READY) and line.endswith(b"\n"):
                return line.removeprefix(READY).decode().strip(), ""
        if ended:
            break
        time.sleep(0.02)
    return None, _last_lines(printed.decode(errors="replace"))


def _last_lines(text: str) -> str:
    """The end of what a program said, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-LOG_LINES_SHOWN:]) or "it said nothing"
