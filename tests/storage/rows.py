"""One valid row of every table, parents first, and what a database holds."""

from collections.abc import Sequence
from typing import Any

from server.storage import migrate, sql

Row = dict[str, int | str | None]

HASH = "0" * 64

ROWS: dict[str, Row] = {
    "members": {
        "id": 1,
        "external_id": "M-1",
        "name": "Zoë O'Neill; DROP",
        "birthday": "1990-05-17",
        "locale": "en-GB",
        "time_zone": "Europe/Berlin",
        "enrolled_at": 1_767_225_600_000_000,
        "enrolled_local_month": 202601,
        "merged_into": None,
    },
    "accounts": {
        "id": 2,
        "member_id": 1,
        "email": "Zoe@example.org",
        "email_key": "zoe@example.org",
        "password_hash": "argon2",
        "staff_role": None,
        "created_at": 1,
    },
    "sessions": {
        "id": 3,
        "account_id": 2,
        "generation": 0,
        "device_name": None,
        "created_at": 1,
        "rotated_at": 1,
        "expires_at": 2,
        "revoked_at": None,
    },
    "account_identities": {
        "id": 41,
        "account_id": 2,
        "provider": "firebase/demo",
        "subject": "u-1",
        "created_at": 1,
    },
    "password_resets": {
        "id": 42,
        "account_id": 2,
        "code_hash": HASH,
        "created_at": 1,
        "expires_at": 2,
        "used_at": None,
    },
    "api_keys": {
        "id": 4,
        "name": "till",
        "partner": "shop",
        "scopes": "purchases",
        "key_hash": HASH,
        "created_at": 1,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
        "replaces_id": None,
    },
    "ledger_accounts": {
        "id": 5,
        "member_id": 1,
        "asset": "POINTS",
        "last_sequence": 1,
        "last_hash": HASH,
        "balance": 90,
        "held": 10,
        "owed": 0,
        "granted_total": 100,
        "redeemed_total": 0,
        "expired_total": 0,
        "reversed_total": 10,
        "moved_total": 0,
        "next_expiry_at": 2**63 - 1,
    },
    "lots": {
        "id": 6,
        "member_id": 1,
        "account_id": 5,
        "sequence": 1,
        "amount": 100,
        "remaining": 100,
        "earned_at": 1,
        "available_at": 1,
        "expires_at": 2**63 - 1,
        "reason": "purchase",
        "rule": "base",
        "programme_version": 1,
        "reference": None,
        "origin_id": None,
        "undone": 10,
        "recalled": 10,
        "let_go": 5,
    },
    "postings": {
        "id": 7,
        "member_id": 1,
        "account_id": 5,
        "sequence": 1,
        "debit": "issued",
        "credit": "member",
        "amount": 100,
        "balance_after": 100,
        "lot_id": 6,
        "reason": "purchase",
        "rule": "base",
        "programme_version": 1,
        "reference": None,
        "occurred_at": 1,
        "recorded_at": 1,
        "hash": HASH,
    },
    "cards": {
        "id": 8,
        "member_id": 1,
        "number": "1234567890123456",
        "status": "active",
        "issued_at": 1,
        "status_changed_at": 1,
        "reported_lost_at": None,
    },
    "programme_versions": {
        "id": 9,
        "version": 1,
        "document": "{}",
        "digest": HASH,
        "effective_at": 1,
        "published_at": 1,
        "published_by": "operator",
    },
    "tier_states": {
        "id": 10,
        "member_id": 1,
        "level": "silver",
        "since": 1,
        "window_spend_minor": 0,
        "lifetime_spend_minor": 0,
        "evaluated_day": 1,
        "next_drop_day": 2,
        "change_count": 0,
        "programme_version": 1,
    },
    "tier_days": {"id": 11, "member_id": 1, "local_day": 20_000, "spend_minor": 0},
    "tier_changes": {
        "id": 12,
        "member_id": 1,
        "changed_at": 1,
        "level_before": "base",
        "level_after": "silver",
    },
    "cashback_months": {
        "id": 13,
        "member_id": 1,
        "local_month": 202601,
        "accrued_minor": 0,
        "capped_minor": 0,
    },
    "challenge_progress": {
        "id": 14,
        "member_id": 1,
        "challenge": "weekly",
        "period_start": 20_000,
        "progress": 0,
        "counted": "",
        "completed_at": None,
        "rewarded_by": None,
    },
    "challenge_runs": {
        "id": 15,
        "member_id": 1,
        "challenge": "weekly",
        "first_period": 20_000,
        "last_period": 20_000,
        "streak_count": 0,
    },
    "challenge_totals": {
        "id": 16,
        "member_id": 1,
        "challenge": "weekly",
        "completion_count": 0,
        "streak_count": 0,
        "kept_points": 0,
    },
    "vouchers": {
        "id": 17,
        "member_id": 1,
        "code": "ABCD",
        "points": 1,
        "value_minor": 0,
        "currency": "EUR",
        "digits": 2,
        "issued_at": 1,
        "status": "issued",
        "remaining_minor": 0,
    },
    "purchases": {
        "id": 18,
        "member_id": 1,
        "partner": "shop",
        "external_id": "B-1",
        "content_hash": HASH,
        "store_id": "1",
        "occurred_at": 1,
        "recorded_at": 1,
        "local_month": 202601,
        "currency": "EUR",
        "net_minor": -5,
        "eligible_minor": 0,
        "programme_version": 1,
        "outcome": "{}",
        "paid_minor": 0,
        "returned_net_minor": 0,
        "returned_eligible_minor": 0,
    },
    "purchase_lines": {
        "id": 19,
        "member_id": 1,
        "purchase_id": 18,
        "number": 0,
        "product_id": "p",
        "department": "d",
        "product_category": "c",
        "product_type": "t",
        "quantity": 0,
        "sales_minor": 0,
        "coupon_minor": 0,
        "paid_minor": 0,
        "returned_quantity": 0,
        "returned_minor": 0,
    },
    "purchase_returns": {
        "id": 30,
        "member_id": 1,
        "purchase_id": 18,
        "partner": "shop",
        "external_id": "R-1",
        "content_hash": HASH,
        "occurred_at": 1,
        "recorded_at": 1,
        "net_minor": -5,
        "outcome": "{}",
    },
    "return_lines": {
        "id": 31,
        "member_id": 1,
        "purchase_return_id": 30,
        "number": 0,
        "quantity": 0,
        "amount_minor": 0,
    },
    "cashback_periods": {
        "id": 32,
        "member_id": 1,
        "period": "calendar_year",
        "period_start": 20_000,
        "accrued_minor": 0,
    },
    "holds": {
        "id": 33,
        "member_id": 1,
        "asset": "POINTS",
        "amount": 10,
        "settled_amount": 0,
        "purpose": "till",
        "partner": "shop",
        "created_at": 1,
        "expires_at": 2,
        "resolved_at": None,
        "resolution": None,
    },
    "held_portions": {
        "id": 34,
        "hold_id": 33,
        "member_id": 1,
        "account_id": 5,
        "lot_id": 6,
        "amount": 10,
        "remaining": 10,
        "releases_at": 2,
        "lot_expires_at": 2**63 - 1,
    },
    "payments": {
        "id": 35,
        "member_id": 1,
        "kind": "points",
        "asset": "POINTS",
        "amount": 10,
        "value_minor": 10,
        "currency": "EUR",
        "digits": 2,
        "restored_amount": 0,
        "restored_minor": 0,
        "voucher_id": None,
        "hold_id": 33,
        "purchase_id": 18,
        "partner": "shop",
        "paid_at": 1,
        "cancelled_at": None,
    },
    "gifts": {
        "id": 36,
        "giver_id": 1,
        "receiver_id": 37,
        "asset": "POINTS",
        "amount": 1,
        "message": None,
        "local_day": 20_000,
        "given_at": 1,
    },
    "households": {"id": 38, "name": None, "founded_at": 1, "dissolved_at": None},
    "household_members": {
        "id": 39,
        "household_id": 38,
        "member_id": 1,
        "role": "owner",
        "joined_at": 1,
        "left_at": None,
    },
    "versions": {"id": 43, "version": 1},
    "household_invitations": {
        "id": 40,
        "household_id": 38,
        "code_hash": HASH,
        "role": "spender",
        "invited_by": 1,
        "created_at": 1,
        "expires_at": 2,
        "accepted_by": None,
        "accepted_at": None,
    },
    "payouts": {
        "id": 41,
        "member_id": 1,
        "hold_id": 33,
        "amount_minor": 1,
        "currency": "EUR",
        "digits": 2,
        "destination": "LT00",
        "status": "requested",
        "local_day": 20_000,
        "requested_at": 1,
        "decided_at": None,
        "requested_by": None,
        "decided_by": None,
        "finished_at": None,
        "finished_by": None,
        "bank_reference": None,
        "note": None,
    },
    "adjustments": {
        "id": 42,
        "member_id": 1,
        "asset": "POINTS",
        "amount": -1,
        "reason": "complaint",
        "status": "pending",
        "requested_by": 2,
        "requested_at": 1,
        "decided_by": None,
        "decided_at": None,
        "note": None,
    },
    "balance_imports": {
        "id": 43,
        "digest": HASH,
        "file_name": "balances.csv",
        "line_count": 1,
        "started_at": 1,
        "finished_at": None,
    },
    "balance_import_lines": {
        "id": 44,
        "balance_import_id": 43,
        "number": 1,
        "member_id": 1,
        "asset": "POINTS",
        "amount": 1,
    },
    "merges": {
        "id": 45,
        "duplicate_id": 37,
        "survivor_id": 1,
        "moved": "{}",
        "reason": "two cards",
        "merged_by": 2,
        "merged_at": 1,
        "undone_by": None,
        "undone_at": None,
    },
    "audit_runs": {
        "id": 46,
        "scope": "all",
        "started_at": 1,
        "finished_at": None,
        "through_id": 1,
        "member_count": 0,
        "problem_count": 0,
        "first_problem": None,
    },
    "idempotency_records": {
        "id": 20,
        "scope": "till enrol",
        "key": "k",
        "content_hash": HASH,
        "answer": "{}",
        "recorded_at": 1,
    },
    "signing_keys": {
        "id": 21,
        "key_id": "k",
        "private_key": "pem",
        "created_at": 1,
        "signs_from": None,
        "retired_at": None,
    },
    "attempt_limits": {"name_hash": HASH, "used_up_until": 1},
    "trusted_documents": {
        "sha256": HASH,
        "body": "{ me { id } }",
        "label": "Me",
        "published_at": 1,
        "withdrawn_at": None,
    },
    "shared_secrets": {"id": 22, "name": "n", "value": HASH, "created_at": 1},
}


