"""What a purchase would bring, reckoned by the very rules that record it, and not written."""

from server.clock import Instant
from server.ledger import service as ledger
from server.programme.service import PublishedProgramme, Rulebook
from server.purchases import rules
from server.purchases.accepted import Accepted
from server.purchases.outcomes import OfferPart, RecordedPurchase, Sent, Submission
from server.purchases.rewarding import Rewarding, opened
from server.purchases.rules import Draft

UNKNOWN_ID = "-"
"""Stands for the external id of a purchase that has none yet."""


class _Nobody:
    """Takes grants, and makes no lots."""

    def grant(self, _member_id: int, _grant: ledger.Grant) -> int | None:
        """Make none."""
        return None


class Foreseen:
    """A purchase that may come, of a known member; made by `foresee`, and asked once."""

    def __init__(self, accepted: Accepted, rewarding: Rewarding, now: Instant) -> None:
        self._accepted = accepted
        self._rewarding = rewarding
        self._now = now

    @property
    def published(self) -> PublishedProgramme:
        """The version of the programme that it is held against."""
        return self._accepted.published

    @property
    def tier(self) -> str:
        """The tier that applies to it."""
        each = self._accepted
        at = each.submission.draft.occurred_at
        return self._rewarding.levels.count(each.member_id, each.published, at, 0).before.name

    def outcome(self, draft: Draft, offers: tuple[OfferPart, ...]) -> RecordedPurchase:
        """What it brings, when offers change its lines so. Raises InvalidInput, with the path below
        the purchase."""
        accepted = _accepted(draft, self.published, self._accepted.member_id, self._now, offers)
        return self._rewarding.reward(accepted, is_new=False, welcome=[])


def _accepted(
    draft: Draft,
    published: PublishedProgramme,
    member_id: int,
    now: Instant,
    offers: tuple[OfferPart, ...] = (),
) -> Accepted:
    amounts = rules.amounts_of(draft, published.programme)
    rules.check(draft, published.programme, amounts, now=now)
    accepted = Accepted(0, Sent(Submission(draft, False, offers), ""), published, amounts)
    accepted.member_id = member_id
    return accepted


def check(draft: Draft, book: Rulebook, *, now: Instant) -> None:
    """Raise InvalidInput, with the path below the purchase, for the first value not accepted."""
    _accepted(draft, book.at(draft.occurred_at), 0, now)


async def foresee(draft: Draft, member_id: int, book: Rulebook, *, now: Instant) -> Foreseen:
    """Reckon the purchase; one exchange with the database, and one more if its day is not today.

    Writes nothing. Raises InvalidInput, with the path below the purchase.
    """
    accepted = _accepted(draft, book.at(draft.occurred_at), member_id, now)
    return Foreseen(accepted, await opened([accepted], book, _Nobody()), now)
