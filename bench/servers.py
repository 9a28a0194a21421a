"""The servers that are measured, each for a block: Laurel, two of Node, stock Strawberry."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import IO

import httpx2

from bench import cores
from bench.cluster import FOLDER, free_port
from bench.operations import HOST
from bench.seeding import ISSUER

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
START_SECONDS = 60
_STOP_SECONDS = 30


class Peer(StrEnum):
    """Who is measured."""

    LAUREL = "Laurel"
    LOADERS = "Mercurius + graphql-jit"
    SQL = "Mercurius, one SQL"
    STOCK = "stock Strawberry"

    @property
    def is_of_node(self) -> bool:
        """Whether it runs on Node."""
        return self in (Peer.LOADERS, Peer.SQL)


class CannotServe(Exception):
    """A server can't be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    peer: Peer
    port: int
    pid: int

    @property
    def peak_mib(self) -> float:
        """The most memory that the process has had."""
        return _status_kib(self.pid, "VmHWM") / 1024

    @property
    def cpu_seconds(self) -> float:
        """The time of processors that it has taken so far."""
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        fields = text.rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_kib(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0])


@contextmanager
def serving(peer: Peer, url: str, config: Path, *, core: int | None = None) -> Iterator[Server]:
    """The server on the database, ready and pinned. `config` is what the peers are told."""
    port = free_port()
    command, more = _command(peer, url, config, port)
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603 - the product and its peers
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**environment(), **more},
        )
        try:
            cores.pin(process.pid, cores.SERVER_CORE if core is None else core)
            _wait(process, port, log)
            yield Server(peer, port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment() -> dict[str, str]:
    """What programs that are started here inherit: nothing that would set Laurel up otherwise."""
    inherited = os.environ  # noqa: TID251 - handed on to programs, not read
    return {name: value for name, value in inherited.items() if not name.startswith("LAUREL_")}


def laurel_settings(url: str) -> dict[str, str]:
    """Production's settings, with the limits lifted that would refuse a few clients' load, the log
    of operations off, and no audit beside what is measured."""
    return {
        "LAUREL_MODE": "production",
        "LAUREL_ISSUER": ISSUER,
        "LAUREL_DATABASE": url,
        "LAUREL_OPERATION_LOG": "none",
        "LAUREL_COST_BUDGET_PERCENT": "0",
        "LAUREL_AUDIT_INTERVAL_SECONDS": "0",
    }


def _command(peer: Peer, url: str, config: Path, port: int) -> tuple[list[str], dict[str, str]]:
    own = ["--port", str(port)]
    if peer is Peer.LAUREL:
        return [sys.executable, "-P", "-m", "server", "serve", *own], laurel_settings(url)
    told = [str(config), "--url", url, *own]
    if peer is Peer.STOCK:
        return [sys.executable, "-P", "-m", "bench.peers.stock_strawberry", *told], {}
    variant = "loaders" if peer is Peer.LOADERS else "sql"
    return ["node", str(node_folder() / "server.mjs"), variant, *told], {"NODE_ENV": "production"}


def _wait(process: subprocess.Popen[bytes], port: int, log: IO[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            httpx2.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": HOST}, timeout=5)
        except httpx2.TransportError:
            time.sleep(0.02)
        else:
            return
    log.seek(0)
    raise CannotServe(f"the server did not start: {log.read()[-1500:]}")


def ask(port: int, shot: bytes) -> dict[str, object]:
    """The answer to one request."""
    head, _, content = shot.partition(b"\r\n\r\n")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    answer = httpx2.post(
        f"http://127.0.0.1:{port}/graphql", content=content, headers=headers, timeout=30
    )
    shown: dict[str, object] = answer.json()
    return shown


# ---------------------------------------------------------------- Node's packages


def has_node() -> bool:
    """Whether Node and npm are there, new enough."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout  # noqa: S607
    found = re.match(r"v(\d+)", said)
    return found is not None and int(found[1]) >= 20


def node_folder() -> Path:
    """Where the peers' programs and packages are: in the environment, by the lock file's hash."""
    lock = (PEERS / "node" / "package-lock.json").read_bytes()
    return FOLDER / f"node-{sha256(lock).hexdigest()[:12]}"


def install_node() -> None:
    """Install what the lock file says, unless it is, and copy the programs beside it.

    Raises CannotServe.
    """
    folder = node_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for file in (PEERS / "node").iterdir():
        shutil.copy(file, folder / file.name)
    if (folder / "installed").exists():
        return
    options: Sequence[str] = ("--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts")
    done = subprocess.run(  # noqa: S603
        ["npm", "ci", *options],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CannotServe(f"npm ci failed: {done.stderr[-800:]}")
    (folder / "installed").touch()


def rates(values: Mapping[Peer, float]) -> str:
    """Rates in a line, for what is said meanwhile."""
    return ", ".join(f"{peer.value} {value:,.0f}" for peer, value in values.items())
