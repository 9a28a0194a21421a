"""Coming through another member: their code is found, doubts are looked for, and it is written."""

import msgspec
from msgspec import Struct

from server import clock
from server.cards import rules as card_rules
from server.cards import service as cards
from server.clock import Instant, LocalDay
from server.definitions.service import Published
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, phrase
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.referrals import doubting, kinds, queries, rules
from server.referrals.documents import ReferralProgramme
from server.referrals.doubting import Marks
from server.referrals.views import ReferralView, row_of
from server.storage.exchange import execute_each
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

_SECRET = "referral codes"  # noqa: S105 - the name of a secret
_CODE = ("referralCode",)


class Invitation(Struct, frozen=True):
    """What somebody who becomes a member says of who brought them, and of themselves."""

    code: str | None = None
    marks: Marks = Marks()
    email: str | None = None  # that the account is going to have

    @property
    def says_anything(self) -> bool:
        """Whether there is something to write down."""
        return self.code is not None or any(self.marks.given())


async def codes_of(member_ids: list[int]) -> list[str | None]:
    """The members' codes, in two groups; None for who has no card. No code changes by itself: those
    of earlier cards of a member go on leading to them."""
    secret = await shared_secret(_SECRET)
    found = await cards.cards_of(member_ids)
    return [
        rules.shown(rules.code_of(secret, _chance(found[one].number))) if one in found else None
        for one in member_ids
    ]


def _chance(number: str) -> int:
    """The random part of a card's number."""
    return int(number[len(card_rules.PREFIX) : -1])


async def inviter_of(code: str) -> int:
    """Whose code it is. Raises InvalidInput for one that is nobody's."""
    chance = rules.number_of(await shared_secret(_SECRET), code)
    if chance is not None and chance < card_rules.RANDOM_COUNT:
        try:
            return (await cards.card_by_number(card_rules.number_of(chance))).member_id
        except NotFound:
            pass
    raise InvalidInput(
        "referral.code",
        path=_CODE,
        value=code,
        accepted=phrase("accepted.referral_code"),
    )


async def come(friend_id: int, invitation: Invitation, *, now: Instant) -> ReferralView | None:
    """Note who brought a member who has just been enrolled; None while there is no programme.

    Writes; call it inside a transaction. Raises InvalidInput for the code or a mark.
    """
    doubting.check(invitation.marks)
    marks = await doubting.noted(friend_id, invitation.marks, now)
    current = None if invitation.code is None else await kinds.current(now)
    if invitation.code is None or current is None:
        await execute_each([marks])
        return None
    inviter_id = await inviter_of(invitation.code)
    async with ledger.journal([inviter_id, friend_id], [POINTS], recorded_at=now):
        await execute_each([marks])
        zone = (await programme.rulebook()).at(now).programme.programme.timezone
        today = clock.local_day(now, zone)
        email = None if invitation.email is None else members.email_key(invitation.email)
        return await _write(
            _referral(current, inviter_id, friend_id, now, today=today, enrolled_day=today),
            current.document,
            email=email,
        )


async def accept(friend_id: int, invitation: Invitation, *, now: Instant) -> ReferralView:
    """Note who brought a member, who says so after enrolment.

    Writes; call it inside a transaction. Raises InvalidInput for the code or a mark; NotAllowed if
    there is no programme, for one's own code, after too long and after a purchase; AlreadyDecided
    for who came through somebody before.
    """
    doubting.check(invitation.marks)
    assert invitation.code is not None, "the schema requires it"
    inviter_id = await inviter_of(invitation.code)
    current = await kinds.current(now)
    if current is None:
        raise NotAllowed("referral.none", path=_CODE)
    if inviter_id == friend_id:
        raise NotAllowed("referral.self", path=_CODE)
    async with ledger.journal([inviter_id, friend_id], [POINTS], recorded_at=now):
        if await queries.of_friend(friend_id) is not None:
            raise AlreadyDecided("referral.accepted", status="ACCEPTED", path=_CODE)
        zone = (await programme.rulebook()).at(now).programme.programme.timezone
        today = clock.local_day(now, zone)
        enrolled_day = clock.local_day((await members.profile(friend_id)).enrolled_at, zone)
        document: ReferralProgramme = current.document
        if today > enrolled_day + document.accept_within_days:
            raise NotAllowed("referral.too_late", path=_CODE)
        if await queries.has_bought(friend_id):
            raise NotAllowed("referral.bought", path=_CODE)
        await execute_each([await doubting.noted(friend_id, invitation.marks, now)])
        view = _referral(
            current, inviter_id, friend_id, now, today=today, enrolled_day=enrolled_day
        )
        return await _write(view, document, email=None)


def _referral(
    current: Published,
    inviter_id: int,
    friend_id: int,
    now: Instant,
    *,
    today: LocalDay,
    enrolled_day: LocalDay,
) -> ReferralView:
    return ReferralView(
        id=new_id(),
        inviter_id=inviter_id,
        friend_id=friend_id,
        programme=current.key,
        version=current.version,
        state=rules.ReferralState.WAITING,
        doubts=(),
        accepted_at=now,
        accepted_day=today,
        enrolled_day=enrolled_day,
    )


async def _write(
    view: ReferralView, document: ReferralProgramme, *, email: str | None
) -> ReferralView:
    state, doubts = await doubting.judged(
        view.friend_id, view.inviter_id, document, view.accepted_at, email=email
    )
    judged = msgspec.structs.replace(view, state=state, doubts=doubts)
    await execute_each([(queries.INSERT_REFERRAL, [row_of(judged)])])
    return judged
