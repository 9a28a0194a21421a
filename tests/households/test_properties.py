"""Whatever members give, pool, join and leave: points only move; no household lacks an owner."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import DomainError
from server.households import service
from server.households.service import HouseholdRole
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from server.transfers import service as transfers
from server.transfers.service import MemberReference, Present
from tests.api.calling import DAY, NOW
from tests.households.living import OWNER, people, publish, spend_pooled
from tests.ledger.books import check_books, grant, granted
from tests.playing import undone
from tests.properties import trying

MEMBERS = 4
MAXIMUM = 3


@dataclass(frozen=True)
class Act:
    """What a member does, perhaps to another one, some days after the act before."""

    kind: str
    member: int
    other: int
    amount: int
    role: HouseholdRole
    days: int


KINDS = ("give", "spend", "found", "join", "leave", "remove", "role", "dissolve")
OFTEN = ("give", "spend", "join")

acts = st.lists(
    st.builds(
        Act,
        st.sampled_from((*KINDS, *OFTEN)),
        st.integers(0, MEMBERS - 1),
        st.integers(0, MEMBERS - 1),
        st.integers(1, 40),
        st.sampled_from(HouseholdRole),
        st.sampled_from((0, 0, 0, 1, 3)),
    ),
    max_size=30,
)


async def do(act: Act, ids: list[int], now: Instant) -> int:
    """Do it; how many points were spent."""
    member, other = ids[act.member], ids[act.other]
    match act.kind:
        case "give":
            await transfers.give(
                Present(MemberReference(id=member), MemberReference(id=other), act.amount), now=now
            )
        case "spend":
            await spend_pooled(member, act.amount, now=now)
            return act.amount
        case "found":
            await service.found(member, None, now=now)
        case "join":
            invitation = await service.invite(other, act.role, now=now)
            await service.join(member, await service.invitation_code(invitation.id), now=now)
        case "leave":
            await service.leave(member, now=now)
        case "remove":
            await service.remove(other, by=member, now=now)
        case "role":
            await service.change_role(other, act.role, by=member, now=now)
        case "dissolve":
            await service.dissolve(member, now=now)
    return 0


async def check_households() -> None:
    """Who is present where is well formed."""
    rows = await sql.fetch(
        "SELECT h.id, h.dissolved_at, s.member_id, s.role FROM households h"
        " LEFT JOIN household_members s ON s.household_id = h.id AND s.left_at IS NULL"
    )
    for household_id, dissolved_at, *_ in rows:
        present = {row[2]: row[3] for row in rows if row[0] == household_id and row[2] is not None}
        assert bool(present) == (dissolved_at is None)
        assert not present or OWNER.value in present.values()
        assert len(present) <= MAXIMUM
    everyone = [row[2] for row in rows if row[2] is not None]
    assert len(everyone) == len(set(everyone))


@trying(examples=25)
@given(acts)
async def test_points_move_and_households_keep_an_owner(database: Address, acts: list[Act]) -> None:
    async with undone():
        await publish(
            {
                ("households",): {"maximum_members": MAXIMUM, "rejoin_wait_days": 1},
                ("transfers",): {"daily_limit_points": 60},
            }
        )
        ids = await people(*(50,) * MEMBERS)
        for member in ids:
            await grant(member, granted(30, at=NOW, expires_at=Instant(NOW + 400 * DAY)), now=NOW)
        total, now = 80 * MEMBERS, NOW
        for act in acts:
            now = Instant(now + act.days * DAY)
            try:
                async with sql.transaction():
                    total -= await do(act, ids, now)
            except DomainError:
                pass
            balances = await ledger.balances(ids, now)
            assert sum(balances[member, POINTS].available for member in ids) == total
            await check_households()
        await check_books()
