"""Many who become members in one batch of purchases, each as if alone."""

from server import clock
from server.cards import service as cards
from server.edge.batches import answer_each
from server.errors import DomainError
from server.members import service as members
from server.purchases import service as purchases
from server.purchases.service import Draft, Submission
from server.refusals import Refusal
from server.storage import sql
from server.storage.database import Address
from tests.purchases.baskets import PARTNER, at, draft, publish, recorded


async def test_each_newcomer_has_a_card_from_their_own_first_purchase_on(
    database: Address,
) -> None:
    await publish()
    await recorded(
        draft("1", "2017-03-01", 1000, household="a"),
        draft("2", "2017-03-02", 1000, household="b"),
    )
    ids = await members.members_by_external_id(["a", "b"])
    issued = {
        household: (await cards.card_of(member_id)).issued_at
        for household, member_id in ids.items()
    }
    assert issued == {"a": at("2017-03-01"), "b": at("2017-03-02")}


async def test_two_purchases_of_one_refused_newcomer_are_refused_in_their_own_places(
    database: Address,
) -> None:
    await publish()
    now = at("2017-03-03")

    async def record(
        submissions: list[Submission],
    ) -> list[purchases.RecordedPurchase | DomainError]:
        async with sql.transaction():
            return await purchases.record_many(submissions, partner=PARTNER, now=now)

    def wish(basket: Draft) -> Submission:
        return Submission(basket, enrol_if_unknown=True)

    baskets = [draft(number, "2017-03-01", 1000, household=" a") for number in ("1", "2")]
    with clock.moved_to(now):
        answers = await answer_each(baskets, field="purchases", wish_of=wish, do=record)
    assert [answer.error().path for answer in answers if isinstance(answer, Refusal)] == [
        ("input", "purchases", 0, "member", "externalId"),
        ("input", "purchases", 1, "member", "externalId"),
    ]
