"""Checking lots and holds against the journal."""

from collections import defaultdict
from collections.abc import Collection

from server import clock
from server.audit import queries
from server.audit.batches import Batch
from server.audit.journals import LotTally
from server.audit.rules import Check
from server.clock import NEVER, Instant
from server.enrolment import service as enrolment
from server.ledger.queries import HOLD_COLUMNS, PORTION_COLUMNS
from server.ledger.rules import Reason
from server.money import POINTS
from server.programme.service import PublishedProgramme
from server.storage import sql

_OF_RULES_POINTS = frozenset(
    {
        *(Reason.PURCHASE, Reason.WELCOME, Reason.CHALLENGE, Reason.STREAK),
        *(Reason.OFFER, Reason.ADJUSTMENT),
    }
)
_OF_PURCHASES = frozenset({Reason.PURCHASE, Reason.OFFER})
"""Points that wait as those of a purchase do."""
"""Points whose times the programme's rules set."""


async def check_lots(batch: Batch) -> None:
    """Each lot has left what its postings left in it, lasts as its rule says, and has undone of its
    grant what was taken back for it."""
    roots: dict[int, LotTally | None] = {}
    open_values: dict[int, Instant] = {}
    for lot_id, tally in batch.walked.lots.items():
        lot = tally.row
        row = ("lots", lot_id, lot[1])
        if not tally.is_made:
            batch.found.add(
                Check.LOTS, row, "posting that made it", expected=f"number {lot[3]}", found=None
            )
        batch.found.same(Check.LOTS, row, "remaining", expected=tally.left, found=lot[5])
        _check_terms(batch, lot)
        if lot[5]:
            open_values[lot[2]] = max(open_values.get(lot[2], Instant(0)), lot[8])
        if tally.returned and lot[13] is not None:
            roots.setdefault(lot[13], None)
        if lot[14] or (tally.returned and lot[13] is None):
            roots[lot_id] = tally
    await _check_undone(batch, roots)
    _check_recalls(batch)
    _check_debts(batch, open_values)
    _check_origins(batch, await _origins(batch))


def _check_terms(batch: Batch, lot: sql.Row) -> None:
    """Hold the times of a lot that the programme's rules made against its version's rules."""
    reason, reference, origin_id = lot[9], lot[12], lot[13]
    if origin_id is not None or (reference is None and reason != Reason.WELCOME):
        return
    is_points = batch.accounts[lot[2]][2] == POINTS
    if reason not in (_OF_RULES_POINTS if is_points else (Reason.CASHBACK, Reason.OFFER)):
        return
    published = _published(batch, lot)
    if published is None:
        return
    rules, zone = published.programme, published.programme.programme.timezone
    if is_points:
        pending_days = rules.points.purchase_pending_days if reason in _OF_PURCHASES else 0
        day = clock.local_day(lot[6], zone)
        expires_at = clock.start_of_day(clock.LocalDay(day + rules.points.expiry_days), zone)
    else:
        pending_days, expires_at = rules.cashback.pending_days, NEVER
    available_at = enrolment.available_at(lot[6], pending_days, zone)
    row = ("lots", lot[0], lot[1])
    batch.found.same(Check.LOTS, row, "available_at", expected=available_at, found=lot[7])
    batch.found.same(Check.LOTS, row, "expires_at", expected=expires_at, found=lot[8])


def _published(batch: Batch, lot: sql.Row) -> PublishedProgramme | None:
    for published in batch.book.ordered:
        if published.version == lot[11]:
            return published
    batch.found.add(
        Check.LOTS,
        ("lots", lot[0], lot[1]),
        "programme_version",
        expected="a published one",
        found=lot[11],
    )
    return None


