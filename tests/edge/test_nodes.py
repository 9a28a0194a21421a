"""Opaque ids: what stands for a thing, and what is told of everything else."""

import pytest

from server.edge.nodes import global_id, number_of
from server.errors import InvalidInput


@pytest.mark.parametrize("number", [1, 2**63 - 1])
def test_an_id_leads_back_to_its_number(number: int) -> None:
    assert number_of(global_id("Payout", number), "Payout", path=("payoutId",)) == number


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**40])
def test_a_number_that_no_database_holds_is_that_of_nothing(number: int) -> None:
    assert number_of(global_id("Payout", number), "Payout", path=("payoutId",)) == 0


@pytest.mark.parametrize("opaque", ["", "17", global_id("Voucher", 17), "UGF5b3V0Og=="])
def test_the_id_of_something_else_is_refused(opaque: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        number_of(opaque, "Payout", path=("payoutId",))
    assert refused.value.path == ("payoutId",)
