"""Files of balances for tests, and running the command on them."""

import csv
import subprocess
import sys
from pathlib import Path

from server.storage.database import Address
from tests.serving.servers import ENVIRONMENT

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str, name: str = "balances.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def many(folder: Path, count: int, name: str = "many.csv") -> Path:
    """A file of members m0, m1, ... with 1, 2, ... points and so many cents each."""
    file = folder / name
    with file.open("w") as out:
        out.write("external_id,points,cashback\n")
        for number in range(count):
            cents = number + 1
            out.write(f"m{number},{number + 1},{cents // 100}.{cents % 100:02}\n")
    return file


def command(file: Path, address: Address, *options: str) -> list[str]:
    where = (
        ["--database", address.location]
        if address.engine == "postgres"
        else ["--data", str(Path(address.location).parent)]
    )
    return [sys.executable, "-m", "server", "import", "balances", str(file), *where, *options]


def run(file: Path, address: Address, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end in a process of its own."""
    return subprocess.run(
        command(file, address, *options),
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def statuses(report: Path) -> list[tuple[str, str, str]]:
    """(number, external id, status) of each line of a report."""
    with report.open(newline="") as file:
        return [(row["number"], row["external_id"], row["status"]) for row in csv.DictReader(file)]
