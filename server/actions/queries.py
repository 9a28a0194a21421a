"""The named queries of actions; each says what its rows hold."""

from collections.abc import Collection, Sequence

from server.clock import LocalDay
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.ids import new_id

COMPLETION_COLUMNS = (
    "id, member_id, action, version, subject, local_day, points, completed_at, told_by"
)
INSERT_COMPLETION = sql.insert("action_completions", COMPLETION_COLUMNS)
INSERT_ANSWER = sql.insert(
    "survey_answers", "id, member_id, completion_id, action, question, value, text"
)
_CREATE_COUNTER = """
    INSERT INTO action_counters (id, action, completions)
    SELECT CAST($1 AS BIGINT), CAST($2 AS VARCHAR), COUNT(*) FROM action_completions
    WHERE action = $2
    ON CONFLICT (action) DO NOTHING
"""
COUNT = "UPDATE action_counters SET completions = completions + 1 WHERE action = $1"


def completed(member_ids: Collection[int], actions: Collection[str], day: LocalDay) -> Asked:
    """Asks for (member, action, times, times on the day) of what the members completed."""
    members, keys = sql.padded(member_ids), sql.padded(actions)
    return (
        "SELECT member_id, action, COUNT(*),"
        " CAST(SUM(CASE WHEN local_day = $1 THEN 1 ELSE 0 END) AS BIGINT) FROM action_completions"
        f" WHERE member_id IN ({sql.placeholders(len(members), first=2)})"
        f" AND action IN ({sql.placeholders(len(keys), first=2 + len(members))})"
        " GROUP BY member_id, action",
        (day, *members, *keys),
    )


def about(member_id: int, action: str, subject: str) -> Asked:
    """Asks for (times) that the member completed the action about the subject."""
    return (
        "SELECT COUNT(*) FROM action_completions"
        " WHERE member_id = $1 AND action = $2 AND subject = $3",
        (member_id, action, subject),
    )


async def locked_total(action: str) -> int:
    """How often the action was completed; its counter is locked, and begun if there is none."""
    lock = " FOR UPDATE" if sql.engine() == "postgres" else ""
    statement = f"SELECT completions FROM action_counters WHERE action = $1{lock}"
    row = await sql.fetch_one(statement, action)
    if row is None:
        await sql.execute(_CREATE_COUNTER, new_id(), action)
        row = await sql.fetch_one(statement, action)
    assert row is not None, "it has just been made"
    return int(row[0])


async def totals(actions: Collection[str]) -> dict[str, int]:
    """How often the actions were completed, of those that are counted."""
    values = sql.padded(actions)
    rows = await sql.fetch(
        "SELECT action, completions FROM action_counters"
        f" WHERE action IN ({sql.placeholders(len(values))})",
        *values,
    )
    return {row[0]: row[1] for row in rows}


# ---------------------------------------------------------------- of others


async def has_bought(member_id: int, product_id: str) -> bool:
    """Whether the member bought the product, and did not return all of it."""
    row = await sql.fetch_one(
        "SELECT 1 FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id"
        " WHERE p.member_id = $1 AND l.product_id = $2 AND (l.quantity > l.returned_quantity"
        " OR (l.quantity = 0 AND l.sales_minor - l.coupon_minor > l.returned_minor)) LIMIT 1",
        member_id,
        product_id,
    )
    return row is not None


async def has_address(member_id: int) -> bool:
    """Whether the member's account has an e-mail address."""
    row = await sql.fetch_one(
        "SELECT 1 FROM accounts WHERE member_id = $1 AND email_key IS NOT NULL", member_id
    )
    return row is not None


# ---------------------------------------------------------------- surveys


async def answer_counts(action: str) -> Sequence[sql.Row]:
    """(question, value, answers) of a survey; of free texts the value is null."""
    return await sql.fetch(
        "SELECT question, value, COUNT(*) FROM survey_answers WHERE action = $1"
        " GROUP BY question, value",
        action,
    )


async def times(action: str) -> int:
    """How often the action was completed."""
    row = await sql.fetch_one("SELECT COUNT(*) FROM action_completions WHERE action = $1", action)
    return int(row[0]) if row else 0


async def texts(action: str, question: str, before: int, limit: int) -> Sequence[sql.Row]:
    """(id, text, when) of the newest answers in words with an id below."""
    return await sql.fetch(
        "SELECT a.id, a.text, c.completed_at FROM survey_answers a"
        " JOIN action_completions c ON c.id = a.completion_id"
        " WHERE a.action = $1 AND a.question = $2 AND a.id < $3 AND a.text IS NOT NULL"
        " ORDER BY a.id DESC LIMIT $4",
        action,
        question,
        before,
        limit,
    )
