import sqlite3
from importlib import import_module

import asyncpg
import pytest
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage import sql
from server.storage.database import MODELS
from tests.storage.rows import ROWS, Row, columns, fill, insert

REFUSED = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)

# constraint, table, what makes a valid row invalid
INVALID: list[tuple[str, str, Row]] = [
    ("members_birthday", "members", {"birthday": "17.5.90"}),
    ("accounts_email_and_key", "accounts", {"email_key": None}),
    ("accounts_password", "accounts", {"email": None, "email_key": None}),
    ("sessions_generation", "sessions", {"generation": -1}),
    ("ledger_accounts_asset", "ledger_accounts", {"asset": "PT"}),
    ("ledger_accounts_last_sequence", "ledger_accounts", {"last_sequence": -1}),
    ("ledger_accounts_balance", "ledger_accounts", {"balance": 9, "moved_total": -81}),
    ("ledger_accounts_balance", "ledger_accounts", {"held": 91}),
    ("ledger_accounts_held_owed", "ledger_accounts", {"held": -1}),
    ("ledger_accounts_held_owed", "ledger_accounts", {"owed": -1}),
    ("ledger_accounts_identity", "ledger_accounts", {"balance": 91}),
    ("ledger_accounts_totals", "ledger_accounts", {"granted_total": -1, "moved_total": 101}),
    ("ledger_accounts_totals", "ledger_accounts", {"redeemed_total": -1, "moved_total": -1}),
    ("ledger_accounts_totals", "ledger_accounts", {"expired_total": -1, "moved_total": -1}),
    ("ledger_accounts_totals", "ledger_accounts", {"reversed_total": -1, "moved_total": -11}),
    ("lots_sequence", "lots", {"sequence": 0}),
    ("lots_amount", "lots", {"amount": 0, "remaining": 0}),
    ("lots_remaining", "lots", {"remaining": -1}),
    ("lots_remaining", "lots", {"remaining": 101}),
    ("lots_undone", "lots", {"undone": -1, "recalled": -1}),
    ("lots_undone", "lots", {"undone": 101}),
    ("lots_undone", "lots", {"recalled": 11}),
    ("lots_undone", "lots", {"recalled": -1, "let_go": -1}),
    ("lots_undone", "lots", {"let_go": -1}),
    ("lots_undone", "lots", {"let_go": 11}),
    ("holds_amount", "holds", {"amount": 0}),
    ("holds_settled_amount", "holds", {"settled_amount": 11}),
    ("holds_settled_amount", "holds", {"settled_amount": -1}),
    ("holds_resolution", "holds", {"resolved_at": 1}),
    ("holds_resolution", "holds", {"resolution": "settled"}),
    ("holds_resolution", "holds", {"resolved_at": 1, "resolution": "expired"}),
    ("held_portions_amounts", "held_portions", {"remaining": 11}),
    ("held_portions_amounts", "held_portions", {"remaining": -1}),
    ("held_portions_amounts", "held_portions", {"amount": 0, "remaining": 0}),
    ("postings_sequence", "postings", {"sequence": 0}),
    ("postings_amount", "postings", {"amount": 0}),
    ("postings_amount", "postings", {"amount": -1}),
    ("postings_two_sides", "postings", {"debit": "member"}),
    ("cards_status", "cards", {"status": "lost"}),
    ("programme_versions_version", "programme_versions", {"version": 0}),
    ("definition_versions_version", "definition_versions", {"version": 0}),
    ("definition_versions_status", "definition_versions", {"status": "lost"}),
    ("definition_versions_effective_at", "definition_versions", {"effective_at": None}),
    ("definition_versions_budget_minor", "definition_versions", {"budget_minor": -1}),
    (
        "baskets_status",
        "baskets",
        {
            "status": "lost",
            "held_until": 1,
            "purchase_id": None,
            "external_id": None,
            "content_hash": None,
        },
    ),
    ("baskets_decided_at", "baskets", {"decided_at": None}),
    ("baskets_purchase", "baskets", {"purchase_id": None}),
    ("baskets_purchase", "baskets", {"content_hash": None}),
    (
        "baskets_held_until",
        "baskets",
        {"status": "cancelled", "purchase_id": None, "external_id": None, "content_hash": None},
    ),
    ("coupon_batches_size", "coupon_batches", {"size": 0}),
    ("coupon_batches_status", "coupon_batches", {"status": "lost"}),
    ("coupon_batches_finished_at", "coupon_batches", {"finished_at": None}),
    ("coupon_codes_holder_id", "coupon_codes", {"holder_id": None}),
    ("coupon_codes_reserved_until", "coupon_codes", {"reserved_until": 9}),
    ("coupon_redemptions_status", "coupon_redemptions", {"status": "lost"}),
    ("coupon_redemptions_reserved_until", "coupon_redemptions", {"reserved_until": 9}),
    ("coupon_counters_uses", "coupon_counters", {"uses": -1}),
    ("segment_listings_is_complete", "segment_listings", {"is_complete": 2}),
    ("segment_listings_after_id", "segment_listings", {"after_id": -1}),
    ("member_consents_is_given", "member_consents", {"is_given": 2}),
    ("member_consents_purpose", "member_consents", {"purpose": "post"}),
    ("consent_changes_is_given", "consent_changes", {"is_given": -1}),
    ("tier_states_spend", "tier_states", {"window_spend_minor": -1}),
    ("tier_states_spend", "tier_states", {"lifetime_spend_minor": -1}),
    ("tier_states_change_count", "tier_states", {"change_count": -1}),
    ("tier_days_spend_minor", "tier_days", {"spend_minor": -1}),
    ("cashback_months_accrued_minor", "cashback_months", {"accrued_minor": -1}),
    ("cashback_months_capped_minor", "cashback_months", {"capped_minor": -1}),
    ("challenge_progress_progress", "challenge_progress", {"progress": -1}),
    ("challenge_runs_periods", "challenge_runs", {"last_period": 19_999}),
    ("challenge_runs_streak_count", "challenge_runs", {"streak_count": -1}),
    ("challenge_totals_counts", "challenge_totals", {"completion_count": -1}),
    ("challenge_totals_counts", "challenge_totals", {"streak_count": -1}),
    ("challenge_totals_counts", "challenge_totals", {"kept_points": -1}),
    ("vouchers_points", "vouchers", {"points": 0}),
    ("vouchers_value_minor", "vouchers", {"value_minor": -1, "remaining_minor": -1}),
    ("vouchers_remaining_minor", "vouchers", {"remaining_minor": 1}),
    ("vouchers_status", "vouchers", {"status": "lost"}),
    ("reward_stock_sold", "reward_stock", {"sold": -1}),
    ("reward_orders_quantity", "reward_orders", {"quantity": 0}),
    ("reward_orders_points", "reward_orders", {"points": 0}),
    ("reward_orders_money_minor", "reward_orders", {"money_minor": -1}),
    ("reward_orders_status", "reward_orders", {"status": "lost"}),
    ("plan_subscriptions_price_minor", "plan_subscriptions", {"price_minor": -1}),
    ("plan_subscriptions_period_unit", "plan_subscriptions", {"period_unit": "week"}),
    ("plan_subscriptions_cancellation", "plan_subscriptions", {"cancellation": "never"}),
    ("plan_subscriptions_source", "plan_subscriptions", {"source": "stolen"}),
    ("plan_subscriptions_is_trial", "plan_subscriptions", {"is_trial": 1}),
    ("plan_subscriptions_counts", "plan_subscriptions", {"periods": -1}),
    ("plan_subscriptions_counts", "plan_subscriptions", {"review_count": -1}),
    ("plan_events_amount_minor", "plan_events", {"amount_minor": -1}),
    ("referrals_state", "referrals", {"state": "lost"}),
    ("referrals_purchase_day", "referrals", {"purchase_day": None}),
    ("referrals_granted", "referrals", {"granted_at": None}),
    ("referrals_granted", "referrals", {"available_at": None}),
    ("referrals_amounts", "referrals", {"inviter_points": -1}),
    ("referrals_amounts", "referrals", {"friend_cashback_minor": -1}),
    ("referral_milestones_state", "referral_milestones", {"state": "lost"}),
    ("referral_milestones_friends", "referral_milestones", {"friends": 0}),
    ("referral_milestones_points", "referral_milestones", {"points": -1}),
    ("member_marks_kind", "member_marks", {"kind": "shoe"}),
    ("action_completions_points", "action_completions", {"points": -1}),
    ("action_counters_completions", "action_counters", {"completions": -1}),
    ("survey_answers_value_or_text", "survey_answers", {"value": None}),
    ("survey_answers_value_or_text", "survey_answers", {"text": "kind"}),
    ("settlement_entries_source", "settlement_entries", {"source": "luck"}),
    ("drop_lines_last_number", "drop_lines", {"last_number": -1}),
    ("drop_lines_taken", "drop_lines", {"taken": -1}),
    ("drop_places_number", "drop_places", {"number": 0}),
    ("drop_places_turn", "drop_places", {"turn": 0}),
    ("drop_places_left_or_taken", "drop_places", {"left_at": 2, "taken_at": 2}),
    ("drop_places_freed_at", "drop_places", {"freed_at": 2}),
    ("offer_uses_status", "offer_uses", {"status": "lost"}),
    ("offer_uses_held_until", "offer_uses", {"held_until": None}),
    ("offer_uses_held_until", "offer_uses", {"basket_id": None}),
    ("offer_uses_used_at", "offer_uses", {"used_at": 3}),
    ("offer_uses_used_at", "offer_uses", {"status": "used"}),
    ("offer_uses_returned", "offer_uses", {"returned_discount_minor": 101}),
    ("offer_uses_returned", "offer_uses", {"returned_shipping_minor": -1}),
    ("offer_uses_returned", "offer_uses", {"returned_points": 6}),
    ("offer_uses_returned", "offer_uses", {"returned_cashback_minor": 1}),
    ("offer_uses_returned_budget", "offer_uses", {"returned_budget_minor": 101}),
    ("offer_uses_returned_budget", "offer_uses", {"returned_budget_points": -1}),
    ("offer_counters_used", "offer_counters", {"uses": -1}),
    ("offer_counters_used", "offer_counters", {"budget_minor": -1}),
    ("offer_counters_used", "offer_counters", {"budget_points": -1}),
    ("payments_kind", "payments", {"kind": "cash"}),
    ("payments_amount", "payments", {"amount": 0}),
    ("payments_amount", "payments", {"restored_amount": 11}),
    ("payments_amount", "payments", {"restored_amount": -1}),
    ("payments_value_minor", "payments", {"restored_minor": 11}),
    ("payments_value_minor", "payments", {"restored_minor": -1}),
    ("gifts_amount", "gifts", {"amount": 0}),
    ("gifts_two_members", "gifts", {"receiver_id": 1}),
    ("household_members_role", "household_members", {"role": "child"}),
    ("household_invitations_role", "household_invitations", {"role": "child"}),
    ("payouts_amount_minor", "payouts", {"amount_minor": 0}),
    ("payouts_status", "payouts", {"status": "lost"}),
    ("adjustments_amount", "adjustments", {"amount": 0}),
    ("adjustments_status", "adjustments", {"status": "lost"}),
    ("adjustments_second_person", "adjustments", {"decided_by": 2}),
    ("balance_import_lines_number", "balance_import_lines", {"number": 0}),
    ("balance_import_lines_amount", "balance_import_lines", {"amount": 0}),
    ("merges_two_members", "merges", {"duplicate_id": 1}),
    ("cashback_periods_accrued_minor", "cashback_periods", {"accrued_minor": -1}),
    ("purchases_eligible_minor", "purchases", {"eligible_minor": -1}),
    ("purchases_paid_minor", "purchases", {"paid_minor": -1}),
    ("purchases_returned_eligible_minor", "purchases", {"returned_eligible_minor": 1}),
    ("purchases_returned_eligible_minor", "purchases", {"returned_eligible_minor": -1}),
    ("purchase_lines_returned_quantity", "purchase_lines", {"returned_quantity": 1}),
    ("purchase_lines_returned_quantity", "purchase_lines", {"returned_quantity": -1}),
    ("return_lines_quantity", "return_lines", {"quantity": -1}),
    ("purchase_lines_number", "purchase_lines", {"number": -1}),
    ("purchase_lines_quantity", "purchase_lines", {"quantity": -1}),
    ("purchase_lines_sales_minor", "purchase_lines", {"sales_minor": -1}),
    ("purchase_lines_coupon_minor", "purchase_lines", {"coupon_minor": -1}),
    ("devices_platform", "devices", {"platform": "toaster"}),
    ("message_choices_is_given", "message_choices", {"is_given": 2}),
    ("message_choices_channel", "message_choices", {"channel": "pigeon"}),
    ("message_choices_category", "message_choices", {"category": "weather"}),
    ("message_choice_changes_is_given", "message_choice_changes", {"is_given": -1}),
    ("quiet_hours_minutes", "quiet_hours", {"from_minute": 1440}),
    ("quiet_hours_minutes", "quiet_hours", {"until_minute": -1}),
    ("campaign_runs_state", "campaign_runs", {"state": "lost"}),
    ("notifications_is_held_out", "notifications", {"is_held_out": 2}),
    ("notifications_is_shown", "notifications", {"is_shown": -1}),
    ("reset_requests_letters", "reset_requests", {"letters": -1}),
    ("notifications_category", "notifications", {"category": "weather"}),
    ("deliveries_status", "deliveries", {"status": "lost"}),
    ("deliveries_channel", "deliveries", {"channel": "in_app"}),
    ("deliveries_category", "deliveries", {"category": "weather"}),
    ("deliveries_attempts", "deliveries", {"attempts": -1}),
    ("webhook_subscriptions_state", "webhook_subscriptions", {"state": "lost"}),
    ("webhook_deliveries_status", "webhook_deliveries", {"status": "lost"}),
]

