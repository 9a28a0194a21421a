"""The verbs of enrolment, for one person at an app or many at the tills."""

from collections.abc import Mapping, Sequence

from server import clock
from server.cards import service as cards
from server.clock import Instant
from server.ledger import service as ledger
from server.members import service as members
from server.members.service import NewMember
from server.money import POINTS
from server.programme import service as programme
from server.programme.granting import available_at, points_grant
from server.programme.service import PublishedProgramme
from server.referrals import service as referrals
from server.referrals.service import Invitation, Marks, check_marks
from server.storage import outbox
from server.tiers import service as tiers

__all__ = [
    "WELCOME_RULE",
    "Invitation",
    "Marks",
    "available_at",
    "check_marks",
    "checked_newcomer",
    "enrol",
    "newcomer",
    "points_grant",
    "register",
    "welcome",
]

WELCOME_RULE = "welcome"


def newcomer(at: Instant, published: PublishedProgramme, **profile: str | None) -> NewMember:
    """A person who joins at the instant, with what is known of them."""
    zone = published.programme.programme.timezone
    given = {key: value for key, value in profile.items() if value is not None}
    return NewMember(
        enrolled_at=at,
        enrolled_local_month=clock.month_of(clock.local_day(at, zone)),
        **{"time_zone": zone, **given},
    )


async def register(new: Sequence[NewMember], currencies: Sequence[str]) -> list[int]:
    """Make members of the people, with a card and ledger accounts each; their ids, in order.

    The tier and the welcome points follow with `welcome`. Raises InvalidInput with a path that
    starts with the position in the list.
    """
    if not new:
        return []
    ids = await members.register_members(list(new))
    enrolled_at = {id_: each.enrolled_at for id_, each in zip(ids, new, strict=True)}
    await _furnish(enrolled_at, currencies)
    return ids


async def _furnish(enrolled_at: Mapping[int, Instant], currencies: Sequence[str]) -> None:
    """Give new members, each enrolled at an instant, their card and empty ledger accounts."""
    await ledger.open_accounts(enrolled_at, [POINTS, *currencies])
    await cards.issue_at(enrolled_at)


def welcome(
    journal: ledger.Journal,
    counting: tiers.Counting,
    member_id: int,
    published: PublishedProgramme,
    at: Instant,
) -> ledger.Grant | None:
    """Start the new member's tier and grant the welcome points; the grant, if there is one."""
    counting.enrol(member_id, published, at)
    outbox.put("member.created", member_id, {}, occurred_at=at)
    points = published.programme.points.welcome_bonus_points
    if not points:
        return None
    grant = points_grant(
        published, points, at, reason=ledger.Reason.WELCOME, rule=WELCOME_RULE, reference=None
    )
    journal.grant(member_id, grant)
    return grant


async def enrol(new: NewMember, *, invitation: Invitation | None = None) -> int:
    """Make one person a member, with everything that the programme gives at enrolment; the id.

    With an invitation it's noted who brought them. Raises InvalidInput for a code that is nobody's.
    """
    at = new.enrolled_at
    book = await programme.rulebook()
    published = book.at(at)
    currency = published.programme.programme.currency
    member_id = await members.register_member(new)
    await _furnish({member_id: at}, [currency])
    async with ledger.journal([member_id], [POINTS, currency], recorded_at=clock.now()) as journal:
        counting = await tiers.counting({}, [published], book)
        welcome(journal, counting, member_id, published, at)
        await counting.flush()
    if invitation is not None and invitation.says_anything:
        await referrals.come(member_id, invitation, now=at)
    return member_id


def checked_newcomer(at: Instant, published: PublishedProgramme, *, external_id: str) -> NewMember:
    """A person whom a till enrols by an external id. Raises InvalidInput for a bad one."""
    return newcomer(
        at, published, external_id=members.valid_external_id(external_id, path=("externalId",))
    )
