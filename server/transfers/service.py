"""The verbs of gifts: giving points to another member, and finding gifts."""

from collections.abc import Iterable

import msgspec

from server import clock
from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant, LocalDay
from server.errors import InvalidInput, phrase
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.programme.document import Programme
from server.storage.ids import new_id
from server.transfers import models, rules
from server.transfers.rules import GiftDirection, shown_name

__all__ = [
    "GiftDirection",
    "GiftView",
    "Given",
    "MemberGift",
    "MemberReference",
    "Present",
    "gifts",
    "give",
    "shown_name",
]


class Present(msgspec.Struct, frozen=True):
    """A wish to give points away."""

    giver: MemberReference
    receiver: MemberReference
    points: int
    message: str | None = None


class GiftView(msgspec.Struct, frozen=True):
    """A gift; `amount` is in points, `local_day` is the programme's."""

    id: int
    giver_id: int
    receiver_id: int
    asset: str
    amount: int
    message: str | None
    local_day: LocalDay
    given_at: Instant


class MemberGift(msgspec.Struct, frozen=True):
    """A gift as one of its two members sees it."""

    gift: GiftView
    direction: GiftDirection
    other_name: str | None  # the first word of the other member's name


class Given(msgspec.Struct, frozen=True):
    """What giving did, as it was first answered."""

    gift: GiftView
    points_available_after: int


async def give(present: Present, *, now: Instant) -> Given:
    """Give a member's own available points to another member; what expires first goes first and
    keeps its expiry. Writes; call it inside a transaction.

    Raises NotAllowed if the programme knows no gifts or the giver is too new a member,
    InvalidInput, NotFound or CardUnusable for a value or a reference, LimitReached for what exceeds
    the giver's local day, InsufficientPoints, and InvalidInput if the receiver's account is full.
    """
    published = (await programme.rulebook()).at(now).programme
    message = rules.valid_message(present.message)
    rules.check_points(present.points, published)
    giver = await cards.member_of(present.giver, path=("from",))
    await _check_giver(giver, published, now)
    receiver = await cards.member_of(present.receiver, path=("to",))
    if giver == receiver:
        raise InvalidInput(
            "transfer.to_oneself", path=("to",), accepted=phrase("accepted.another_member")
        )
    gift = GiftView(
        id=new_id(),
        giver_id=giver,
        receiver_id=receiver,
        asset=POINTS,
        amount=present.points,
        message=message,
        local_day=clock.local_day(now, published.programme.timezone),
        given_at=now,
    )
    async with ledger.journal([giver, receiver], [POINTS], recorded_at=now) as journal:
        # Read under the giver's lock: two gifts at once can't both have what is left of the day.
        given_today = await models.given_on(giver, POINTS, gift.local_day)
        rules.check_day(gift.amount, published, given_today=given_today)
        _check_room(journal, gift)
        left = await ledger.give(journal, giver, receiver, POINTS, gift.amount, reference=gift.id)
        await models.add_gift(msgspec.structs.astuple(gift))
    return Given(gift, left)


async def _check_giver(giver: int, published: Programme, now: Instant) -> None:
    if published.transfers.minimum_account_age_days:
        profile = await members.profile(giver)
        rules.check_age(profile.enrolled_at, published, now=now)


def _check_room(journal: ledger.Journal, gift: GiftView) -> None:
    try:
        journal.check_room(gift.receiver_id, POINTS, gift.amount)
    except InvalidInput as refusal:
        raise refusal.below("points") from None


async def gifts(
    member_ids: Iterable[int], *, before: int | None, limit: int
) -> dict[int, list[MemberGift]]:
    """The newest gifts that each member gave or got, or those before the one with that id; newest
    first. One statement."""
    found: dict[int, list[MemberGift]] = {member_id: [] for member_id in member_ids}
    rows = await models.gift_pages(found, 2**63 - 1 if before is None else before, limit)
    for *columns, own, name in sorted(rows, key=lambda row: -row[0]):
        gift = GiftView(*columns)
        direction = GiftDirection.SENT if gift.giver_id == own else GiftDirection.RECEIVED
        found[own].append(MemberGift(gift, direction, shown_name(name)))
    return {member_id: of_member[:limit] for member_id, of_member in found.items()}
