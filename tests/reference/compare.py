"""`python -m tests.reference.compare EXPECTED_DIR ACTUAL_DIR`: do two replays agree?

Compares members.jsonl (any order), months.jsonl and retention.jsonl, and offers.jsonl if it is
expected. Integers and texts must be equal, rates within 1e-6. Exit code 1 when they differ.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

KEYS = {
    "members.jsonl": ("household_id",),
    "months.jsonl": ("month",),
    "retention.jsonl": ("cohort", "month"),
    "offers.jsonl": ("offer_id",),
}
RATES = frozenset(
    (
        "repeat_purchase_rate",
        "purchase_frequency",
        "average_basket_minor",
        "redemption_rate",
        "breakage_rate",
        "retention",
        "conversion_rate",
    )
)
TOLERANCE = Decimal("0.000001")
SHOWN_PER_FIELD = 3
MISSING = "(missing)"


def say(text: str) -> None:
    """Writes a line for whoever runs the comparison."""
    sys.stdout.write(text + "\n")


def same(field: str, expected: Any, actual: Any) -> bool:
    """Whether a value will do: 1 is not "1", not 1.0 and not true, except that rates may be so."""
    if field in RATES:
        if isinstance(actual, bool) or not isinstance(actual, int | Decimal):
            return False
        return bool(abs(Decimal(expected) - Decimal(actual)) <= TOLERANCE)
    return type(expected) is type(actual) and bool(expected == actual)


def rows_of(path: Path) -> list[Row]:
    """The objects of a JSON Lines file; numbers with a point stay exact."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line, parse_float=Decimal) for line in lines if line.strip()]


def differences(name: str, expected: list[Row], actual: list[Row]) -> list[tuple[str, str]]:
    """The differences of one file, each as (field, what is wrong)."""
    keys = KEYS[name]
    found: list[tuple[str, str]] = []

    def by_key(rows: list[Row]) -> dict[tuple[str, ...], Row]:
        indexed: dict[tuple[str, ...], Row] = {}
        for row in rows:
            key = tuple(str(row.get(key, MISSING)) for key in keys)
            if key in indexed:
                found.append(("(rows)", f"{'/'.join(key)}: more than once"))
            indexed[key] = row
        return indexed

    wanted, got = by_key(expected), by_key(actual)
    found += [("(rows)", f"{'/'.join(key)}: missing") for key in wanted if key not in got]
    found += [("(rows)", f"{'/'.join(key)}: not expected") for key in got if key not in wanted]
    for key, row in wanted.items():
        other = got.get(key)
        if other is None:
            continue
        for field in [*row, *(field for field in other if field not in row)]:
            left, right = row.get(field, MISSING), other.get(field, MISSING)
            if not same(field, left, right):
                found.append((field, f"{'/'.join(key)}: expected {left}, got {right}"))
    return found


def main(expected_dir: str, actual_dir: str) -> int:
    """Prints the first differences of each field of each file; 0 if there is none, else 1."""
    result = 0
    for name in KEYS:
        expected, actual = Path(expected_dir) / name, Path(actual_dir) / name
        if name == "offers.jsonl" and not expected.exists():
            continue
        if not actual.exists():
            say(f"{name}: not there")
            result = 1
            continue
        rows = rows_of(expected)
        found = differences(name, rows, rows_of(actual))
        say(f"{name}: {len(rows)} rows expected, {len(found)} differences")
        for field in dict.fromkeys(field for field, _ in found):
            of_field = [text for of, text in found if of == field]
            say(f"  {field}: {len(of_field)}")
            for text in of_field[:SHOWN_PER_FIELD]:
                say(f"    {text}")
        result = 1 if found else result
    return result


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Use: python -m tests.reference.compare EXPECTED_DIR ACTUAL_DIR")
    sys.exit(main(sys.argv[1], sys.argv[2]))
