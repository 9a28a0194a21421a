"""What makes a referral doubtful: both are one person, or share what people seldom share."""

import base64
import hmac
from collections.abc import Iterator, Sequence

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.errors import InvalidInput, phrase
from server.referrals import queries
from server.referrals.documents import ReferralProgramme
from server.referrals.rules import Doubt, ReferralState, mailbox, state_of
from server.storage import sql
from server.storage.exchange import Asked, Written, fetch_each
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

MAXIMUM_MARK = 200
_DAY = 86_400 * clock.MICROSECONDS_PER_SECOND
_SECRET = "member marks"  # noqa: S105 - the name of a secret
_DOUBT_OF_MARK = {
    "device": Doubt.SAME_DEVICE,
    "payment": Doubt.SAME_PAYMENT,
    "address": Doubt.SAME_ADDRESS,
}
_FIELDS = {
    "device": "deviceId",
    "payment": "paymentFingerprint",
    "address": "addressFingerprint",
}


class Marks(Struct, frozen=True):
    """What tells people apart, as the app or the shop knows it: any text, the same for the same
    device, means of payment or address."""

    device: str | None = None
    payment: str | None = None
    address: str | None = None

    def given(self) -> Iterator[tuple[str, str]]:
        """Kind and text of those that are given."""
        for kind in _FIELDS:
            text = getattr(self, kind)
            if text is not None:
                yield kind, text


def check(marks: Marks) -> None:
    """Raise InvalidInput for a mark that is none."""
    for kind, text in marks.given():
        if not 1 <= len(text) <= MAXIMUM_MARK or not text.isprintable():
            raise InvalidInput(
                "referral.mark",
                path=(_FIELDS[kind],),
                accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_MARK),
            )


async def noted(member_id: int, marks: Marks, now: Instant) -> Written:
    """What notes the marks as the member's, by their keyed hashes alone; see `check`."""
    if not any(marks.given()):
        return queries.INSERT_MARK, []
    secret = await shared_secret(_SECRET)
    return (
        queries.INSERT_MARK,
        [
            (new_id(), member_id, kind, _hash(secret, kind, text), now)
            for kind, text in marks.given()
        ],
    )


def _hash(secret: bytes, kind: str, text: str) -> str:
    digest = hmac.digest(secret, f"{kind}\n{text}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _asked(
    friend_id: int, inviter_id: int, terms: ReferralProgramme, came_at: Instant
) -> list[Asked]:
    """What asks for all that could be doubted."""
    velocity = terms.review.velocity
    days = velocity.per_days if velocity else 0
    return [
        queries.addresses([friend_id, inviter_id]),
        queries.shared_marks(friend_id, inviter_id),
        queries.shared_household(friend_id, inviter_id),
        queries.ring(friend_id, inviter_id),
        queries.brought_between(
            inviter_id, Instant(came_at - days * _DAY), came_at, apart_from=friend_id
        ),
    ]


def _doubts(
    answers: Sequence[Sequence[sql.Row]], terms: ReferralProgramme, *, email: str | None
) -> Iterator[Doubt]:
    """The doubts, of the answers to `_asked`; `email` is the friend's address while they have no
    account yet, as it is compared."""
    addresses, marks, household, ring, brought = answers
    boxes = [mailbox(row[1]) for row in addresses] + ([mailbox(email)] if email else [])
    if len(set(boxes)) < len(boxes):
        yield Doubt.SAME_PERSON
    yield from (_DOUBT_OF_MARK[row[0]] for row in marks)
    if household:
        yield Doubt.SAME_HOUSEHOLD
    if ring:
        yield Doubt.RING
    velocity = terms.review.velocity
    if velocity is not None and brought[0][0] >= velocity.friends:
        yield Doubt.VELOCITY


async def judged(
    friend_id: int,
    inviter_id: int,
    terms: ReferralProgramme,
    came_at: Instant,
    *,
    email: str | None = None,
) -> tuple[ReferralState, tuple[Doubt, ...]]:
    """What the doubts about a referral lead to; one exchange."""
    answers = await fetch_each(_asked(friend_id, inviter_id, terms, came_at))
    return state_of(_doubts(answers, terms, email=email), terms.review)
