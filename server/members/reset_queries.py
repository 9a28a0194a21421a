"""The named queries of password resets."""

from collections.abc import Sequence

from server.storage import sql

_ADD = sql.insert("password_resets", "id, account_id, code_hash, created_at, expires_at")
_FORGET = """
    DELETE FROM password_resets
    WHERE account_id = $1 AND used_at IS NULL AND expires_at <= $2
"""
_USE = """
    UPDATE password_resets SET used_at = $1
    WHERE code_hash = $2 AND used_at IS NULL AND expires_at > $1
"""
_USE_ALL = "UPDATE password_resets SET used_at = $1 WHERE account_id = $2 AND used_at IS NULL"
_WITHDRAW = """
    UPDATE password_resets SET expires_at = $1
    WHERE account_id = $2 AND used_at IS NULL AND expires_at > $1
"""
_ASK = sql.insert("reset_requests", "id, email_key, language, letters, asked_at, due_at")
_WAITING = """
    SELECT id, email_key, language, letters, due_at FROM reset_requests
    WHERE due_at <= $1 AND asked_at > $2 ORDER BY due_at, id LIMIT $3
"""


async def ask(row: sql.Row) -> None:
    """Insert a request: id, address as it's compared, language, letters, asked, due."""
    await sql.execute(_ASK, *row)


async def waiting(now: int, *, asked_after: int, limit: int) -> Sequence[sql.Row]:
    """(id, address, language, letters, due) of the requests that are due, the longest due first."""
    return await sql.fetch(_WAITING, now, asked_after, limit)


async def move_on(request_id: int, *, due_at: int, to: int, letters: int) -> bool:
    """Take the request until `to`, unless another sender has moved it on; whether it was taken."""
    taken = await sql.execute(
        "UPDATE reset_requests SET due_at = $1, letters = $2 WHERE id = $3 AND due_at = $4",
        to,
        letters,
        request_id,
        due_at,
    )
    return taken == 1


async def forget_request(request_id: int, *, due_at: int) -> None:
    """Remove the request, unless another sender has moved it on."""
    await sql.execute(
        "DELETE FROM reset_requests WHERE id = $1 AND due_at = $2", request_id, due_at
    )


async def forget_requests(asked_until: int) -> int:
    """Remove the requests of up to then; how many."""
    return await sql.execute("DELETE FROM reset_requests WHERE asked_at <= $1", asked_until)


async def oldest_due(now: int) -> int | None:
    """Since when the request that is due for longest has been; None if none is due."""
    row = await sql.fetch_one("SELECT MIN(due_at) FROM reset_requests WHERE due_at <= $1", now)
    return None if row is None else row[0]


async def add(row: sql.Row, *, account_id: int, now: int) -> None:
    """Insert a reset: id, account id, hash of the code, created, expires. Those of the account
    that have expired unused go; those that were used prove that the address is the owner's."""
    await sql.execute(_FORGET, account_id, now)
    await sql.execute(_ADD, *row)


async def account_of(code_hash: str, *, now: int) -> int | None:
    """The account whose password the code may set, if it counts."""
    row = await sql.fetch_one(
        "SELECT account_id FROM password_resets"
        " WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2",
        code_hash,
        now,
    )
    return None if row is None else int(row[0])


async def use(code_hash: str, *, account_id: int, now: int) -> bool:
    """Use the code if it counts, and with it up all others of the account; whether it did."""
    if await sql.execute(_USE, now, code_hash) != 1:
        return False
    await sql.execute(_USE_ALL, now, account_id)
    return True


async def withdraw(account_id: int, *, now: int) -> None:
    """Let no code of the account count any more; none of them was used by this."""
    await sql.execute(_WITHDRAW, now, account_id)
