"""Debts that pass from one member to another: of a duplicate to the member it is merged into."""

from server.clock import Instant
from server.ledger import queries
from server.ledger.accounts import Cause, Line
from server.ledger.journal import Grant, Journal
from server.ledger.moving import go_on
from server.ledger.rules import OpenLot, Reason, Side
from server.storage import sql

DEBT_RULE = "debt"
_PAID = (
    "SELECT lot_id, CAST(SUM(amount) AS BIGINT) FROM postings WHERE reference = $1"
    " AND debit <> 'issued' AND debit = 'member' AND credit = 'transferred'"
    " GROUP BY lot_id ORDER BY MIN(id)"
)
"""(lot, amount) of what lots have paid for a debt that was taken over."""
_FILLED = (
    "SELECT lot_id, CAST(SUM(amount) AS BIGINT) FROM postings WHERE reference = $1"
    " AND debit <> 'issued' AND account_id = $2 AND recorded_at = $3 AND reason = 'settlement'"
    " AND debit = 'member' AND credit = 'owed' GROUP BY lot_id ORDER BY MIN(id)"
)
"""(lot, amount) of what lots that came with a merge filled of what was owed."""


async def take_over(journal: Journal, debtor: int, heir: int, asset: str, *, reference: int) -> int:
    """Let another member owe what the debtor owes; how much that is, in points or minor units.

    What the heir has pays for it first, first expiring first, pending value included; the rest is
    owed by them. `reference` is an id of this taking over alone: `hand_back` finds by it what paid.
    Both are locked.
    """
    owed = journal.account(debtor, asset).owed
    if owed:
        cause = Cause(Reason.MERGE, DEBT_RULE, reference)
        _forgive(journal, debtor, asset, owed, cause)
        await _charge(journal, heir, asset, owed, cause)
    return owed


async def hand_back(
    journal: Journal,
    heir: int,
    debtor: int,
    asset: str,
    amount: int,
    *,
    reference: int,
    handed_back_by: int,
    expires_at: Instant,
) -> None:
    """Undo `take_over` of the amount: the debtor owes it again, the heir gets back what it took.

    That is, what lots had paid returns to them; of the rest, what is still owed is not any more,
    and what has been filled since comes as a new lot until `expires_at`, as does what returns to a
    lot that has lapsed. `handed_back_by` is what the new postings refer to. Raises InvalidInput if
    the heir's account can't take it.
    """
    cause = Cause(Reason.MERGE, DEBT_RULE, handed_back_by)
    paid = await sql.fetch(_PAID, reference)
    left = amount - sum(row[1] for row in paid)
    forgiven = min(left, journal.account(heir, asset).owed)
    if forgiven:
        _forgive(journal, heir, asset, forgiven, cause)
    rows = await queries.lots([row[0] for row in paid]) if paid else ()
    lots = {row[0]: journal.adopt(row) for row in rows}
    for lot_id, back in paid:
        lot = lots[lot_id]
        journal.check_room(heir, asset, back)
        stays = journal.put(lot, back, side=Side.TRANSFERRED, cause=cause)
        if lot.expires_at <= journal.recorded_at:
            go_on(
                journal,
                lot,
                stays,
                heir=heir,
                expires_at=expires_at,
                reason=Reason.MERGE,
                reference=handed_back_by,
            )
    now = journal.recorded_at
    journal.grant(
        heir,
        Grant(
            asset=asset,
            amount=left - forgiven,
            earned_at=now,
            available_at=now,
            expires_at=expires_at,
            reason=Reason.MERGE,
            rule=DEBT_RULE,
            programme_version=0,
            reference=handed_back_by,
            side=Side.TRANSFERRED,
        ),
    )
    await _charge(journal, debtor, asset, amount, cause)


async def refill(
    journal: Journal,
    debtor: int,
    giver: int,
    asset: str,
    *,
    reference: int,
    recorded_at: Instant,
    handed_back_by: int,
) -> int:
    """Give back what value that came under `reference` at the instant filled of what the debtor
    owed: the debtor owes it again, the giver has it in new lots; how much that is.

    They keep rule, origin and expiry; what would have lapsed meanwhile does not come back. Both are
    locked, and what was left of the lots has gone back before. Raises InvalidInput if the giver's
    account can't take it.
    """
    account = journal.account(debtor, asset)
    filled = await sql.fetch(_FILLED, reference, account.id, recorded_at)
    rows = await queries.lots([row[0] for row in filled]) if filled else ()
    lots = {row[0]: journal.adopt(row) for row in rows}
    cause = Cause(Reason.MERGE, DEBT_RULE, handed_back_by)
    total = 0
    for lot_id, amount in filled:
        lot, now = lots[lot_id], journal.recorded_at
        if lot.expires_at <= now:
            continue
        await _charge(journal, debtor, asset, amount, cause)
        grant = Grant(
            asset=asset,
            amount=amount,
            earned_at=now,
            available_at=max(now, lot.available_at),
            expires_at=lot.expires_at,
            reason=Reason.MERGE,
            rule=lot.rule,
            programme_version=lot.programme_version,
            reference=handed_back_by,
            side=Side.TRANSFERRED,
            origin_id=lot.origin_id or lot.id,
        )
        journal.grant(giver, grant)
        total += amount
    return total


def _forgive(journal: Journal, member_id: int, asset: str, amount: int, cause: Cause) -> None:
    line = Line(Side.TRANSFERRED, Side.OWED, amount, cause, journal.recorded_at)
    journal._post(journal.account(member_id, asset), None, line)


async def _charge(journal: Journal, member_id: int, asset: str, amount: int, cause: Cause) -> None:
    """Take the amount from the member's lots; what is not there is owed."""
    await journal.load_lots([member_id], asset)
    account, now = journal.account(member_id, asset), journal.recorded_at

    def order(lot: OpenLot) -> tuple[Instant, int]:
        return lot.expires_at, lot.sequence

    for lot in sorted(account.lots.values(), key=order):
        taken = min(amount, lot.remaining) if lot.expires_at > now else 0
        if taken:
            journal.take(lot, taken, side=Side.TRANSFERRED, cause=cause)
            amount -= taken
    if amount:
        line = Line(Side.OWED, Side.TRANSFERRED, amount, cause, now)
        journal._post(account, None, line)