async def _check_undone(batch: Batch, roots: dict[int, LotTally | None]) -> None:
    """Of what was undone of a grant, one part was taken back from its value, one was taken from
    elsewhere, and the rest had lapsed."""
    if not roots:
        return
    elsewhere = [lot_id for lot_id, tally in roots.items() if tally is None]
    columns = "id, member_id, undone, recalled"
    lots = {row[0]: row for row in await queries.chosen("lots", columns, elsewhere, by="id")}
    ended = {row[0]: (row[1], row[2]) for row in await queries.families(roots)}
    lapsing = await _lapsing(batch, roots)
    for lot_id, tally in roots.items():
        if tally is not None:
            member_id, undone, recalled = tally.row[1], tally.row[14], tally.row[15]
        elif lot_id in lots:
            _id, member_id, undone, recalled = lots[lot_id]
        else:
            continue
        lapsed, returned = ended.get(lot_id, (0, 0))
        lapsed += lapsing[lot_id]
        rest = undone - returned - recalled
        if not 0 <= rest <= lapsed:
            batch.found.add(
                Check.LOTS,
                ("lots", lot_id, member_id),
                "undone",
                expected=f"{returned + recalled} to {returned + recalled + lapsed}:"
                f" {returned} taken back, {recalled} recalled, up to {lapsed} lapsed",
                found=undone,
            )


async def _lapsing(batch: Batch, roots: Collection[int]) -> dict[int, int]:
    """What had lapsed of each family when its account was last written, and is not booked yet."""
    lapsing: dict[int, int] = defaultdict(int)
    for by in ("id", "origin_id"):
        columns = f"{by}, account_id, remaining, expires_at"
        for root, account_id, remaining, expires_at in await queries.chosen(
            "lots", columns, roots, by=by
        ):
            if expires_at <= batch.walked.last_recorded_at.get(account_id, NEVER):
                lapsing[root] += remaining
    return lapsing


def _check_recalls(batch: Batch) -> None:
    """What was taken from elsewhere for undone grants is what their lots say, less what was let go.
    Of members who were in a merge it may stand in the other's journal."""
    said: dict[int, int] = defaultdict(int)
    first: dict[int, int] = {}
    for lot_id, tally in batch.walked.lots.items():
        if tally.row[15]:
            said[tally.row[2]] += tally.row[15] - tally.row[16]
            first.setdefault(tally.row[2], lot_id)
    for account_id, account in batch.accounts.items():
        taken = batch.walked.recalls.get(account_id, 0)
        if account[1] not in batch.joined and taken > said[account_id]:
            row = ("ledger_accounts", account_id, account[1])
            if account_id in first:
                row = ("lots", first[account_id], account[1])
            batch.found.add(
                Check.LOTS,
                row,
                "recalled less let_go, of all lots of the account",
                expected=f"at least {taken}",
                found=said[account_id],
            )


def _check_debts(batch: Batch, open_values: dict[int, Instant]) -> None:
    """Nobody owes anything while they have something, and nothing lapses before its account
    expects it."""
    lots_of: dict[int, list[sql.Row]] = defaultdict(list)
    for tally in batch.walked.lots.values():
        if tally.row[5]:
            lots_of[tally.row[2]].append(tally.row)
    for account_id, account in batch.accounts.items():
        row = ("ledger_accounts", account_id, account[1])
        expiry = min((lot[8] for lot in lots_of[account_id]), default=NEVER)
        if account[13] > expiry:
            batch.found.add(
                Check.ACCOUNT,
                row,
                "next_expiry_at",
                expected=f"at most {expiry}",
                found=account[13],
            )
        # What had lapsed when it came in fills nothing.
        written = batch.walked.last_recorded_at.get(account_id, Instant(0))
        if account[7] and open_values.get(account_id, Instant(0)) > written:
            batch.found.add(
                Check.LOTS,
                row,
                "owed beside open lots",
                expected=0,
                found=account[7],
            )


async def _origins(batch: Batch) -> set[int]:
    origins = {
        tally.row[13] for tally in batch.walked.lots.values() if tally.row[13] is not None
    } - batch.walked.lots.keys()
    return await queries.existing("lots", origins) if origins else set()


def _check_origins(batch: Batch, elsewhere: set[int]) -> None:
    for lot_id, tally in batch.walked.lots.items():
        origin = tally.row[13]
        if origin is not None and origin not in elsewhere and origin not in batch.walked.lots:
            batch.found.add(
                Check.LOTS,
                ("lots", lot_id, tally.row[1]),
                "origin_id",
                expected="a lot",
                found=origin,
            )


# ---------------------------------------------------------------- holds


