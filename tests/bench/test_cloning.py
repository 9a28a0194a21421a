"""A copy is its archetype with ids, unique texts and a hash chain of its own."""

from bench.cloning import Ids, Rows, card_number, cut, external_id
from server.cards.rules import has_right_check_digit
from server.ledger.rules import GENESIS_HASH, chained_hash

MEMBER, ACCOUNT, LOT, FIRST, SECOND = (str(900_000_000_000_000_001 + n) for n in range(5))


def posting(identifier: str, sequence: str, lot: str | None) -> dict[str, str | None]:
    return {
        "id": identifier,
        "member_id": MEMBER,
        "account_id": ACCOUNT,
        "sequence": sequence,
        "debit": "issued",
        "credit": "member",
        "amount": "5",
        "balance_after": "5",
        "lot_id": lot,
        "reason": "purchase",
        "rule": "50%",
        "programme_version": "1",
        "reference": None,
        "occurred_at": "1700000000000000",
        "recorded_at": "1700000000000001",
        "hash": "of the archetype",
    }


TABLES: dict[str, Rows] = {
    "members": [{"id": MEMBER, "external_id": "a", "name": "A\tB\\"}],
    "ledger_accounts": [
        {"id": ACCOUNT, "member_id": MEMBER, "last_sequence": "2", "last_hash": "of the archetype"}
    ],
    "lots": [{"id": LOT, "member_id": MEMBER, "rule": f'{{"lots": ["{LOT}", 12]}}'}],
    "cards": [],
    "postings": [posting(SECOND, "2", None), posting(FIRST, "1", LOT)],
}


def test_a_copy_has_its_own_ids_wherever_they_stand() -> None:
    stencil = cut(TABLES)
    assert stencil.id_count == 5
    made = stencil.copy(7, range(100, 105))
    assert made["members"] == "100\tm-000000007\tA\\tB\\\\\n"
    assert made["lots"] == '102\t100\t{"lots": ["102", 12]}\n'
    assert "cards" not in made


def test_a_copy_has_a_hash_chain_of_its_own() -> None:
    made = cut(TABLES).copy(7, range(100, 105))
    fields = ("issued", "member", 5, 5)
    times = (1_700_000_000_000_000, 1_700_000_000_000_001)
    first = chained_hash(
        GENESIS_HASH, (100, 101, 1, *fields, 102, "purchase", "50%", 1, None, *times)
    )
    second = chained_hash(first, (100, 101, 2, *fields, None, "purchase", "50%", 1, None, *times))
    hashes = [line.rpartition("\t")[2] for line in made["postings"].splitlines()]
    assert hashes == [second, first]
    assert made["ledger_accounts"] == f"101\t100\t2\t{second}\n"


def test_ids_ascend_and_fit() -> None:
    ids = Ids()
    taken = [ids.take(count) for count in (3, 4000, 200, 4096, 1)]
    every = [one for some in taken for one in some]
    assert every == sorted(set(every))
    assert len(every) == 8300
    assert every[-1] < 2**63


def test_cards_and_external_ids_of_copies_differ() -> None:
    numbers = [card_number(number) for number in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(map(has_right_check_digit, numbers))
    assert [external_id(0), external_id(12)] == ["m-000000000", "m-000000012"]
