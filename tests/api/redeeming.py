"""Members with points to redeem."""

from server.clock import NEVER
from server.storage import sql
from tests.api.calling import Api, Caller, Json

ANNA: Json = {"member": {"externalId": "anna"}}
STEP = "Points are redeemed in steps of 1000."


async def rich(api: Api, external_id: str, points: int) -> Caller:
    """A member with that many points besides the 100 of the welcome."""
    caller = await api.member(external_id)
    await give_points(caller.member_id, points)
    return caller


async def give_points(member_id: int, points: int) -> None:
    """A lot of points that never expires, as the ledger would have it but for its journal."""
    async with sql.transaction():
        (account,) = await sql.fetch(
            "SELECT id, balance FROM ledger_accounts WHERE member_id = $1 AND asset = 'POINTS'",
            member_id,
        )
        await sql.execute(
            "INSERT INTO lots (id, member_id, account_id, sequence, amount, remaining, earned_at,"
            " available_at, expires_at, reason, rule, programme_version)"
            " VALUES ($1, $2, $3, 1000000, $4, $4, 0, 0, $5, 'purchase', 'test', 1)",
            member_id + 1_000_000,
            member_id,
            account[0],
            points,
            NEVER,
        )
        await sql.execute(
            "UPDATE ledger_accounts SET balance = balance + $1, granted_total = granted_total + $1"
            " WHERE id = $2",
            points,
            account[0],
        )
