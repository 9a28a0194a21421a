"""What is in a database or a folder, in full, to see that nothing has changed."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from server.storage.database import Address
from tests.postgres import INSTALLATION


def contents(address: Address) -> str:
    """Every table and row, as SQL."""
    if address.engine == "sqlite":
        uri = f"{Path(address.location).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return "\n".join(connection.iterdump())
    dump: list[str | Path] = [INSTALLATION / "bin/pg_dump", "--inserts", "--restrict-key=laurel"]
    result = subprocess.run(
        [*dump, "--dbname", address.location], check=True, capture_output=True, text=True
    )
    return result.stdout


def files(folder: Path) -> dict[str, bytes | None]:
    """Every file below the folder with its bytes, and every folder with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
