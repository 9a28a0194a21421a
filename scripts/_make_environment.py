"""Makes or repairs .venv from a lock file; scripts/_environment calls it when there is a need.

Runs on a bare Python 3.11: standard library only. Three files in .venv tell its state:
`incomplete` stands there while it is being changed, so whoever finds it without a running
maker starts anew; `installed-runtime.lock` and `installed-dev.lock` are copies of the lock
files that it was made from.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INCOMPLETE = VENV / "incomplete"
LOCKS = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}

UNREACHABLE = re.compile(
    r"connection (broken|refused|error|reset)|NewConnectionError|ConnectTimeout|ReadTimeout"
    r"|timed out|name resolution|Name or service not known|dns error|error sending request"
    r"|Failed to fetch",
    re.IGNORECASE,
)
NOT_WRITABLE = re.compile(
    r"Permission denied|Read-only file system|No space left on device|Disk quota exceeded"
)


class Failure(Exception):
    """One line for the person at the terminal."""


class InstallFailure(Failure):
    """An installer failed; `output` is the end of what it said."""

    def __init__(self, output: str) -> None:
        super().__init__(f"Installing failed. The installer's last words:\n{output}")
        self.output = output


def main(kind: str) -> int:
    """Brings .venv up to date for `kind` and says in one line what went wrong, if anything."""
    try:
        # The lock is on the checkout's folder: no file to leave behind, and it ends with us.
        lock = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another script is making the environment; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(kind):
            bring_up_to_date(kind, lock)
    except Failure as failure:
        say(str(failure))
        return 1
    except OSError as error:
        say(f"Cannot write the environment to {VENV}: {error.strerror or error}.")
        return 1
    except KeyboardInterrupt:
        say("Stopped. The next start makes the environment anew.")
        return 130
    return 0


def is_current(kind: str) -> bool:
    """Whether nothing is left to do; another script may have done it while we waited."""
    try:
        same = (VENV / f"installed-{kind}.lock").read_bytes() == LOCKS[kind].read_bytes()
    except FileNotFoundError:
        return False
    return same and not INCOMPLETE.exists() and is_usable()


def is_usable() -> bool:
    """Whether .venv has a Python that starts and is new enough."""
    check = [str(PYTHON), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return PYTHON.exists() and subprocess.run(check, capture_output=True).returncode == 0


def bring_up_to_date(kind: str, lock: int) -> None:
    """Makes .venv if there is none that works, then installs into it."""
    start = time.monotonic()
    is_new = INCOMPLETE.exists() or not is_usable()
    if is_new and VENV.exists():
        say("The environment in .venv is half made or broken: making it anew.")
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    INCOMPLETE.touch()
    try:
        if is_new:
            say(f"Making the environment .venv with Python {sys.version.split()[0]} …")
            make_venv()
        install(kind, lock)
    except Failure as failure:
        if is_new:
            shutil.rmtree(VENV, ignore_errors=True)
        output = failure.output if isinstance(failure, InstallFailure) else ""
        if NOT_WRITABLE.search(output):
            raise Failure(f"Cannot write the environment to {VENV}:\n{output}") from failure
        if UNREACHABLE.search(output):
            # Both installers fetch everything before they install anything.
            INCOMPLETE.unlink(missing_ok=True)
            raise Failure(
                "The Python package index cannot be reached; nothing was changed. "
                "Try again with a network connection."
            ) from failure
        raise
    # Whoever has the tools has the server's packages too: the one lock contains the other.
    for done in {kind, "runtime"}:
        shutil.copyfile(LOCKS[done], VENV / f"installed-{done}.lock")
    INCOMPLETE.unlink()
    compile_checkout()
    say(f"The environment is ready ({time.monotonic() - start:.0f} s).")


def make_venv() -> None:
    """A virtual environment, with pip if this Python ships it."""
    # Debian keeps ensurepip in a package of its own; then a pip outside has to do.
    ensurepip = [sys.executable, "-c", "import ensurepip; ensurepip.version()"]
    has_ensurepip = subprocess.run(ensurepip, capture_output=True).returncode == 0
    options = [] if has_ensurepip else ["--without-pip"]
    result = subprocess.run(
        [sys.executable, "-m", "venv", *options, VENV], capture_output=True, text=True
    )
    if result.returncode:
        raise InstallFailure((result.stderr or result.stdout).strip())


def pip_command() -> list[str]:
    """The environment's own pip, or this Python's pip working on the environment."""
    inside = [str(PYTHON), "-m", "pip"]
    outside = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    for command in (inside, outside):
        if subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
            return command
    raise Failure(
        f"This Python ({sys.executable}) has neither ensurepip nor pip. On Debian and Ubuntu: "
        f"apt-get install python{sys.version_info.major}.{sys.version_info.minor}-venv"
    )


def install(kind: str, lock: int) -> None:
    """Installs a lock file: with uv, which halves the time, else with pip."""
    requirements = LOCKS[kind]
    count = sum("==" in line for line in requirements.read_text().splitlines())
    say(f"Installing up to {count} packages ({kind}) …")
    exact = ["--require-hashes", "--no-deps"]  # the lock names every dependency
    pip = [*pip_command(), "install", "--no-input", "--disable-pip-version-check", "--retries=2"]
    with tempfile.TemporaryDirectory() as folder:
        uv_lock = Path(folder) / "uv.lock"
        uv_lock.write_text(entry("uv", LOCKS["dev"].read_text()))
        try:
            run([*pip, *exact, "--only-binary=:all:", "-r", str(uv_lock)], lock)
            uv = [str(PYTHON), "-m", "uv", "pip", "install", "--system-certs", f"--python={PYTHON}"]
            run([*uv, *exact, "--compile-bytecode", "-r", str(requirements)], lock)
        except InstallFailure as failure:
            is_offline = UNREACHABLE.search(failure.output) and not has_uv()
            if is_offline or NOT_WRITABLE.search(failure.output):
                raise
            say("uv does not work here; using pip …")
            run([*pip, *exact, "-r", str(requirements)], lock)


def compile_checkout() -> None:
    """Compiles the server to bytecode, so that not even its first start has to. It's no matter if
    it can't: then each start does."""
    folders = [str(ROOT / name) for name in ("server", "graphql_compiler")]
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", *folders], capture_output=True)


def has_uv() -> bool:
    """Whether fetching got as far as uv, so that pip at least can reach its index."""
    return (VENV / "bin" / "uv").exists()


def entry(name: str, lock_text: str) -> str:
    """One package's lines of a lock file, hashes included."""
    found = re.search(rf"^{name}==.*?(?=^\S|\Z)", lock_text, re.MULTILINE | re.DOTALL)
    return found.group() if found else ""


def run(command: list[str], lock: int) -> None:
    """Runs an installer, shows where it is, and keeps its last lines for an error message."""
    # The installer inherits the lock: if we are killed, nobody touches .venv until it ends.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock]
    )
    last_lines: deque[str] = deque(maxlen=12)
    with process:
        for line in process.stdout or []:
            last_lines.append(line.rstrip())
            if re.match(r"(Collecting|Downloading|Prepared|Installing|Installed|Bytecode)", line):
                progress(line.strip())
    progress("")
    if process.returncode:
        raise InstallFailure("\n".join(last_lines))


def say(line: str) -> None:
    """One line for the person at the terminal; standard output belongs to the command."""
    print(line, file=sys.stderr, flush=True)


def progress(step: str) -> None:
    """Shows the current step on a terminal, always on the same line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{step:.78}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
