"""Names, codes and roles of households."""

import pytest

from server.errors import InvalidInput, NotAllowed
from server.households import rules
from server.households.rules import HouseholdRole

SECRET = bytes(32)


@pytest.mark.parametrize(
    ("given", "name"),
    [(None, None), ("", None), ("  ", None), (" Home ", "Home"), ("é" * 120, "é" * 120)],
)
def test_names(given: str | None, name: str | None) -> None:
    assert rules.valid_name(given) == name


@pytest.mark.parametrize("given", ["x" * 121, "a\nb", "a\x00", "\ud800"])
def test_no_names(given: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.valid_name(given)
    assert (refusal.value.reason, refusal.value.path) == ("household.name", ("name",))


def test_a_code_is_made_of_the_secret_and_the_id_alone() -> None:
    codes = {rules.invitation_code(SECRET, number) for number in range(1000)}
    assert len(codes) == 1000
    assert rules.invitation_code(SECRET, 7) == rules.invitation_code(SECRET, 7)
    assert rules.invitation_code(b"x" * 32, 7) != rules.invitation_code(SECRET, 7)
    assert {len(rules.parsed_code(code)) for code in codes} == {16}  # of 32 letters: 80 bits


def test_every_letter_of_the_alphabet_comes_at_every_place() -> None:
    codes = [rules.parsed_code(rules.invitation_code(SECRET, number)) for number in range(1000)]
    assert {len({code[place] for code in codes}) for place in range(16)} == {32}


def test_a_code_may_be_typed_in_several_ways() -> None:
    shown = "0123-4567-89AB-CDEF"
    for typed in ("0123456789abcdef", " OI23 4567 89ab cdef ", "oL23-4567-89AB-CDEF"):
        assert rules.parsed_code(typed) == "0123456789ABCDEF"
        assert rules.code_hash(SECRET, typed) == rules.code_hash(SECRET, shown)
    assert rules.code_hash(SECRET, shown) != rules.code_hash(b"x" * 32, shown)


@pytest.mark.parametrize("typed", ["", "0123", "0" * 17, "0" * 15 + "U", "0" * 15 + "é", "\ud800"])
def test_what_is_no_code_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.parsed_code(typed)
    assert (refusal.value.reason, refusal.value.value) == ("household.code_malformed", None)
    assert len(rules.code_hash(SECRET, typed)) == 64


def test_a_household_keeps_an_owner_while_anybody_is_in_it() -> None:
    rules.check_keeps_owner({})
    rules.check_keeps_owner({1: HouseholdRole.OWNER, 2: HouseholdRole.SPENDER})
    for role in (HouseholdRole.SPENDER, HouseholdRole.CONTRIBUTOR):
        with pytest.raises(NotAllowed):
            rules.check_keeps_owner({1: role})
