"""One purchase that two requests send at once is recorded once, also of a member who is known."""

import pytest

from server.errors import ExternalIdConflict
from server.purchases import service as purchases
from server.purchases.service import Draft, RecordedPurchase, Submission
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.purchases.baskets import PARTNER, at, draft, publish, recorded
from tests.waiting import behind

NOW = at("2017-03-05")


async def record(wanted: Draft) -> RecordedPurchase:
    """In the present transaction."""
    return await purchases.record(
        Submission(wanted, enrol_if_unknown=False), partner=PARTNER, now=NOW
    )


# SQLite has one writer at a time.
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_a_known_members_purchase_sent_twice_at_once_is_recorded_once(
    database: Address,
) -> None:
    await publish()
    await recorded(draft("0", "2017-03-01", 1000))
    wanted, other = draft("1", "2017-03-02", 2000), draft("1", "2017-03-02", 3000)
    same, conflict = await behind(
        lambda: record(wanted), lambda: record(wanted), lambda: record(other)
    )
    rows = await sql.fetch("SELECT id, net_minor FROM purchases WHERE external_id = '1'")
    assert [row[1] for row in rows] == [2000]
    assert isinstance(same, RecordedPurchase)
    assert same.purchase_id == rows[0][0]
    assert isinstance(conflict, ExternalIdConflict)
    await check_books()
