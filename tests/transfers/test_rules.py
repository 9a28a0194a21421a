"""What a gift may say, and what is shown of a name."""

import pytest

from server.errors import InvalidInput
from server.transfers import rules


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        (" For you! ", "For you!"),
        ("x" * 200, "x" * 200),
        (" " + "x" * 200 + " ", "x" * 200),
        ("😀" * 200, "😀" * 200),
        ("👩‍👩‍👧", "👩‍👩‍👧"),  # joined by U+200D
        ("labas, ačiū", "labas, ačiū"),
    ],
)
def test_messages(given: str | None, message: str | None) -> None:
    assert rules.valid_message(given) == message


@pytest.mark.parametrize(
    "given",
    ["x" * 201, "a\nb", "a\tb", "a\x00b", "\ud800", "a\u202eb", "a\u2028b", "\ufeff", "\ue000"],
)
def test_no_messages(given: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rules.valid_message(given)
    assert (refusal.value.reason, refusal.value.path) == ("transfer.message", ("message",))


@pytest.mark.parametrize(
    ("name", "shown"),
    [(None, None), ("Ada", "Ada"), ("Ada Lovelace", "Ada"), ("  Ada King-Noel ", "Ada")],
)
def test_of_a_name_its_first_word_is_shown(name: str | None, shown: str | None) -> None:
    assert rules.shown_name(name) == shown
