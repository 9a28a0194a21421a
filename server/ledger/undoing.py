"""Undoing grants and uses: what a return takes back, and what it gives back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from server.clock import Instant
from server.ledger import queries
from server.ledger.accounts import Cause
from server.ledger.journal import Journal
from server.ledger.moving import go_on
from server.ledger.rules import OpenLot, Reason, ReturnPolicy, Side, undoing
from server.storage import sql


class Undone(msgspec.Struct, frozen=True):
    """How a part of a grant was undone, in points or minor units; the parts add up to `amount`."""

    amount: int = 0
    from_lot: int = 0  # was still there
    lapsed: int = 0  # had lapsed unused, so nothing was taken
    from_balance: int = 0  # had been used, so it was taken from other lots
    owed: int = 0  # had been used, and nothing else was there: what comes in next fills the hole
    not_recovered: int = 0  # had been used, and the programme's policy lets it go

    def __add__(self, other: "Undone") -> "Undone":
        return Undone(
            *(
                one + another
                for one, another in zip(
                    msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True
                )
            )
        )


class Restored(msgspec.Struct, frozen=True):
    """How what had been used came back, in points or minor units."""

    amount: int = 0
    with_grace: int = 0  # of it: its own expiry had passed, so it got a new one
    withheld: int = 0  # of it: taken back at once, because a return had let go of it as used

    def __add__(self, other: "Restored") -> "Restored":
        return Restored(
            self.amount + other.amount,
            self.with_grace + other.with_grace,
            self.withheld + other.withheld,
        )


class Granted(msgspec.Struct, frozen=True):
    """A grant, and how much of it was undone by the start of this transaction's writes."""

    lot_id: int
    amount: int
    undone: int
    reason: Reason
    rule: str
    reference: int | None
    earned_at: Instant
    programme_version: int


@dataclass(frozen=True, slots=True)
class _Family:
    """A grant's lot, and the lots that go on with its value."""

    root: OpenLot
    lots: Sequence[OpenLot]
    lapsed: int
    returned: int


async def granted_by(references: Iterable[int]) -> list[Granted]:
    """What the things with these ids gave, in the order of granting."""
    wanted = set(references)
    rows = await queries.lots_by_reference(wanted) if wanted else ()
    return [_granted(row) for row in rows]


async def granted_under(member_ids: Iterable[int], reason: Reason, rule: str) -> list[Granted]:
    """What a rule gave the members for the reason and was not undone in full, the latest first."""
    return [_granted(row) for row in await queries.lots_of_rule(member_ids, reason.value, rule)]


def _granted(row: sql.Row) -> Granted:
    return Granted(
        lot_id=row[0],
        amount=row[4],
        undone=row[14],
        reason=Reason(row[9]),
        rule=row[10],
        reference=row[12],
        earned_at=row[6],
        programme_version=row[11],
    )


async def undo(  # noqa: PLR0913 - each says one thing about what is undone, and is named
    journal: Journal,
    member_id: int,
    asset: str,
    lot_id: int,
    amount: int,
    *,
    policy: ReturnPolicy,
    rule: str,
    reference: int,
    is_settled_by_caller: bool = False,
) -> Undone:
    """Undo `amount` of the grant that made a lot, at most what remains of it to be undone.

    What is still in the lot is taken from it. What lapsed unused needs no taking. What was used is
    taken from the member's other lots, first expiring first, pending ones included; and what can't
    be found there is owed, or let go, as the policy says. Under ONLY_PENDING nothing is taken but
    what is pending of this very grant. The lot's account is locked; so are those that its value was
    moved to, as far as it is to be taken there. Raises InvalidInput if the member would then owe
    more than MAXIMUM_BALANCE.

    What is let go within the balance is taken after all when what had used it is undone
    (`restore`), unless the caller makes up for it in another way (`is_settled_by_caller`).
    """
    family = await _family(journal, lot_id)
    root = family.root
    amount = min(amount, root.amount - root.undone)
    if amount <= 0:
        return Undone()
    now = journal.recorded_at
    takeable = [
        lot
        for lot in family.lots
        if lot.expires_at > now
        and journal.has_account(lot.account_id)
        and (policy is not ReturnPolicy.ONLY_PENDING or lot.available_at > now)
    ]
    plan = undoing(
        amount,
        undone=root.undone,
        recalled=root.recalled,
        takeable=sum(lot.remaining for lot in takeable),
        lapsed=family.lapsed,
        returned=family.returned,
    )
    _take(journal, takeable, plan.from_lot, cause=Cause(Reason.RETURN, rule, reference))
    recall = Cause(Reason.RECALL, rule, reference)
    from_balance = 0
    if policy is not ReturnPolicy.ONLY_PENDING and plan.elsewhere:
        await journal.load_lots([member_id], asset)
        lots = [
            lot
            for lot in journal.account(member_id, asset).lots.values()
            if lot.remaining and lot.expires_at > now
        ]
        from_balance = _take(journal, lots, plan.elsewhere, cause=recall)
    missing = plan.elsewhere - from_balance
    owed = missing if policy is ReturnPolicy.INTO_NEGATIVE else 0
    if owed:
        journal.owe(member_id, asset, owed, version=root.programme_version, cause=recall)
    root.undone += amount
    root.recalled += plan.elsewhere
    if policy is ReturnPolicy.WITHIN_BALANCE and not is_settled_by_caller:
        root.let_go += missing
    journal.touched(root)
    return Undone(amount, plan.from_lot, plan.lapsed, from_balance, owed, missing - owed)