# No row breaks the first alone; PostgreSQL names either.
IMPLIED_BY = {"vouchers_value_minor": "vouchers_remaining_minor"}


def models() -> list[type[Model]]:
    found = {
        value
        for name in MODELS
        for value in vars(import_module(name)).values()
        if isinstance(value, type) and issubclass(value, Model) and value is not Model
    }
    return sorted(found, key=lambda model: model.__name__)


def test_every_declared_check_is_in_the_table() -> None:
    declared = {
        constraint.name
        for model in models()
        for constraint in model._meta.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert {name for name, _, _ in INVALID} == declared
    assert set(ROWS) == {model._meta.db_table for model in models()}


async def test_the_database_itself_refuses_what_is_invalid(database: object) -> None:
    await fill()
    for name, table, change in INVALID:
        # The row is there already, and all checks come before the first key.
        with pytest.raises(REFUSED, match=f"{name}|{IMPLIED_BY.get(name, name)}"):
            async with sql.transaction():
                await insert(table, ROWS[table] | change)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("cards", {"number": "2"}),
        ("cards", {"number": "2", "status": "blocked"}),
        ("lots", {"expires_at": 3}),
        ("postings", {"reason": "again"}),
        ("ledger_accounts", {}),
        ("purchases", {}),
        ("programme_versions", {}),
        ("idempotency_records", {}),
        ("tier_days", {}),
        ("household_members", {}),
        ("purchase_returns", {}),
        ("balance_import_lines", {}),
        ("balance_imports", {}),
    ],
)
async def test_the_database_itself_refuses_a_second_one(
    database: object, table: str, change: Row
) -> None:
    await fill()
    with pytest.raises((sqlite3.IntegrityError, asyncpg.UniqueViolationError)):
        async with sql.transaction():
            await insert(table, ROWS[table] | {"id": 1000} | change)


