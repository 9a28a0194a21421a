"""The verbs of referrals: coming through a friend, deciding about doubts, telling how it stands."""

from collections.abc import Collection, Sequence

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from server import clock
from server.clock import Instant
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, phrase
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.referrals import doubting, kinds, queries
from server.referrals.accepting import Invitation, accept, codes_of, come
from server.referrals.documents import ReferralProgramme
from server.referrals.doubting import Marks
from server.referrals.doubting import check as check_marks
from server.referrals.kinds import current
from server.referrals.returning import TakingBack, people_of, take_back
from server.referrals.rewarding import Bought, Rewarding, opened
from server.referrals.rules import DECIDABLE, Doubt, ReferralState
from server.referrals.views import ReferralView, SeenState, seen_state, view_of
from server.storage import changes, sql
from server.storage.exchange import execute_each, fetch_each

__all__ = [
    "OPEN_BESIDE",
    "Bought",
    "Doubt",
    "Invitation",
    "Marks",
    "ReferralState",
    "ReferralView",
    "Rewarding",
    "SeenReferral",
    "SeenState",
    "Summary",
    "TakingBack",
    "accept",
    "check_marks",
    "codes_of",
    "come",
    "current",
    "decide",
    "friends_of",
    "note_marks",
    "of_friends",
    "opened",
    "page",
    "people_of",
    "summaries",
    "take_back",
]
OPEN_BESIDE = queries.OPEN_BESIDE
MINIMUM_NOTE, MAXIMUM_NOTE = 3, 500


class SeenReferral(Struct, frozen=True):
    """A referral as one of its members may see it."""

    referral: ReferralView
    state: SeenState
    friend_name: str | None  # the first word of the friend's name


class Reached(Struct, frozen=True):
    """A milestone, and whether the inviter has it."""

    friends: int
    points: int
    is_reached: bool


class Summary(Struct, frozen=True):
    """How a member stands as an inviter, and how they came themselves."""

    terms: ReferralProgramme | None  # what counts for friends who come now
    friends: int  # for whom the member was rewarded
    earned_points: int
    earned_cashback_minor: int
    milestones: tuple[Reached, ...]
    own: SeenReferral | None


# ---------------------------------------------------------------- telling


async def summaries(member_ids: Sequence[int], *, now: Instant) -> dict[int, Summary]:
    """How each of the members stands; a few statements, however many members."""
    published = await current(now)
    terms: ReferralProgramme | None = None if published is None else published.document
    months, milestones, came = await fetch_each(
        [
            queries.granted_by_month(member_ids),
            queries.milestones(member_ids),
            queries.of_friends(member_ids),
        ]
    )
    seen = await _seen([(view_of(row), None) for row in came], now=now)
    own = {one.referral.friend_id: one for one in seen}
    return {
        member_id: _summary(
            terms,
            [row for row in months if row[0] == member_id],
            [row for row in milestones if row[1] == member_id],
            own.get(member_id),
        )
        for member_id in member_ids
    }


def _summary(
    terms: ReferralProgramme | None,
    months: Sequence[sql.Row],
    milestones: Sequence[sql.Row],
    own: SeenReferral | None,
) -> Summary:
    got = {row[3]: row[4] for row in milestones if row[6] == "granted"}
    promised = {} if terms is None else {one.friends: one.points for one in terms.milestones}
    return Summary(
        terms=terms,
        friends=sum(row[2] for row in months),
        earned_points=sum(row[3] for row in months) + sum(got.values()),
        earned_cashback_minor=sum(row[4] for row in months),
        milestones=tuple(
            Reached(friends, points, friends in got)
            for friends, points in sorted({**promised, **got}.items())
        ),
        own=own,
    )


async def friends_of(
    member_ids: Collection[int], *, before: int, limit: int, now: Instant
) -> dict[int, list[SeenReferral]]:
    """The newest friends whom each of the members brought, or those before the one with that id."""
    found: dict[int, list[SeenReferral]] = {member_id: [] for member_id in member_ids}
    rows = await queries.friend_pages(found, before, limit)
    newest_first = sorted(rows, key=lambda row: -int(row[0]))
    for one in await _seen([(view_of(columns), name) for *columns, name in newest_first], now=now):
        found[one.referral.inviter_id].append(one)
    return found


