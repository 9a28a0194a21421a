"""The verbs of merging: joining a duplicate into another membership, and parting them again.

The duplicate's row, cards and sign-in stay where they are and lead to the survivor
(`members.merged_into`); value, purchases and what belongs to them move. The members' rows are
locked first, so that nobody who was found before the merge writes to the duplicate after it.
"""

from collections.abc import Sequence

import msgspec
from tortoise.exceptions import IntegrityError

from server.adjustments.rules import MAXIMUM_REASON_LENGTH, MINIMUM_REASON_LENGTH
from server.cards import rules as card_rules
from server.cards import service as cards
from server.cards.service import MemberReference
from server.catalogue import service as catalogue
from server.challenges import rebuilding as challenges
from server.clock import NEVER, Instant
from server.enrolment import service as enrolment
from server.errors import AlreadyDecided, DomainError, InvalidInput, NotAllowed, NotFound, phrase
from server.ledger import service as ledger
from server.merging import models
from server.merging.moved import Debt, Moved, decoded
from server.merging.recounting import rebuild
from server.money import POINTS
from server.notifications import moving as notifications
from server.offers import service as offers
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.segments import service as segments
from server.storage import outbox, sql
from server.storage.ids import new_id

__all__ = [
    "MemberReference",
    "MergeView",
    "Merged",
    "MovedValue",
    "Parted",
    "Wish",
    "merge",
    "page",
    "part",
]
_FIRST_PAGE = 2**63 - 1


class Wish(msgspec.Struct, frozen=True):
    """Whom to join into whom, and why."""

    duplicate: MemberReference
    survivor: MemberReference
    reason: str


class MovedValue(msgspec.Struct, frozen=True):
    """What moved in one asset, in points or minor units: lots, and what was owed."""

    asset: str
    amount: int
    owed: int


class MergeView(msgspec.Struct, frozen=True):
    """A merge."""

    id: int
    duplicate_id: int
    survivor_id: int
    reason: str
    merged_by: int  # an account of staff
    merged_at: Instant
    undone_by: int | None
    undone_at: Instant | None
    purchases: int  # how many moved
    vouchers: int


class Merged(msgspec.Struct, frozen=True):
    """What a merge moved, as it was first answered; a major unit has 10**`digits` minor units."""

    merge: MergeView
    values: tuple[MovedValue, ...]
    digits: int


class Parted(msgspec.Struct, frozen=True):
    """What undoing a merge moved back, as it was first answered."""

    merge: MergeView
    values: tuple[MovedValue, ...]
    digits: int


def _view(row: sql.Row) -> MergeView:
    moved = decoded(row[3])
    return MergeView(
        *(row[0], row[1], row[2]),
        *(row[4], row[5], row[6], row[7], row[8]),
        purchases=len(moved.rows.get("purchases", ())),
        vouchers=len(moved.rows.get("vouchers", ())),
    )


def _checked_reason(text: str) -> str:
    reason = text.strip()
    is_said = MINIMUM_REASON_LENGTH <= len(reason) <= MAXIMUM_REASON_LENGTH
    if not is_said or not reason.isprintable():
        raise InvalidInput(
            "merge.reason",
            path=("reason",),
            value=text,
            accepted=phrase(
                "accepted.printable", minimum=MINIMUM_REASON_LENGTH, maximum=MAXIMUM_REASON_LENGTH
            ),
        )
    return reason


# ---------------------------------------------------------------- joining


async def merge(wish: Wish, *, by: int, now: Instant) -> Merged:
    """Join the duplicate into the survivor: everything of it goes on there, and every reference to
    it leads there.

    Writes; call it inside a transaction, run again if it lost a race. `by` is an account of staff.
    Raises InvalidInput, NotFound, CardUnusable, AlreadyDecided for a member who was merged before,
    and NotAllowed while something of the duplicate is reserved, or others are in a household that
    only the duplicate owns.
    """
    reason = _checked_reason(wish.reason)
    duplicate, survivor = await _who(wish)
    book = await programme.rulebook()
    published = book.at(now)
    currency = published.programme.programme.currency
    merge_id = new_id()
    assets = sorted({POINTS, currency, *await models.assets_of([duplicate, survivor])})
    async with ledger.journal([duplicate, survivor], assets, recorded_at=now) as journal:
        await _check_free(journal, duplicate, assets, now)
        stay = await _leave_household(duplicate, now)
        values, debts = await _move_value(
            journal, merge_id, assets, giver=duplicate, receiver=survivor
        )
        noted = await challenges.rewards_noted([duplicate, survivor])
        kept, own = [await challenges.kept_points(one) for one in (duplicate, survivor)]
        followers = await models.merged_into(duplicate)
        moved = Moved(
            rows={
                table: await models.move_all(table, giver=duplicate, receiver=survivor)
                for table in models.MOVED_TABLES
            }
            | {
                "segment_members": await segments.move(giver=duplicate, receiver=survivor),
                "offer_activations": await offers.move(giver=duplicate, receiver=survivor),
            }
            | await catalogue.move(giver=duplicate, receiver=survivor, now=now)
            | await notifications.move(giver=duplicate, receiver=survivor, now=now),
            members=followers,
            debts=debts,
            stay=stay,
            kept_points=kept,
        )
        await models.lead([duplicate, *followers], survivor)
        row = (merge_id, duplicate, survivor, moved.encoded(), reason, by, now, None, None)
        await sql.execute(models.INSERT_MERGE, *row)
        both = {key: kept.get(key, 0) + own.get(key, 0) for key in kept.keys() | own.keys()}
        await rebuild(duplicate, book, noted=(), kept_points={})
        await rebuild(survivor, book, noted=noted, kept_points=both)
    outbox.put("member.merged", duplicate, {"into": survivor}, occurred_at=now)
    return Merged(_view(row), tuple(values), published.programme.programme.minor_unit_digits)


