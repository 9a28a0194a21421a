"""Whose value a member spends: their own, or all of their household's."""

from server.errors import NotAllowed
from server.households import service as households


async def pool(member_id: int, *, from_household: bool) -> tuple[int, ...]:
    """Whose value is to be spent: whom to lock first. Raises NotAllowed if the member may not spend
    the household's."""
    if not from_household:
        return (member_id,)
    try:
        return await households.pool_of(member_id)
    except NotAllowed as refusal:
        raise refusal.below("fromHousehold") from None


async def locked_pool(
    members: tuple[int, ...], member_id: int, *, from_household: bool
) -> tuple[int, ...]:
    """Those of `members` who are in the pool still, now that all of them are locked."""
    if not from_household:
        return members
    present = await pool(member_id, from_household=True)
    return tuple(one for one in members if one in present)