async def test_a_member_has_any_number_of_replaced_cards(database: object) -> None:
    await fill()
    async with sql.transaction():
        for number in range(3):
            await insert(
                "cards",
                ROWS["cards"] | {"id": 1000 + number, "number": str(number), "status": "replaced"},
            )
    assert len(await sql.fetch("SELECT id FROM cards")) == 4


@pytest.mark.parametrize(
    ("table", "change"),
    [("postings", {"lot_id": 99}), ("lots", {"account_id": 99}), ("cards", {"member_id": 99})],
)
async def test_the_database_itself_refuses_a_row_without_its_parent(
    database: object, table: str, change: Row
) -> None:
    await fill()
    fresh: Row = {"id": 1000, "sequence": 2, "number": "2", "status": "replaced", **change}
    row: Row = ROWS[table] | {name: fresh[name] for name in fresh if name in ROWS[table]}
    with pytest.raises((sqlite3.IntegrityError, asyncpg.ForeignKeyViolationError)):
        async with sql.transaction():
            await insert(table, row)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postings SET amount = 99",
        "UPDATE postings SET hash = hash WHERE id = 7",
        "DELETE FROM postings",
        "DELETE FROM postings WHERE id = 7",
        "INSERT INTO postings SELECT * FROM postings WHERE true"
        " ON CONFLICT (id) DO UPDATE SET amount = 1",
    ],
)
async def test_a_posting_stays_as_it_is(database: object, statement: str) -> None:
    await fill()
    with pytest.raises(REFUSED, match="postings are append-only: correct one by adding another"):
        async with sql.transaction():
            await sql.execute(statement)
    row = await sql.fetch_one("SELECT amount FROM postings")
    assert row == (100,)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # PostgreSQL has no REPLACE
