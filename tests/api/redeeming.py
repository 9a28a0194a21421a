"""Members with points to redeem."""

from server.clock import NEVER, Instant
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from tests.api.calling import Api, Caller, Json

ANNA: Json = {"member": {"externalId": "anna"}}
STEP = "Points are redeemed in steps of 1000."


async def rich(api: Api, external_id: str, points: int) -> Caller:
    """A member with that many points besides the 100 of the welcome."""
    caller = await api.member(external_id)
    await give_points(caller.member_id, points)
    return caller


async def give_points(member_id: int, points: int, *, asset: str = POINTS) -> None:
    """A lot of points, or of minor units of another asset, that never expires."""
    grant = ledger.Grant(
        asset=asset,
        amount=points,
        earned_at=Instant(0),
        available_at=Instant(0),
        expires_at=NEVER,
        reason=ledger.Reason.PURCHASE,
        rule="test",
        programme_version=1,
        reference=None,
    )
    async with (
        sql.transaction(),
        ledger.journal([member_id], [asset], recorded_at=Instant(0)) as journal,
    ):
        journal.grant(member_id, grant)
