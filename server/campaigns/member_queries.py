"""What messages need to know of many members at once."""

from collections.abc import Collection

from msgspec import Struct

from server.storage import sql


class Person(Struct, frozen=True):
    """Who is told something; a duplicate that was merged is the member it was merged into."""

    id: int
    name: str  # empty if unknown
    locale: str
    time_zone: str


_PEOPLE = (
    "SELECT one.id, m.id, m.name, m.locale, m.time_zone FROM members one"
    " JOIN members m ON m.id = COALESCE(one.merged_into, one.id) WHERE one.id IN ({members})"
)
_FRIENDS = (
    "SELECT r.id, m.name FROM referrals r JOIN members m ON m.id = r.friend_id"
    " WHERE r.id IN ({referrals})"
)


async def people(member_ids: Collection[int]) -> dict[int, Person]:
    """The members by id; one statement."""
    wanted = sql.padded(member_ids)
    statement = _PEOPLE.format(members=sql.placeholders(len(wanted)))
    return {
        row[0]: Person(row[1], row[2] or "", row[3], row[4])
        for row in await sql.fetch(statement, *wanted)
    }


async def friends(referral_ids: Collection[int]) -> dict[int, str]:
    """By referral the first name of who was brought, as the inviter may see it; one statement."""
    wanted = sql.padded(referral_ids)
    statement = _FRIENDS.format(referrals=sql.placeholders(len(wanted)))
    named = {row[0]: (row[1] or "").split() for row in await sql.fetch(statement, *wanted)}
    return {referral_id: words[0] if words else "" for referral_id, words in named.items()}