async def _family(journal: Journal, lot_id: int) -> _Family:
    rows = await queries.family(lot_id)
    lots = {row[0]: journal.adopt(row) for row in rows} | journal.made_of(lot_id)
    lapsed, returned = sum(row[-2] for row in rows), sum(row[-1] for row in rows)
    for id_, lot in lots.items():
        lapsed += lot.remaining if lot.expires_at <= journal.recorded_at else 0
        lapsed += journal.unwritten(id_, side=Side.EXPIRED, reason=Reason.EXPIRY)
        returned += journal.unwritten(id_, side=Side.REVERSED, reason=Reason.RETURN)
    return _Family(lots[lot_id], list(lots.values()), lapsed, returned)


def _take(journal: Journal, lots: Sequence[OpenLot], amount: int, *, cause: Cause) -> int:
    """Take up to `amount` from the lots, first expiring first; how much was there."""
    left = amount
    for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.sequence, lot.id)):
        taken = min(left, lot.remaining)
        if taken:
            journal.take(lot, taken, side=Side.REVERSED, cause=cause)
            left -= taken
    return amount - left


async def users(reference: int) -> list[int]:
    """Whose value the thing with this id has taken and still has: whom to lock before `restore`."""
    return sorted({row[0] for row in await queries.uses(reference) if row[3] > 0})


async def restore(
    journal: Journal,
    reference: int,
    amount: int,
    *,
    side: Side,
    rule: str,
    restored_by: int,
    grace_expires_at: Instant,
    heirs: Mapping[int, int] | None = None,
) -> Restored:
    """Give back `amount` of what the thing `reference` took to the side, to the lots it came from.

    What was taken last comes back first, as if less had been taken in the first place. Where a
    lot's own expiry has passed, its value goes on in a new lot until `grace_expires_at`; where its
    owner was merged into another member, in a lot of that member (`heirs`). `restored_by` is what
    the new lots refer to. The caller has locked everyone of `users` and their heirs, and has seen
    to it that so much is still taken. Raises InvalidInput if an account can't take it.

    Where a return within the balance let go of value because it was used, and that use is undone
    now, it is taken back after all.
    """
    rows = [row for row in await queries.uses(reference) if row[3] > 0]
    lots = await with_origins(journal, [row[2] for row in rows])
    restored, left = Restored(), amount
    for owner, _account_id, lot_id, taken, _first in reversed(rows):
        back = min(left, taken)
        if not back:
            continue
        left -= back
        lot = lots[lot_id]
        heir = (heirs or {}).get(owner, owner)
        has_lapsed = lot.expires_at <= journal.recorded_at
        cause = Cause(Reason.RESTORED, rule, reference)
        journal.check_room(owner, journal.asset_of(lot), back)
        stays = journal.put(lot, back, side=side, cause=cause)
        origin = lots[lot.origin_id or lot.id]
        withheld = withhold(journal, lot, stays, origin=origin, reference=restored_by)
        stays -= withheld
        if has_lapsed or heir != owner:
            go_on(
                journal,
                lot,
                stays,
                heir=heir,
                expires_at=grace_expires_at if has_lapsed else lot.expires_at,
                reason=Reason.RESTORED if heir == owner else Reason.MERGE,
                reference=restored_by,
            )
        restored += Restored(back, back - withheld if has_lapsed else 0, withheld)
    assert left == 0, "the caller gives back no more than was taken"
    return restored


async def with_origins(journal: Journal, lot_ids: Collection[int]) -> dict[int, OpenLot]:
    """The written lots by id, and those whose value they go on with."""
    found = await queries.lots(lot_ids) if lot_ids else ()
    lots = {row[0]: journal.adopt(row) for row in found}
    origins = {lot.origin_id for lot in lots.values() if lot.origin_id is not None} - lots.keys()
    for row in await queries.lots(origins) if origins else ():
        lots[row[0]] = journal.adopt(row)
    return lots


def withhold(
    journal: Journal, lot: OpenLot, amount: int, *, origin: OpenLot, reference: int
) -> int:
    """Take from `amount`, which came back to the lot, what returns had let go of its grant because
    it was used; how much. `reference` is what the posting refers to."""
    taken = min(origin.let_go, amount)
    if taken and journal.has_account(origin.account_id):
        journal.take(
            lot, taken, side=Side.REVERSED, cause=Cause(Reason.RECALL, lot.rule, reference)
        )
        origin.let_go -= taken
        journal.touched(origin)
        return taken
    return 0
