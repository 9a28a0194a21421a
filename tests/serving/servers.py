"""Servers as a user starts them: processes of their own, told what to do by options and signals."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from server.storage.database import Address

CHECKOUT = Path(__file__).parents[2]
SECONDS_TO_START = 120.0  # the machine may be busy
SECONDS_TO_STOP = 30.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LAUREL_BACKGROUND": "elsewhere"}
"""Nothing of the tester's own: LAUREL_ settings would count. Who tests background work says so."""


def command(*words: str) -> list[str]:
    """The command line of one of the server's commands."""
    return [sys.executable, "-P", "-m", "server", *words]


def environment(**settings: str) -> dict[str, str]:
    """A process's environment with these settings."""
    return {**ENVIRONMENT, "PYTHONPATH": str(CHECKOUT), **settings}


def finished(
    *words: str, cwd: Path, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs one of the server's commands to its end."""
    return subprocess.run(
        command(*words),
        cwd=cwd,
        env=environment(**(settings or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_START,
    )


@dataclass
class Server:
    """A running server, and what it has printed."""

    process: subprocess.Popen[str]
    started_at: float
    printed: list[str] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _has_more: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        """Start reading."""
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.printed), (self.process.stderr, self._errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str], lines: list[str]) -> None:
        for line in pipe:
            with self._has_more:
                lines.append(line.rstrip("\n"))
                self._has_more.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Waits until a printed line matches."""
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            with self._has_more:
                for line in self.printed:
                    if found := re.search(pattern, line):
                        return found
                has_ended = self.process.poll() is not None
                self._has_more.wait(0.05)
            if has_ended and not any(reader.is_alive() for reader in self._readers):
                break
        raise AssertionError(f"no {pattern!r} in {self.text} and {self.errors}")

    @property
    def url(self) -> str:
        """Where it answers, as it says itself."""
        return self.wait_for(r"^Ready: (http://\S+)$")[1]

    @property
    def text(self) -> str:
        """Everything on standard output."""
        return "\n".join(self.printed)

    @property
    def errors(self) -> str:
        """Everything on standard error."""
        return "\n".join(self._errors)

    @property
    def complaints(self) -> list[str]:
        """The lines on standard error that don't just tell what was done."""
        return [line for line in self._errors if '"level": "info"' not in line]

    @property
    def cpu_seconds(self) -> float:
        """How long it has computed so far, however busy the machine is with other things."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops it; its exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end; its exit code."""
        code = self.process.wait(SECONDS_TO_STOP)
        for reader in self._readers:
            reader.join(SECONDS_TO_STOP)
        return code


@contextmanager
def started(*words: str, cwd: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that `serve` starts with these options; it is killed if it still runs at the end."""
    process = subprocess.Popen(
        command("serve", *words),
        cwd=cwd,
        env=environment(**(settings or {})),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        server = Server(process, time.monotonic())
        try:
            yield server
        finally:
            process.kill()
            server.ended()


def get(url: str) -> tuple[int, str]:
    """The status and the text that a GET answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", parts.path or "/", headers={"accept": "text/html"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def ask(
    url: str, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
) -> Any:
    """The data that a GraphQL operation answers; fails if it answers errors."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    try:
        body = json.dumps({"query": query, "variables": variables or {}})
        connection.request("POST", "/graphql", body, headers)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert "errors" not in answer, answer
    return answer["data"]


def options_of(address: Address) -> list[str]:
    """The options that name a database."""
    if address.engine == "sqlite":
        return ["--data", str(Path(address.location).parent)]
    return ["--database", address.location]
