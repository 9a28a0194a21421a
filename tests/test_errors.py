"""Refusals: said again in another place, they say the same."""

import pytest

from server.errors import (
    CardUnusable,
    DomainError,
    ExternalIdConflict,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    NotFound,
)

REFUSALS = [
    InvalidInput("input.range", path=("quantity",), value=-1, accepted="0 or more"),
    NotFound("not_found", path=("id",)),
    CardUnusable("card.blocked", path=("cardNumber",), status="blocked"),
    InsufficientPoints(available=1, required=3, path=("points",)),
    ExternalIdConflict("b-1", path=("externalId",)),
    IdempotencyConflict(),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_is_put_in_several_places_and_stays_where_it_was(refusal: DomainError) -> None:
    own = refusal.path
    first, second = refusal.below("input", 0), refusal.below("input", 1)
    assert (first.path, second.path) == (("input", 0, *own), ("input", 1, *own))
    assert refusal.path == own
    for placed in (first, second):
        assert type(placed) is type(refusal)
        assert placed.args == refusal.args
        assert vars(placed) == {**vars(refusal), "path": placed.path}
