"""`python -m tests.reference PROGRAMME.yaml BASKETS.jsonl[.gz] OUT_DIR`: the expected outputs."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.reference.programme_reference import play


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file, packed or not."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one JSON object a line."""
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))


def main(programme: str, baskets: str, out_dir: str) -> None:
    """Plays the baskets and writes members.jsonl, months.jsonl and retention.jsonl."""
    outcome = play(yaml.safe_load(Path(programme).read_text()), read_lines(Path(baskets)))
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "members.jsonl", outcome.members)
    write_lines(out / "months.jsonl", outcome.months)
    write_lines(out / "retention.jsonl", outcome.retention)


if __name__ == "__main__":
    main(*sys.argv[1:])
