"""Households for tests: members with points, and what they do, each act in a transaction."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from server import clock
from server.clock import NEVER, Instant
from server.errors import DomainError
from server.households import service
from server.households.service import HouseholdRole, HouseholdView
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.storage import sql
from server.storage.ids import new_id
from tests.api.calling import NOW, enrolled
from tests.ledger.books import grant, granted
from tests.programme.demo import Place, demo_yaml

OWNER, SPENDER, CONTRIBUTOR = HouseholdRole
_Answer = TypeVar("_Answer")


async def publish(changes: dict[Place, Any] | None = None) -> None:
    """The demo programme without welcome points, and with these changes, from the beginning."""
    text = demo_yaml({("points", "welcome_bonus_points"): 0, **(changes or {})})
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(text, published_by="test")


async def people(*points: int, at: Instant = NOW) -> list[int]:
    """A member for each number of points, which never expire."""
    ids = [await enrolled(at=at) for _ in points]
    for member, amount in zip(ids, points, strict=True):
        await grant(member, granted(amount, at=at, expires_at=NEVER), now=at)
    return ids


async def written(work: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Do the work in one transaction, again if it lost a race."""

    async def attempt() -> _Answer:
        async with sql.transaction():
            return await work()

    return await sql.retried(attempt)


async def refused(work: Callable[[], Awaitable[Any]]) -> DomainError:
    """The work is refused; why."""
    try:
        await written(work)
    except DomainError as refusal:
        return refusal
    raise AssertionError("nothing was refused")


async def founded(
    owner: int, *others: tuple[int, HouseholdRole], at: Instant = NOW
) -> HouseholdView:
    """A household of these members."""
    household = await written(lambda: service.found(owner, "Home", now=at))
    for member, role in others:
        household = await joined(owner, member, role, at=at)
    return household


async def invited(owner: int, role: HouseholdRole = CONTRIBUTOR, *, at: Instant = NOW) -> str:
    """The code of an invitation."""
    invitation = await written(lambda: service.invite(owner, role, now=at))
    return await service.invitation_code(invitation.id)


async def joined(
    owner: int, member: int, role: HouseholdRole = CONTRIBUTOR, *, at: Instant = NOW
) -> HouseholdView:
    """The household after the owner has invited the member, and they have joined."""
    code = await invited(owner, role, at=at)
    return await written(lambda: service.join(member, code, now=at))


async def spend_pooled(member: int, amount: int, *, now: Instant = NOW) -> int:
    """Spends the household's points, in the transaction, as a payment does; its reference."""
    pool = await service.pool_of(member)
    reference = new_id()
    cause = ledger.Cause(ledger.Reason.PAYMENT, "payment", reference)
    async with ledger.journal(pool, [POINTS], recorded_at=now) as journal:
        present = set(pool) & set(await service.pool_of(member))
        await journal.spend(present, POINTS, amount, cause=cause)
    return reference


async def available(*members: int, at: Instant = NOW) -> list[int]:
    """What each of the members can spend of their own."""
    balances = await ledger.balances(members, at)
    return [balances[member, POINTS].available for member in members]


async def roles(member: int) -> dict[int, HouseholdRole] | None:
    """Who is in the member's household, in which role; None if the member is in none."""
    household = (await service.households_of([member])).get(member)
    return None if household is None else household.roles
