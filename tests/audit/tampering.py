"""Changing a database behind its back: single rows, by SQL, each told where the fault is."""

# ruff: noqa: S608 - the names in the statements are ours

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.audit.service import Check
from server.ledger.queries import POSTING_COLUMNS
from server.storage import sql

_BUSY = (
    "(SELECT id FROM ledger_accounts WHERE asset = 'POINTS' ORDER BY last_sequence DESC LIMIT 1)"
)
_NEXT = f"SELECT id FROM postings WHERE account_id = {_BUSY} AND sequence = 6"
_FIFTH = f"SELECT id FROM postings WHERE account_id = {_BUSY} AND sequence = 5"
_END = f"SELECT id FROM postings WHERE account_id = {_BUSY} ORDER BY sequence DESC LIMIT 1"
_COPIED = (
    f"({POSTING_COLUMNS}) SELECT id + 1, member_id, account_id, sequence + 1, debit, credit,"
    " amount, balance_after, lot_id, reason, rule, programme_version, reference, occurred_at,"
    " recorded_at, hash FROM postings WHERE id = $1"
)
_OPEN_LOT = "SELECT id FROM lots WHERE remaining > 1 AND remaining < amount ORDER BY id LIMIT 1"
_GRANT = "SELECT id FROM lots WHERE reason = 'purchase' AND undone = 0 ORDER BY id LIMIT 1"
_UNDONE = "SELECT id FROM lots WHERE undone > 1 AND recalled = 0 ORDER BY id LIMIT 1"
_PURCHASE = "SELECT id FROM purchases WHERE external_id = 'visit-13'"
_LINE = f"SELECT id FROM purchase_lines WHERE purchase_id = ({_PURCHASE}) AND number = 0"


@dataclass(frozen=True)
class Tampering:
    """One change: which row it hits, the statement, and what the audit says of which row."""

    name: str
    check: Check
    table: str  # that the statement changes
    row: str  # the query of the row's id, which is the statement's $1
    statement: str
    found_in: str = ""  # another table than the changed one
    found_row: str = ""  # the query of the row that is named, if it is another


def _set(
    name: str, check: Check, table: str, row: str, change: str, *, found_in: str = "",
    found_row: str = "",
) -> Tampering:  # fmt: skip
    statement = f"UPDATE {table} SET {change} WHERE id = $1"
    return Tampering(name, check, table, row, statement, found_in, found_row)


def _first(table: str, where: str = "id > 0") -> str:
    return f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1"


