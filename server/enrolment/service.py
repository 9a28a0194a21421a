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
from server.programme.service import PublishedProgramme
from server.tiers import service as tiers

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
    points = published.programme.points.welcome_bonus_points
    if not points:
        return None
    grant = points_grant(
        published, points, at, reason=ledger.Reason.WELCOME, rule=WELCOME_RULE, reference=None
    )
    journal.grant(member_id, grant)
    return grant


def points_grant(
    published: PublishedProgramme,
    points: int,
    at: Instant,
    *,
    reason: ledger.Reason,
    rule: str,
    reference: int | None,
    pending_days: int = 0,
) -> ledger.Grant:
    """A lot of points earned at the instant under the programme's waiting and expiry times.

    It becomes available at the start of the local day `pending_days` later, at once for 0, and
    expires at the start of the local day that is `expiry_days` after the day of earning.
    """
    zone = published.programme.programme.timezone
    day = clock.local_day(at, zone)
    expiry = clock.LocalDay(day + published.programme.points.expiry_days)
    return ledger.Grant(
        asset=POINTS,
        amount=points,
        earned_at=at,
        available_at=available_at(at, pending_days, zone),
        expires_at=clock.start_of_day(expiry, zone),
        reason=reason,
        rule=rule,
        programme_version=published.version,
        reference=reference,
    )


def available_at(earned_at: Instant, pending_days: int, zone: str) -> Instant:
    """The start of the local day that is `pending_days` after the day of earning; at once for 0."""
    if pending_days == 0:
        return earned_at
    day = clock.LocalDay(clock.local_day(earned_at, zone) + pending_days)
    return clock.start_of_day(day, zone)


async def enrol(new: NewMember) -> int:
    """Make one person a member, with everything that the programme gives at enrolment; the id."""
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
    return member_id


def checked_newcomer(at: Instant, published: PublishedProgramme, *, external_id: str) -> NewMember:
    """A person whom a till enrols by an external id. Raises InvalidInput for a bad one."""
    return newcomer(
        at, published, external_id=members.valid_external_id(external_id, path=("externalId",))
    )