async def _who(wish: Wish) -> tuple[int, int]:
    """The duplicate and the survivor, both locked; a reference to an earlier duplicate of the
    survivor means the survivor."""
    given = await _named(wish.duplicate, "duplicate")
    meant = await _named(wish.survivor, "survivor")
    # For themselves at once: two merges that both held them with others would wait for each other.
    wanted = {one for one in (given, meant) if one is not None}
    rows = await models.members_for_writing(wanted) if wanted else ()
    duplicate = await cards.member_of(wish.duplicate, path=("duplicate",))
    survivor = await cards.member_of(wish.survivor, path=("survivor",))
    if given in (meant, survivor):
        raise InvalidInput(
            "merge.itself", path=("survivor",), accepted=phrase("accepted.another_member")
        )
    if given != duplicate:
        raise AlreadyDecided("merge.merged", status="MERGED", path=("duplicate",))
    if survivor not in {row[0] for row in rows}:
        rows = await models.members_for_writing([survivor])
    if any(row[1] is not None for row in rows if row[0] == survivor):
        # Merged just now: another attempt finds who it leads to.
        raise IntegrityError("the survivor has been merged")
    return duplicate, survivor


async def _named(reference: MemberReference, field: str) -> int | None:
    """The member with the reference itself, whether or not they were merged."""
    number = reference.card_number
    if number is not None:
        number = card_rules.parsed_number(number, path=(field, "cardNumber"))
    return await models.named(
        member_id=reference.id, external_id=reference.external_id, card_number=number
    )


async def _check_free(
    journal: ledger.Journal, duplicate: int, assets: Sequence[str], now: Instant
) -> None:
    is_held = any(journal.account(duplicate, asset).held for asset in assets)
    if is_held or await models.has_open_hold(duplicate, now):
        raise NotAllowed("merge.held", path=("duplicate",))


async def _leave_household(duplicate: int, now: Instant) -> int | None:
    """End the duplicate's stay in a household; the stay, if there was one."""
    stay = await models.stay_of(duplicate)
    if stay is None:
        return None
    stay_id, household_id, role, others, other_owners = stay
    if role == "owner" and others and not other_owners:
        raise NotAllowed("merge.household_owner", path=("duplicate",))
    await models.end_stay(stay_id, now)
    if not others:
        await models.dissolve(household_id, now)
    return int(stay_id)


async def _move_value(
    journal: ledger.Journal, merge_id: int, assets: Sequence[str], *, giver: int, receiver: int
) -> tuple[list[MovedValue], list[Debt]]:
    """Let all open lots go on with the receiver, who also takes over what is owed."""
    values: list[MovedValue] = []
    debts: list[Debt] = []
    for asset in assets:
        await journal.load_lots([giver], asset)
        lots = set(journal.account(giver, asset).lots)
        amount = _go_on(journal, lots, asset, giver=giver, receiver=receiver, reference=merge_id)
        reference = new_id()
        owed = await ledger.take_over(journal, giver, receiver, asset, reference=reference)
        if owed:
            debts.append(Debt(asset, owed, reference))
        if amount or owed:
            values.append(MovedValue(asset, amount, owed))
    return values, debts


def _go_on(
    journal: ledger.Journal,
    lot_ids: set[int],
    asset: str,
    *,
    giver: int,
    receiver: int,
    reference: int,
) -> int:
    """Let what is left of the giver's lots go on with the receiver; how much that is."""
    amount = 0
    lots = journal.account(giver, asset).lots
    try:
        for lot in sorted(lots.values(), key=lambda lot: (lot.expires_at, lot.sequence)):
            if lot.remaining and lot.id in lot_ids:
                amount += lot.remaining
                ledger.go_on(
                    journal,
                    lot,
                    lot.remaining,
                    heir=receiver,
                    expires_at=lot.expires_at,
                    reason=ledger.Reason.MERGE,
                    reference=reference,
                )
    except DomainError as refusal:
        raise refusal.below("survivor") from None
    return amount


# ---------------------------------------------------------------- parting