async def insert(table: str, row: Row) -> None:
    """Insert a row; call it inside a transaction."""
    await sql.execute(sql.insert(table, ", ".join(row)), *row.values())


async def fill() -> None:
    """One row in every table that there is, and a second member for what takes two.

    A database that lacks migrations gets what it has columns for.
    """
    async with sql.transaction():
        await insert("members", ROWS["members"] | {"id": 37, "external_id": "M-2", "name": None})
        for table, row in ROWS.items():
            if present := await columns(table):
                await insert(table, {name: row[name] for name in row if name in present})


async def contents() -> dict[str, list[Row]]:
    """All rows of those tables of `ROWS` that there are, by column name."""
    found: dict[str, list[Row]] = {}
    for table in ROWS:
        names = await columns(table)
        if not names:
            continue
        rows = await sql.fetch(f"SELECT {', '.join(names)} FROM {table} ORDER BY {names[0]}")  # noqa: S608
        found[table] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


async def tables() -> set[str]:
    """The names of all tables but the record of migrations."""
    if sql.engine() == "sqlite":
        rows = await sql.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        rows = await sql.fetch(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
        )
    return {row[0] for row in rows} - {migrate.RECORDS, "sqlite_sequence"}


async def columns(table: str) -> list[str]:
    """The names of a table's columns; none if there is no such table."""
    if sql.engine() == "sqlite":
        rows = await sql.fetch("SELECT name FROM pragma_table_info($1)", table)
    else:
        rows = await sql.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = $1 AND table_schema = current_schema()",
            table,
        )
    return [row[0] for row in rows]