async def check_holds(batch: Batch) -> None:
    """What the journal has as held is what the holds' portions hold, lot by lot; and each hold of
    the members has reserved, settled and released what its row says."""
    portions = await queries.chosen(
        "held_portions", PORTION_COLUMNS, batch.accounts, by="account_id"
    )
    _check_portions(batch, portions)
    own = await queries.chosen("holds", HOLD_COLUMNS, batch.member_ids)
    if own:
        await _check_holds(batch, own)
    holds = {row[0]: row for row in own}
    others = {row[1] for row in portions} - holds.keys()
    for row in await queries.chosen("holds", HOLD_COLUMNS, others, by="id") if others else ():
        holds[row[0]] = row
    for portion in portions:
        _check_portion(batch, portion, holds.get(portion[1]))


def _check_portions(batch: Batch, portions: list[sql.Row]) -> None:
    held: dict[int, int] = defaultdict(int)
    for portion in portions:
        held[portion[4]] += portion[6]
        account = batch.accounts[portion[3]]
        if portion[6] and account[13] > portion[7]:
            batch.found.add(
                Check.ACCOUNT,
                ("ledger_accounts", account[0], account[1]),
                "next_expiry_at",
                expected=f"at most {portion[7]}, when a hold ends",
                found=account[13],
            )
    first = {portion[4]: portion for portion in reversed(portions)}
    for lot_id, tally in batch.walked.lots.items():
        if tally.held != held.get(lot_id, 0):
            named = first.get(lot_id)
            row = ("held_portions", named[0], named[2]) if named else None
            batch.found.add(
                Check.HOLDS,
                row or ("lots", lot_id, tally.row[1]),
                f"remaining of what is held of lot {lot_id}",
                expected=tally.held,
                found=held.get(lot_id, 0),
            )


def _check_portion(batch: Batch, portion: sql.Row, hold: sql.Row | None) -> None:
    row = ("held_portions", portion[0], portion[2])
    tally = batch.walked.lots.get(portion[4])

    def same(what: str, expected: object, found: object) -> None:
        batch.found.same(Check.HOLDS, row, what, expected=expected, found=found)

    if tally is None or hold is None:
        batch.found.add(
            Check.HOLDS, row, "lot and hold", expected="of this account", found=portion[4]
        )
        return
    same("account_id", tally.row[2], portion[3])
    same("lot_expires_at", tally.row[8], portion[8])
    same("releases_at", hold[8], portion[7])
    if hold[10] is not None:
        same(f"remaining of a hold that was {hold[10]}", 0, portion[6])
    elif portion[6] not in (0, portion[5]):
        same("remaining of a hold that nobody resolved", portion[5], portion[6])


async def _check_holds(batch: Batch, own: list[sql.Row]) -> None:
    ids = [row[0] for row in own]
    taken: dict[int, int] = defaultdict(int)
    freed: dict[int, int] = defaultdict(int)
    freed_at: dict[int, Instant] = {}
    for reference, _asset, debit, credit, reason, amount, first in await queries.posted(ids):
        if (reason, debit, credit) == (Reason.HOLD, "member", "held"):
            taken[reference] += amount
        elif (reason, debit, credit) == (Reason.RELEASE, "held", "member"):
            freed[reference] += amount
            freed_at[reference] = first
    reserved: dict[int, int] = defaultdict(int)
    still: dict[int, int] = defaultdict(int)
    for row in await queries.chosen(
        "held_portions", "hold_id, amount, remaining", ids, by="hold_id"
    ):
        reserved[row[0]] += row[1]
        still[row[0]] += row[2]
    for hold in own:
        row = ("holds", hold[0], hold[1])
        amount, settled, resolution = hold[3], hold[4], hold[10]
        end = hold[9] if resolution else hold[8]
        back = amount - settled if resolution else amount - still[hold[0]]
        checks: tuple[tuple[str, object, object], ...] = (
            ("amount by its postings", taken[hold[0]], amount),
            ("amount by its portions", reserved[hold[0]], amount),
            ("amount free again by its postings", back, freed[hold[0]]),
            ("instant of its end", end, freed_at.get(hold[0], end)),
            ("settled in full or part", resolution == "settled", settled > 0),
            ("resolved before it expired", True, hold[9] is None or hold[9] < hold[8]),
        )
        for what, expected, is_found in checks:
            batch.found.same(Check.HOLDS, row, what, expected=expected, found=is_found)