TAMPERINGS = (
    _set("a posting's amount", Check.CHAIN, "postings", _FIFTH, "amount = amount + 1"),
    _set("a posting's reason", Check.CHAIN, "postings", _FIFTH, "reason = 'opening'"),
    _set("when a posting counted", Check.CHAIN, "postings", _FIFTH, "occurred_at = 1"),
    _set("a posting's hash", Check.CHAIN, "postings", _FIFTH, "hash = 'x'"),
    _set("the last posting's balance", Check.CHAIN, "postings", _END, "balance_after = 1"),
    _set(
        "whose a posting is", Check.CHAIN, "postings", _FIFTH,
        "member_id = (SELECT MAX(id) FROM members)",
    ),
    Tampering(
        "a posting deleted", Check.CHAIN, "postings", _FIFTH, "DELETE FROM postings WHERE id = $1",
        found_row=_NEXT,
    ),
    Tampering(
        "the last posting deleted", Check.CHAIN, "postings", _END,
        "DELETE FROM postings WHERE id = $1", "ledger_accounts", _BUSY.strip("()"),
    ),
    Tampering(
        "a posting inserted", Check.CHAIN, "postings", _END, f"INSERT INTO postings {_COPIED}",
        found_row=f"SELECT id FROM postings WHERE account_id = {_BUSY}"
        " ORDER BY sequence DESC LIMIT 1",
    ),
    _set(
        "an account's balance", Check.ACCOUNT, "ledger_accounts", _BUSY.strip("()"),
        "balance = balance + 5, moved_total = moved_total + 5",
    ),
    _set(
        "an account's held", Check.ACCOUNT, "ledger_accounts",
        _first("ledger_accounts", "held > 0"), "held = held - 1",
    ),
    _set(
        "an account's totals", Check.ACCOUNT, "ledger_accounts", _BUSY.strip("()"),
        "granted_total = granted_total + 3, redeemed_total = redeemed_total + 3",
    ),
    _set(
        "the head's hash", Check.CHAIN, "ledger_accounts", _BUSY.strip("()"), "last_hash = 'x'"
    ),
    _set(
        "when something lapses", Check.ACCOUNT, "ledger_accounts",
        "SELECT account_id FROM lots WHERE remaining > 0 AND expires_at < 9000000000000000000"
        " ORDER BY id LIMIT 1",
        "next_expiry_at = 9000000000000000000",
    ),
    _set("what is left of a lot", Check.LOTS, "lots", _OPEN_LOT, "remaining = remaining - 1"),
    _set("how long a lot lasts", Check.LOTS, "lots", _GRANT, "expires_at = expires_at + 1"),
    _set("when a lot is available", Check.LOTS, "lots", _GRANT, "available_at = 1"),
    _set("a lot's amount", Check.LOTS, "lots", _GRANT, "amount = amount + 1"),
    _set("a lot's rule", Check.LOTS, "lots", _GRANT, "rule = 'other'"),
    _set("a lot's version", Check.LOTS, "lots", _GRANT, "programme_version = 2"),
    _set("what was undone of a lot", Check.LOTS, "lots", _UNDONE, "undone = undone - 1"),
    _set(
        "what was recalled for a lot", Check.LOTS, "lots", _first("lots", "recalled > 0"),
        "recalled = recalled - 1",
    ),
    _set(
        "what was let go of a lot", Check.LOTS, "lots", _first("lots", "recalled > 0"),
        "let_go = 1",
    ),
    _set(
        "what was undone by lines", Check.PURCHASES, "lots",
        _first("lots", "reason = 'purchase' AND undone > 0"), "undone = undone - 1",
    ),
    _set(
        "what a hold holds", Check.HOLDS, "held_portions",
        _first("held_portions", "remaining > 0"), "remaining = remaining - 1",
    ),
    _set(
        "what a hold held", Check.HOLDS, "held_portions",
        _first("held_portions", "remaining > 0"), "releases_at = releases_at - 1",
    ),
    _set(
        "a hold's settled amount", Check.HOLDS, "holds",
        _first("holds", "resolution = 'settled' AND settled_amount < amount"),
        "settled_amount = settled_amount + 1",
    ),
    _set(
        "a hold's resolution", Check.HOLDS, "holds", _first("holds", "resolution = 'released'"),
        "resolution = NULL, resolved_at = NULL",
    ),
    _set(
        "a transfer's posting", Check.CONSERVATION, "postings",
        _first("postings", "reason = 'gift_received'"), "amount = amount + 1",
    ),
    _set("a voucher's points", Check.USES, "vouchers", _first("vouchers"), "points = points + 1"),
    _set(
        "a voucher's rest", Check.USES, "vouchers", _first("vouchers", "status = 'issued'"),
        "remaining_minor = remaining_minor - 1",
    ),
    _set(
        "a voucher that is cancelled", Check.USES, "vouchers",
        _first("vouchers", "status = 'issued'"), "status = 'cancelled'",
    ),
    _set(
        "an order's points", Check.USES, "reward_orders",
        _first("reward_orders", "status = 'issued'"), "points = points - 1",
    ),
    _set(
        "the points of a voucher's order", Check.USES, "reward_orders",
        _first("reward_orders", "kind = 'voucher'"), "points = points + 1",
    ),
    _set(
        "an order that is cancelled", Check.USES, "reward_orders",
        _first("reward_orders", "status = 'issued'"), "status = 'cancelled'",
    ),
    _set(
        "an order that was cancelled", Check.USES, "reward_orders",
        _first("reward_orders", "status = 'cancelled'"), "status = 'issued'",
    ),
    _set(
        "a payment's amount", Check.USES, "payments", _first("payments", "kind = 'points'"),
        "amount = amount + 1",
    ),
    _set(
        "what a payment gave back", Check.USES, "payments",
        _first("payments", "restored_amount > 0"), "restored_amount = restored_amount - 1",
    ),
    _set(
        "a payout's amount", Check.USES, "payouts", _first("payouts", "status = 'paid'"),
        "amount_minor = amount_minor + 1",
    ),
    _set(
        "a payout's status", Check.USES, "payouts", _first("payouts", "status = 'requested'"),
        "status = 'paid'",
    ),
    _set("a gift's amount", Check.USES, "gifts", _first("gifts"), "amount = amount - 1"),
    _set(
        "an adjustment's amount", Check.USES, "adjustments", _first("adjustments"),
        "amount = amount + 1",
    ),
    _set(
        "an adjustment's status", Check.USES, "adjustments", _first("adjustments"),
        "status = 'rejected'",
    ),
    _set(
        "an imported line", Check.USES, "balance_import_lines", _first("balance_import_lines"),
        "amount = amount + 1",
    ),
    _set(
        "a line's sales", Check.PURCHASES, "purchase_lines", _LINE,
        "sales_minor = sales_minor + 200", found_in="purchases", found_row=_PURCHASE,
    ),
    _set(
        "a line's department", Check.PURCHASES, "purchase_lines", _LINE, "department = 'PASTRY'",
        found_in="purchases", found_row=_PURCHASE,
    ),
    Tampering(
        "a line deleted", Check.PURCHASES, "purchase_lines", _LINE,
        "DELETE FROM purchase_lines WHERE id = $1", found_row=
        f"SELECT id FROM purchase_lines WHERE purchase_id = ({_PURCHASE}) AND number = 1",
    ),
    _set(
        "what was returned of a line", Check.PURCHASES, "purchase_lines",
        _first("purchase_lines", "returned_quantity > 0"), "returned_minor = returned_minor - 1",
    ),
    _set(
        "a purchase's spend", Check.PURCHASES, "purchases", _PURCHASE,
        "eligible_minor = eligible_minor + 1",
    ),
    _set(
        "a purchase's answer", Check.PURCHASES, "purchases", _PURCHASE,
        """outcome = REPLACE(outcome, '"rule":"BASE","points":', '"rule":"BASE","points":1')""",
    ),
    _set(
        "a return's net", Check.PURCHASES, "purchase_returns", _first("purchase_returns"),
        "net_minor = net_minor + 1",
    ),
    _set(
        "a tier day", Check.TIERS, "tier_days", _first("tier_days", "spend_minor > 0"),
        "spend_minor = spend_minor + 1",
    ),
    Tampering(
        "a tier day deleted", Check.TIERS, "tier_days", _first("tier_days", "spend_minor > 0"),
        "DELETE FROM tier_days WHERE id = $1", "tier_states",
        "SELECT s.id FROM tier_states s JOIN tier_days d ON d.member_id = s.member_id"
        " WHERE d.spend_minor > 0 ORDER BY d.id LIMIT 1",
    ),
    _set("a tier", Check.TIERS, "tier_states", _first("tier_states"), "level = 'Gold'"),
    _set(
        "a tier's window", Check.TIERS, "tier_states", _first("tier_states"),
        "window_spend_minor = window_spend_minor + 7",
    ),
    _set(
        "a tier's lifetime", Check.TIERS, "tier_states", _first("tier_states"),
        "lifetime_spend_minor = lifetime_spend_minor + 7",
    ),
    _set(
        "when a tier may drop", Check.TIERS, "tier_states",
        _first("tier_states", "window_spend_minor > 0"), "next_drop_day = 2147483647",
    ),
    _set(
        "how often a tier changed", Check.TIERS, "tier_states", _first("tier_states"),
        "change_count = change_count + 1",
    ),
    _set(
        "a challenge's progress", Check.CHALLENGES, "challenge_progress",
        _first("challenge_progress"), "progress = progress + 1",
    ),
    _set(
        "what a challenge counted", Check.CHALLENGES, "challenge_progress",
        _first("challenge_progress", "challenge = 'departments'"), "counted = '[\"X\"]'",
    ),
    _set(
        "a completion", Check.CHALLENGES, "challenge_progress",
        _first("challenge_progress", "completed_at IS NULL"), "completed_at = 5",
    ),
    _set(
        "a completion's instant", Check.CHALLENGES, "challenge_progress",
        _first("challenge_progress", "completed_at IS NOT NULL"), "completed_at = 5",
    ),
    _set(
        "a run", Check.CHALLENGES, "challenge_runs", _first("challenge_runs"),
        "last_period = last_period + 7",
    ),
    _set(
        "a run's streaks", Check.CHALLENGES, "challenge_runs", _first("challenge_runs"),
        "streak_count = streak_count + 1",
    ),
    _set(
        "a challenge's total", Check.CHALLENGES, "challenge_totals", _first("challenge_totals"),
        "completion_count = completion_count + 1",
    ),
    _set(
        "a month's cashback", Check.CASHBACK, "cashback_months", _first("cashback_months"),
        "accrued_minor = accrued_minor + 1",
    ),
    _set(
        "what a month's cap cut", Check.CASHBACK, "cashback_months", _first("cashback_months"),
        "capped_minor = capped_minor + 1",
    ),
    _set(
        "a week's cashback", Check.CASHBACK, "cashback_periods", _first("cashback_periods"),
        "accrued_minor = accrued_minor + 1",
    ),
    _set(
        "a duplicate's account", Check.MERGED, "ledger_accounts",
        "SELECT a.id FROM ledger_accounts a JOIN members m ON m.id = a.member_id"
        " WHERE m.merged_into IS NOT NULL ORDER BY a.id LIMIT 1",
        "balance = balance + 5, moved_total = moved_total + 5",
    ),
    _set(
        "whom a duplicate leads to", Check.MERGED, "members",
        _first("members", "merged_into IS NOT NULL"), "merged_into = 1",
    ),
)  # fmt: skip


@asynccontextmanager
async def unguarded(table: str) -> AsyncIterator[None]:
    """Within the block, in a transaction, no trigger keeps the table's rows."""
    if sql.engine() == "postgres":
        await sql.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        await sql.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    triggers = await sql.fetch(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1", table
    )
    for name, _text in triggers:
        await sql.execute(f"DROP TRIGGER {name}")
    yield
    for _name, text in triggers:
        await sql.execute(text)


async def tamper(tampering: Tampering) -> tuple[str, int]:
    """Change the row, in a transaction; the table and the id of the row that is to be named."""
    row = await sql.fetch_one(tampering.row)
    assert row is not None, f"nothing to tamper with: {tampering.name}"
    table = tampering.found_in or tampering.table
    named = None
    if tampering.found_row and "DELETE" in tampering.statement:
        named = await sql.fetch_one(tampering.found_row)
    async with unguarded(tampering.table):
        assert await sql.execute(tampering.statement, row[0]) == 1
    if tampering.found_row and named is None:
        named = await sql.fetch_one(tampering.found_row)
    return table, int((named or row)[0])