async def guards() -> set[tuple[Any, ...]]:
    """All that the database enforces or keeps in order: indexes, keys, checks, triggers."""
    queries = _SQLITE_GUARDS if sql.engine() == "sqlite" else _POSTGRES_GUARDS
    found: set[tuple[Any, ...]] = set()
    for query in queries:
        rows: Sequence[sql.Row] = await sql.fetch(query)
        found |= {tuple(row) for row in rows}
    return found


_SQLITE_GUARDS = [
    """SELECT 'index', t.name, i."unique", i.partial, i.origin <> 'c',
              CASE i.origin WHEN 'c' THEN i.name END,
              (SELECT GROUP_CONCAT(name)
               FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
       FROM sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table'""",
    """SELECT 'foreign key', t.name, k."from", k."table", k."to", k.on_delete
       FROM sqlite_master t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'""",
    "SELECT 'trigger', tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    """SELECT 'not null', t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
       WHERE t.type = 'table' AND c."notnull" """,
    # A check is named in the text of its table only.
    """WITH RECURSIVE found(name, rest) AS (
         SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'
         UNION ALL
         SELECT name, SUBSTR(rest, INSTR(rest, 'CONSTRAINT "') + 12) FROM found
         WHERE INSTR(rest, 'CONSTRAINT "') > 0)
       SELECT 'check', name, SUBSTR(rest, 1, INSTR(rest, '"') - 1) FROM found
       WHERE SUBSTR(rest, INSTR(rest, '"') + 2, 5) = 'CHECK'""",
]
_POSTGRES_GUARDS = [
    """SELECT 'index', tablename::text, indexdef FROM pg_indexes
       WHERE schemaname = current_schema()""",
    """SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = current_schema()::regnamespace""",
    """SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid)
       FROM pg_trigger WHERE NOT tgisinternal""",
]
