"""The catalogue of deliberate bugs fits the code: it runs in no time, the bugs themselves don't."""

import ast
from collections import Counter
from functools import cache

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, Outdated
from tests.mutants.trying import ROOT

LEAST = 32


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_bug_has_its_place_and_its_tests(mutant: Mutant) -> None:
    text = mutant.mutated(ROOT)
    assert text != (ROOT / mutant.file).read_text(encoding="utf-8")
    ast.parse(text)
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in {"", *functions(file)}
    assert mutant.what
    assert "\n" not in mutant.what


def test_names_and_bugs_are_unique() -> None:
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert max(Counter((one.file, one.original, one.bug) for one in MUTANTS).values()) == 1
    assert len(MUTANTS) >= LEAST


def test_a_bug_whose_place_is_gone_or_there_twice_is_outdated() -> None:
    one = Mutant("a", "b", "no/such/file.py", "x = 1", "x = 2", ("tests",))
    assert one.applied("x = 1\n") == "x = 2\n"
    for text in ("", "x = 1\nx = 1\n"):
        with pytest.raises(Outdated):
            one.applied(text)
    with pytest.raises(Outdated):
        one.mutated(ROOT)
