"""Opaque ids: what stands for a thing, and that everything else stands for nothing."""

import base64

import pytest

from server.edge.nodes import global_id, number_of, parse


def written(text: str) -> str:
    """The text as an id might hold it."""
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize("number", [1, 2**63 - 1])
def test_an_id_leads_back_to_its_number(number: int) -> None:
    assert number_of(global_id("Payout", number), "Payout") == number
    assert parse(global_id("Payout", number)) == ("Payout", number)


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**40, 10**4000])
def test_a_number_that_no_database_holds_is_that_of_nothing(number: int) -> None:
    assert number_of(global_id("Payout", number), "Payout") == 0
    assert parse(global_id("Payout", number)) is None


@pytest.mark.parametrize(
    "opaque",
    [
        "",
        "17",
        "é",
        "\x00",
        global_id("Voucher", 17),
        written("Payout:"),
        written("Payout:1:2"),
        written("Payout"),
        written(":17"),
        base64.urlsafe_b64encode(b"\xff:17").decode(),
        "a" * 10_000,
    ],
    ids=range(11),
)
def test_whatever_is_no_id_of_the_type_is_that_of_nothing(opaque: str) -> None:
    assert number_of(opaque, "Payout") == 0


def test_a_thing_has_one_id() -> None:
    opaque = global_id("Payout", 17)
    for other in (
        written("Payout:+17"),
        written("Payout:017"),
        written("Payout: 17"),
        written("Payout:1_7"),
        written("Payout:١٧"),
        f"{opaque}=",
        f" {opaque}",
        f"{opaque[:4]}!{opaque[4:]}",
        f"{opaque[:4]}\n{opaque[4:]}",
    ):
        assert other != opaque
        assert number_of(other, "Payout") == 0, other