async def _seen(
    named: Sequence[tuple[ReferralView, str | None]], *, now: Instant
) -> list[SeenReferral]:
    """How they stand, each with the name that may be told of who came, in the same order."""
    if not named:
        return []
    terms = await kinds.accepted_all((view.programme, view.version) for view, _name in named)
    zone = (await programme.rulebook()).at(now).programme.programme.timezone
    today = clock.local_day(now, zone)
    return [
        SeenReferral(
            view,
            seen_state(view, terms[view.programme, view.version], now=now, today=today),
            name.split()[0] if name and name.split() else None,
        )
        for view, name in named
    ]


async def of_friends(friend_ids: Collection[int]) -> dict[int, ReferralView]:
    """The referrals by which the members came, by friend; those who came by themselves are left
    out."""
    (rows,) = await fetch_each([queries.of_friends(friend_ids)])
    return {row[2]: view_of(row) for row in rows}


async def page(state: ReferralState | None, *, before: int, limit: int) -> list[ReferralView]:
    """The newest referrals, of the state or of all; those with an id below `before`."""
    rows = await queries.page(None if state is None else state.value, before, limit)
    return [view_of(row) for row in rows]


# ---------------------------------------------------------------- writing


async def note_marks(member_id: int, marks: Marks, *, now: Instant) -> None:
    """Note what the member uses, by its keyed hash alone. Writes; call it inside a transaction.

    Raises InvalidInput for a mark that is none.
    """
    doubting.check(marks)
    await execute_each([await doubting.noted(member_id, marks, now)])
    changes.note(changes.MEMBER, member_id)


async def decide(
    referral_id: int, *, is_approved: bool, note: str, by: int, now: Instant
) -> ReferralView:
    """Approve or reject a referral that is held or blocked; the note says why.

    What is approved is rewarded as if it had been so from the start: under the terms that the
    friend came with; caps, and when it can be used, by the day of the purchase; but earned now,
    under the programme of now. Without a purchase yet it waits for one, and is doubted no more.
    Writes; call it inside a transaction. Raises InvalidInput, NotFound, AlreadyDecided, or
    NotAllowed for approving that members who have become one brought themselves.
    """
    said = _checked_note(note)
    rows, friend = await fetch_each(
        [queries.of_ids([referral_id]), queries.friend_now(referral_id)]
    )
    if not rows:
        raise NotFound("not_found", path=("referralId",))
    published = (await programme.rulebook()).at(now)
    first = view_of(rows[0])
    assets = [POINTS, published.programme.programme.currency]
    friend_id: int = friend[0][0]
    people = {first.inviter_id, first.friend_id, friend_id}
    async with ledger.journal(people, assets, recorded_at=now) as journal:
        rewarding = await opened(journal, {first.id: first.inviter_id})
        view = rewarding.referral_of(first.friend_id)
        if view.state not in DECIDABLE:
            raise AlreadyDecided("referral.decided", status=view.state.name, path=("referralId",))
        ((again,),) = await fetch_each([queries.friend_now(referral_id)])
        if again[0] != friend_id:
            raise IntegrityError("the friend is another member now")
        if is_approved:
            if friend_id == view.inviter_id:
                raise NotAllowed("referral.self", path=("referralId",))
            decided = rewarding.approve(
                view, published, friend_id=friend_id, by=by, note=said, now=now
            )
        else:
            decided = rewarding.reject(view, by=by, note=said, now=now)
        journal.beside(after=rewarding.writes())
    return decided


def _checked_note(note: str) -> str:
    said = note.strip()
    if not MINIMUM_NOTE <= len(said) <= MAXIMUM_NOTE or not said.isprintable():
        raise InvalidInput(
            "referral.note",
            path=("reason",),
            value=note,
            accepted=phrase("accepted.printable", minimum=MINIMUM_NOTE, maximum=MAXIMUM_NOTE),
        )
    return said
