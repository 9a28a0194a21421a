"""Redeeming a coupon without a basket: the till has taken its discount off already."""

from collections.abc import Sequence

from msgspec import Struct

from server import clock
from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.coupons import errors, models, rules, service
from server.coupons.rules import Usable, Uses
from server.coupons.service import Codes
from server.errors import AlreadyDecided, DomainError, NotFound
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.refusals import Refusal
from server.segments import service as segments
from server.storage import changes, sql


class Wish(Struct, frozen=True):
    """A coupon that a member has used at a till, and when."""

    member: MemberReference
    code: str
    occurred_at: Instant


class CouponRedeemed(Struct, frozen=True, tag="coupon_redeemed"):
    """What a redemption did, as it was first answered; the code is not kept."""

    id: int
    member_id: int
    coupon: str
    offer: str
    occurred_at: Instant
    local_day: int


class RedeemedCoupons(Struct, frozen=True):
    """The answers to a batch."""

    answers: tuple[CouponRedeemed | Refusal, ...]


class RedemptionEnded(Struct, frozen=True):
    """A redemption that was cancelled."""

    id: int
    member_id: int
    offer: str


Answer = CouponRedeemed | DomainError


async def redeem(wish: Wish, *, now: Instant) -> CouponRedeemed:
    """Redeem one coupon. Writes; call it inside a transaction. Raises what `redeem_many` would
    put in its place."""
    (answer,) = await redeem_many([wish], now=now)
    if isinstance(answer, DomainError):
        raise answer
    return answer


async def redeem_many(wishes: Sequence[Wish], *, now: Instant) -> list[Answer]:
    """Redeem in the order given; an answer for each, a refusal spoils no other.

    Writes; call it inside a transaction. The number of statements does not depend on the number of
    wishes, but for single-use codes and limits in total, which take one each. In the place of one
    that is refused: NotFound or CardUnusable for the member; NotFound for a code that does not
    exist, is for others or was used by somebody else; NotAllowed on another date, or where the
    offer depends on a basket; LimitReached; AlreadyDecided; InvalidInput for the future.
    """
    check_count(len(wishes))
    found = await cards.members_of([wish.member for wish in wishes])
    known = {one for one in found if isinstance(one, int)}
    if not known:
        return [_placed(one) for one in found if isinstance(one, DomainError)]
    async with ledger.journal(known, [POINTS], recorded_at=now):
        run = await _Run.opened(wishes, found, now)
        answers = [
            await run.answer(wish, member) for wish, member in zip(wishes, found, strict=True)
        ]
        await run.write()
    return answers


def _placed(refusal: DomainError) -> DomainError:
    return refusal.below("member")


def check_count(number: int) -> None:
    """Raise InvalidInput for a number of redemptions that no batch may have."""
    if not 1 <= number <= rules.MAXIMUM_REDEMPTIONS:
        raise errors.wrong_count(number, rules.MAXIMUM_REDEMPTIONS, ("redemptions",), "count")