async def test_a_posting_is_not_replaced_either(database: object) -> None:
    await fill()
    with pytest.raises(sqlite3.IntegrityError):
        async with sql.transaction():
            await sql.execute("REPLACE INTO postings SELECT * FROM postings")


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # SQLite has no TRUNCATE
async def test_postings_are_not_truncated(database: object) -> None:
    await fill()
    with pytest.raises(asyncpg.RestrictViolationError):
        async with sql.transaction():
            await sql.execute("TRUNCATE postings")


async def test_open_lots_are_found_by_their_index(database: object) -> None:
    query = (
        "SELECT id FROM lots WHERE account_id = 5 AND remaining > 0 ORDER BY expires_at, sequence"
    )
    if sql.engine() == "sqlite":
        plan = await sql.fetch(f"EXPLAIN QUERY PLAN {query}")
    else:
        async with sql.transaction():
            await sql.execute("SET LOCAL enable_seqscan = off")
            plan = await sql.fetch(f"EXPLAIN {query}")
    assert "lots_open" in str(plan)
    assert "sort" not in str(plan).lower().replace("order by", "sort")


async def test_every_foreign_key_that_is_looked_up_starts_an_index(database: object) -> None:
    for table in ROWS:
        if "member_id" not in await columns(table) or table in LED_BY_A_PARENT:
            continue
        if sql.engine() == "sqlite":
            query = f"SELECT id FROM {table} WHERE member_id = 1"  # noqa: S608 (a known name)
            found = await sql.fetch(f"EXPLAIN QUERY PLAN {query}")
            assert "USING" in str(found), table
        else:
            found = await sql.fetch(
                "SELECT indexdef FROM pg_indexes WHERE tablename = $1"
                " AND indexdef LIKE '%(member_id%'",
                table,
            )
            assert found, table


# Reached by way of their account, purchase, return, file or subscription, or in their order.
LED_BY_A_PARENT = {
    "outbox_events",
    "webhook_deliveries",
    "lots",
    "postings",
    "held_portions",
    "purchase_lines",
    "return_lines",
    "balance_import_lines",
}
