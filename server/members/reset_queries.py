"""The named queries of password resets."""

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
