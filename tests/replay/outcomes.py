"""What whole replays in tests come to."""

from pathlib import Path

from tests.reference import compare
from tests.reference.programme_reference import play
from tests.replay.fake_laurel import FakeLaurel
from tests.replay.helpers import Json, options_for, run_silently

FILES = ("members.jsonl", "months.jsonl", "retention.jsonl")


def differences(out: Path, document: Json, baskets: list[Json]) -> list[tuple[str, str]]:
    """How the results differ from the reference's."""
    expected = play(document, baskets)
    wanted = (expected.members, expected.months, expected.retention)
    return [
        difference
        for name, rows in zip(FILES, wanted, strict=True)
        for difference in compare.differences(name, rows, compare.rows_of(out / name))
    ]


def number_of_requests(tmp_path: Path, document: Json, baskets: list[Json]) -> int:
    with FakeLaurel(document).running() as laurel:
        run_silently(options_for(tmp_path / "whole", document, baskets, url=laurel.url))
    return len(laurel.requests)
