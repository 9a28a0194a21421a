"""The verbs of rewards: redeeming points for vouchers, and finding vouchers."""

from collections.abc import Iterable, Sequence

import msgspec

from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import DomainError, InvalidInput, phrase
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.refusals import Refusal
from server.rewards import models, rules
from server.rewards.pooling import locked_pool, pool
from server.rewards.rules import grace_expires_at, new_code, written_code
from server.rewards.vouchers import (
    ORDER_RULE,
    VOUCHER_RULE,
    RedemptionCancelled,
    VoucherReference,
    VoucherView,
    cancel_redemption,
    issue,
    put_issued,
    refill,
    usable_voucher,
    use,
)
from server.storage import parts, sql
from server.storage.ids import new_id
from server.storage.parts import Ask

__all__ = [
    "ORDER_RULE",
    "VOUCHER_COUNT",
    "MemberReference",
    "Redeemed",
    "RedeemedBatch",
    "Redemption",
    "RedemptionCancelled",
    "VoucherReference",
    "VoucherView",
    "cancel_redemption",
    "grace_expires_at",
    "issue",
    "issued_counts",
    "locked_pool",
    "new_code",
    "pool",
    "redeem",
    "redeem_many",
    "refill",
    "usable_voucher",
    "use",
    "voucher",
    "voucher_count",
    "voucher_counts",
    "vouchers",
    "vouchers_by_id",
    "written_code",
]


class Redeemed(msgspec.Struct, frozen=True, tag="redeemed"):
    """What a redemption did, as it was first answered."""

    voucher: VoucherView
    points: int
    points_available_after: int


class Redemption(msgspec.Struct, frozen=True):
    """A wish to redeem a member's points, or those of their whole household."""

    member: MemberReference
    points: int
    from_household: bool = False


class RedeemedBatch(msgspec.Struct, frozen=True):
    """The answers to a batch of redemptions."""

    answers: tuple[Redeemed | Refusal, ...]


async def redeem(redemption: Redemption, *, now: Instant) -> Redeemed:
    """Redeem a member's points for one voucher. Writes; call it inside a transaction.

    Raises InvalidInput, NotFound, CardUnusable, InsufficientPoints, or NotAllowed for points of a
    household that the member may not spend.
    """
    (answer,) = await redeem_many([redemption], now=now)
    if isinstance(answer, DomainError):
        raise answer
    return answer


async def redeem_many(
    redemptions: Sequence[Redemption], *, now: Instant
) -> list[Redeemed | DomainError]:
    """Redeem in the order given; an answer for each, a refusal spoils no other.

    Writes; call it inside a transaction. The number of statements does not depend on the number
    of redemptions. Raises InvalidInput if there are none or too many.
    """
    check_count(len(redemptions))
    published = (await programme.rulebook()).at(now)
    found = await cards.members_of([each.member for each in redemptions])
    pools = [
        await _pool(member, redemption)
        for member, redemption in zip(found, redemptions, strict=True)
    ]
    members = {member for each in pools if isinstance(each, tuple) for member in each}
    if not members:
        return [each for each in pools if isinstance(each, DomainError)]
    answers: list[Redeemed | DomainError] = []
    async with ledger.journal(members, [POINTS], recorded_at=now) as journal:
        await journal.load_lots(members, POINTS)
        for redemption, member, payers in zip(redemptions, found, pools, strict=True):
            try:
                if isinstance(payers, DomainError):
                    raise payers
                assert isinstance(member, int), "who has a pool was found"
                present = await locked_pool(
                    payers, member, from_household=redemption.from_household
                )
                answers.append(await _redeem(member, redemption, published, journal, present))
            except DomainError as error:
                answers.append(error)
        vouchers = [each.voucher for each in answers if isinstance(each, Redeemed)]
        await sql.execute_many(
            models.INSERT_VOUCHER, [msgspec.structs.astuple(voucher) for voucher in vouchers]
        )
        for voucher in vouchers:
            put_issued(voucher)
    return answers


async def _pool(member: int | DomainError, redemption: Redemption) -> tuple[int, ...] | DomainError:
    """Whose points are to be redeemed, or why none are."""
    if isinstance(member, DomainError):
        return member.below("member")
    try:
        return await pool(member, from_household=redemption.from_household)
    except DomainError as refusal:
        return refusal


def check_count(redemptions: int) -> None:
    """Raise InvalidInput for a number of redemptions that no batch may have."""
    if not 1 <= redemptions <= rules.MAXIMUM_REDEMPTIONS:
        raise InvalidInput(
            "redemption.count",
            path=("redemptions",),
            value=phrase("given.redemptions", number=redemptions),
            accepted=phrase("accepted.redemptions", maximum=rules.MAXIMUM_REDEMPTIONS),
        )


async def _redeem(
    member: int,
    redemption: Redemption,
    published: PublishedProgramme,
    journal: ledger.Journal,
    payers: tuple[int, ...],
) -> Redeemed:
    value_minor = rules.voucher_value_minor(redemption.points, published.programme)
    voucher = VoucherView(
        id=new_id(),
        member_id=member,
        code=rules.new_code(),
        points=redemption.points,
        value_minor=value_minor,
        currency=published.programme.programme.currency,
        digits=published.programme.programme.minor_unit_digits,
        issued_at=journal.recorded_at,
        status="issued",
        remaining_minor=value_minor,
    )
    left = await journal.spend(
        payers,
        POINTS,
        redemption.points,
        cause=ledger.Cause(ledger.Reason.REDEMPTION, VOUCHER_RULE, voucher.id),
    )
    return Redeemed(voucher, redemption.points, left)


async def vouchers(
    member_ids: Iterable[int], *, before: int | None, limit: int
) -> dict[int, list[VoucherView]]:
    """Each member's newest vouchers, or those before the one with that id; newest first."""
    found: dict[int, list[VoucherView]] = {member_id: [] for member_id in member_ids}
    rows = await models.voucher_pages(found, 2**63 - 1 if before is None else before, limit)
    for one in sorted((VoucherView(*row) for row in rows), key=lambda one: -one.id):
        found[one.member_id].append(one)
    return found


async def vouchers_by_id(voucher_ids: Iterable[int]) -> dict[int, VoucherView]:
    """The vouchers by id; unknown ids are left out."""
    wanted = list(voucher_ids)
    return {row[0]: VoucherView(*row) for row in await models.vouchers(wanted)} if wanted else {}


async def voucher(voucher_id: int) -> VoucherView | None:
    """One voucher."""
    row = await models.voucher(voucher_id)
    return VoucherView(*row) if row else None


VOUCHER_COUNT: tuple[Ask, ...] = ((models.COUNTS, ()),)
"""What `voucher_count` is made from."""


def voucher_count(found: parts.Found) -> int:
    """How many vouchers the member has had."""
    rows = found.rows(models.COUNTS)
    return rows[0][parts.FIRST_COLUMN] if rows else 0


async def voucher_counts(member_ids: Iterable[int]) -> dict[int, int]:
    """How many vouchers the members have had, by member."""
    found = await parts.read(parts.Question(VOUCHER_COUNT), set(member_ids))
    return {member_id: voucher_count(one) for member_id, one in found.items()}


async def issued_counts(edges: Sequence[Instant]) -> dict[int, int]:
    """How many vouchers were issued in each span of time, spans without any left out.

    The edges ascend. Span 0 is the time before the first, span n that from edge n - 1 on until just
    before edge n.
    """
    return {row[0]: row[1] for row in await models.issued_counts(edges)}
