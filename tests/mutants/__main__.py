"""Puts each deliberate bug into a copy of the project and runs the tests: `scripts/mutants`.

First the tests nearest to the bugs run without any of them, for a test that fails anyway catches
nothing. Exits 1 if a bug lives, or if the code that it was to replace has changed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trying import ALL_SECONDS, Copy, NotRun, Result, tried


def main() -> int:
    """Try the bugs named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="bugs to try; all if none is named")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument(
        "--nearest", action="store_true", help="never run all tests, only the nearest"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=max(1, min(8, os.cpu_count() or 1)),
        help="how many bugs to try at once; as many as there are cores",
    )
    arguments = parser.parse_args()
    chosen = [one for one in MUTANTS if not arguments.names or one.name in arguments.names]
    unknown = set(arguments.names) - {one.name for one in chosen}
    if unknown:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    if arguments.list:
        _print_table([("bug", "file", "what it does")], [_facts(one) for one in chosen])
        return 0
    started = time.monotonic()
    results = _results(chosen, jobs=arguments.jobs, nearest_only=arguments.nearest)
    caught = sum(result.is_caught for result in results)
    print()
    _print_table(
        [("bug", "file", "what it does", "result")],
        [(*_facts(result.mutant), f"{result.verdict} {result.test}".strip()) for result in results],
    )
    minutes = (time.monotonic() - started) / 60
    print(f"\n{caught} of {len(results)} deliberate bugs caught in {minutes:.1f} minutes")
    return 0 if caught == len(results) else 1


def _facts(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.name, mutant.file, mutant.what


def _print_table(heads: Sequence[tuple[str, ...]], rows: Sequence[tuple[str, ...]]) -> None:
    table = [*heads, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(" | ".join(cells).rstrip())


def _results(chosen: Sequence[Mutant], *, jobs: int, nearest_only: bool) -> list[Result]:
    """What became of each bug, in the order of the catalogue."""
    with (
        tempfile.TemporaryDirectory(prefix="laurel-mutants-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(jobs) as executor,
    ):
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(min(jobs, len(chosen))):
            place = Path(folder) / str(number)
            place.mkdir()
            copies.put(Copy(place))
        broken = _broken_anyway(copies, chosen, workers=jobs)

        def result(mutant: Mutant) -> Result:
            if failing := broken & set(mutant.tests):
                return Result(mutant, f"NOT TRIED: without any bug fails {min(failing)}")
            copy, started = copies.get(), time.monotonic()
            try:
                found = tried(copy, mutant, nearest_only=nearest_only)
            finally:
                copies.put(copy)
            seconds = time.monotonic() - started
            print(f"{mutant.name}: {found.verdict} {found.test} ({seconds:.0f} s)", flush=True)
            return found

        return list(executor.map(result, chosen))


def _broken_anyway(
    copies: "SimpleQueue[Copy]", chosen: Sequence[Mutant], *, workers: int
) -> set[str]:
    """Those of the nearest tests that fail without any bug, as the mutants name them."""
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    copy = copies.get()
    try:
        failed = copy.failures(tests, seconds=ALL_SECONDS, workers=workers, stops_at_first=False)
    except NotRun as error:
        raise SystemExit(f"the tests could not be run without any bug:\n{error}") from None
    finally:
        copies.put(copy)
    for one in failed:
        print(f"fails without any bug: {one}", flush=True)
    return {test for test in tests if any(one == test or one.startswith(test) for one in failed)}


if __name__ == "__main__":
    sys.exit(main())