class _Run:
    """One batch, with everything that it needs read beforehand."""

    def __init__(self, book: programme.Rulebook, now: Instant) -> None:
        self._book = book
        self._now = now
        self._codes: dict[Instant, Codes] = {}
        self._uses: dict[int, Uses] = {}
        self._profiles: dict[int, members.Profile] = {}
        self._within: dict[tuple[Instant, int], frozenset[str]] = {}  # segments
        self._asked: dict[tuple[Instant, frozenset[str]], set[int]] = {}
        self._rows: list[sql.Row] = []
        self._taken: list[Usable] = []

    @classmethod
    async def opened(
        cls, wishes: Sequence[Wish], found: Sequence[cards.Found], now: Instant
    ) -> "_Run":
        """Read what the batch needs: what is published, codes, uses and profiles."""
        run = cls(await programme.rulebook(), now)
        known = {one for one in found if isinstance(one, int)}
        run._uses = await service.uses_of(known, now)
        run._profiles = await members.profiles(known)
        run._codes = await Codes.read_each((wish.occurred_at, wish.code) for wish in wishes)
        for wish, member in zip(wishes, found, strict=True):
            if isinstance(member, int):
                run._ask_segments(wish, member)
        for (at, keys), asked in run._asked.items():
            known_segments = await segments.memberships(asked, keys, at)
            for one, within in known_segments.items():
                run._within[at, one] = run._within.get((at, one), frozenset()) | within
        return run

    def _ask_segments(self, wish: Wish, member: int) -> None:
        """Note in which segments the member has to be looked for: all wishes of one instant and one
        audience are asked together."""
        codes = self._codes[wish.occurred_at]
        one = codes.found(wish.code, member, now=self._now)
        if isinstance(one, Usable):
            audience = codes.offer_of(one).audience
            keys = frozenset((*audience.segments, *audience.excluded_segments))
            if keys:
                self._asked.setdefault((wish.occurred_at, keys), set()).add(member)

    async def answer(self, wish: Wish, member: int | DomainError) -> Answer:
        """Redeem one of them, or say why not."""
        if isinstance(member, DomainError):
            return _placed(member)
        try:
            return await self._redeem(wish, member)
        except DomainError as refusal:
            return refusal

    async def _redeem(self, wish: Wish, member: int) -> CouponRedeemed:
        if wish.occurred_at > self._now:
            raise errors.in_the_future(clock.datetime_of(wish.occurred_at).isoformat())
        codes = self._codes[wish.occurred_at]
        found = codes.found(wish.code, member, now=self._now)
        if isinstance(found, DomainError):
            raise found
        self._check_audience(found, codes, wish.occurred_at, member)
        zone_name = self._book.at(wish.occurred_at).programme.programme.timezone
        day = clock.local_day(wish.occurred_at, zone_name)
        uses = self._uses[member]
        if refusal := codes.date_refusal(found, wish.occurred_at, zone_name) or uses.refusal(
            found, day
        ):
            raise refusal
        if any(one.code == found.code for one in self._taken) and found.terms.total is not None:
            await self.write()  # so that what is counted in total is seen
        await service.take([found], member, basket_id=None, until=None, now=self._now)
        row = service.redemption_row(found, member, day, wish.occurred_at, self._now)
        self._rows.append(row)
        self._taken.append(found)
        uses.add(found.coupon, found.code, day)
        changes.note(changes.MEMBER, member)
        return CouponRedeemed(row[0], member, found.coupon, found.offer, wish.occurred_at, day)

    def _check_audience(self, found: Usable, codes: Codes, at: Instant, member: int) -> None:
        """Raise NotFound, as for a code that does not exist, if the offer is for others."""
        offer = codes.offer_of(found)
        if not rules.is_settled_by_till(offer):
            raise errors.needs_basket()
        audience = offer.audience
        within = self._within.get((at, member), frozenset())
        if not rules.is_in_audience(audience, within, self._profiles[member].external_id):
            raise errors.unknown_code()

    async def write(self) -> None:
        """Write what was redeemed since the last time."""
        await sql.execute_many(models.INSERT_REDEMPTION, self._rows)
        await service.count(self._taken)
        self._rows, self._taken = [], []


async def cancel(redemption_id: int, *, now: Instant) -> RedemptionEnded:
    """Cancel a redemption that was recorded without a basket; its code is free again.

    Writes; call it inside a transaction. Raises NotFound, NotAllowed for one that belongs to a
    basket, or AlreadyDecided.
    """
    row = await models.redemption(redemption_id)
    if row is None or row[7] == "reserved":
        raise NotFound("coupon.no_redemption", path=("redemptionId",))
    async with ledger.journal({row[1]}, [POINTS], recorded_at=now):
        locked = await models.redemption(redemption_id, locks=True)
        assert locked is not None, "redemptions are never deleted"
        if locked[9] is not None or locked[10] is not None:
            raise errors.needs_basket(("redemptionId",))
        if locked[7] != "redeemed":
            raise AlreadyDecided("coupon.ended", status=locked[7].upper(), path=("redemptionId",))
        await service.end([locked], "cancelled")
    return RedemptionEnded(redemption_id, row[1], row[3])