async def part(merge_id: int, reason: str, *, by: int, now: Instant) -> Parted:
    """Undo a merge: what had moved goes back, as far as it is left; what was earned since stays.

    Writes; call it inside a transaction. Raises InvalidInput, NotFound, AlreadyDecided if it was
    undone before, and NotAllowed if the survivor was merged since: that comes first.
    """
    said, path = _checked_reason(reason), ("mergeId",)
    row = await models.merge_for_writing(merge_id)
    if row is None:
        raise NotFound("not_found", path=path)
    duplicate, survivor, moved, merged_at = row[1], row[2], decoded(row[3]), row[6]
    if row[8] is not None:
        raise AlreadyDecided("merge.undone", status="UNDONE", path=path)
    locked = await models.members_for_writing([duplicate, survivor])
    if any(leads_to is not None for id_, leads_to, _ in locked if id_ == survivor):
        raise NotAllowed("merge.survivor_merged", path=path)
    book = await programme.rulebook()
    published = book.at(now)
    assets = sorted({POINTS, *await models.assets_of([duplicate, survivor])})
    async with ledger.journal([duplicate, survivor], assets, recorded_at=now) as journal:
        values = await _move_back(journal, row, moved, assets, published)
        await _rows_back(
            moved, duplicate=duplicate, survivor=survivor, merged_at=merged_at, now=now
        )
        await models.lead([duplicate], None)
        await models.lead(moved.members, duplicate)
        await notifications.move_back(
            moved.rows, giver=survivor, receiver=duplicate, merged_at=merged_at
        )
        if moved.stay is not None:
            await models.resume_stay(moved.stay, duplicate, ended_at=merged_at)
        noted = await challenges.rewards_noted([survivor])
        kept = await challenges.kept_points(survivor)
        back = {key: min(points, kept.get(key, 0)) for key, points in moved.kept_points.items()}
        stays = {key: points - back.get(key, 0) for key, points in kept.items()}
        await rebuild(duplicate, book, noted=noted, kept_points=_without_zeros(back))
        await rebuild(survivor, book, noted=noted, kept_points=_without_zeros(stays))
        parted = msgspec.structs.replace(moved, undo_reason=said)
        await models.note_undone(merge_id, parted.encoded(), by=by, at=now)
    view = msgspec.structs.replace(_view(row), undone_by=by, undone_at=now)
    return Parted(view, tuple(values), published.programme.programme.minor_unit_digits)


def _without_zeros(points: dict[str, int]) -> dict[str, int]:
    return {key: amount for key, amount in points.items() if amount}


async def _move_back(
    journal: ledger.Journal,
    row: sql.Row,
    moved: Moved,
    assets: Sequence[str],
    published: PublishedProgramme,
) -> list[MovedValue]:
    """Let what is left of the value that came with the merge go back, what of it filled a debt of
    the survivor's, and what was owed too."""
    merge_id, duplicate, survivor = row[0], row[1], row[2]
    came = await models.lots_that_came(survivor, [duplicate, *moved.members])
    owed = {debt.asset: debt for debt in moved.debts}
    values: list[MovedValue] = []
    for asset in assets:
        await journal.load_lots([survivor], asset)
        amount = _go_on(
            journal, came, asset, giver=survivor, receiver=duplicate, reference=merge_id
        )
        amount += await ledger.refill(
            journal,
            survivor,
            duplicate,
            asset,
            reference=merge_id,
            recorded_at=row[6],
            handed_back_by=merge_id,
        )
        debt = owed.get(asset)
        if debt is not None:
            await ledger.hand_back(
                journal,
                survivor,
                duplicate,
                asset,
                debt.amount,
                reference=debt.reference,
                handed_back_by=merge_id,
                expires_at=_expiry(published, asset, journal.recorded_at),
            )
        if amount or debt:
            values.append(MovedValue(asset, amount, debt.amount if debt else 0))
    return values


def _expiry(published: PublishedProgramme, asset: str, now: Instant) -> Instant:
    """When value that came back without an expiry of its own lapses."""
    if asset != POINTS:
        return NEVER
    rule = enrolment.points_grant(
        published, 0, now, reason=ledger.Reason.MERGE, rule="merge", reference=None
    )
    return rule.expires_at


async def _rows_back(
    moved: Moved, *, duplicate: int, survivor: int, merged_at: Instant, now: Instant
) -> None:
    """Move the rows back; an adjustment that was decided since stays where it was applied."""
    for table in models.MOVED_TABLES:
        ids = moved.rows.get(table, [])
        if table == "adjustments":
            since = await models.adjustments_decided_since(ids, merged_at)
            ids = [number for number in ids if number not in since]
        await models.move_rows(table, ids, giver=survivor, receiver=duplicate)
    rows = moved.rows
    await segments.move_back(rows.get("segment_members", []), giver=survivor, receiver=duplicate)
    await offers.move_back(rows.get("offer_activations", []), giver=survivor, receiver=duplicate)
    await catalogue.move_back(
        rows, giver=survivor, receiver=duplicate, merged_at=merged_at, now=now
    )


async def page(*, before: int | None, limit: int) -> list[MergeView]:
    """The newest merges, undone ones included; those before the one with that id."""
    rows = await models.merge_page(_FIRST_PAGE if before is None else before, limit)
    return [_view(row) for row in rows]
