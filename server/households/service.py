"""The verbs of households: who pools value with whom, and in which role.

Nothing moves when someone joins or leaves: each member keeps their own lots, and those who may
spend take from the lots of all. Every verb that writes locks the accounts of the members concerned,
in the order of their ids, and then the household; it runs inside `sql.transaction()`.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from server.clock import Instant, LocalDay
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, phrase
from server.households import models, rules
from server.households.rules import HouseholdRole
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.programme.document import Programme
from server.storage import changes, sql
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

__all__ = [
    "HouseholdRole",
    "HouseholdView",
    "Invitation",
    "Left",
    "Removed",
    "StayView",
    "change_role",
    "code_hash",
    "dissolve",
    "found",
    "households_of",
    "invitation_code",
    "invite",
    "join",
    "leave",
    "pool_of",
    "remove",
]
MAXIMUM_ID = 2**63  # of the databases' integers, exclusive
_SECRET = "household invitations"  # noqa: S105 - the name of a secret


class StayView(msgspec.Struct, frozen=True):
    """A member's place in a household."""

    member_id: int
    role: HouseholdRole
    joined_at: Instant
    name: str | None = None  # to greet with; never part of a stored answer


class HouseholdView(msgspec.Struct, frozen=True):
    """A household with everyone present, in the order of joining."""

    id: int
    name: str | None
    founded_at: Instant
    stays: tuple[StayView, ...]

    @property
    def roles(self) -> dict[int, HouseholdRole]:
        """The role of each member who is present."""
        return {stay.member_id: stay.role for stay in self.stays}


class Invitation(msgspec.Struct, frozen=True):
    """An invitation; `invitation_code` makes its code."""

    id: int
    role: HouseholdRole
    expires_at: Instant


class Left(msgspec.Struct, frozen=True):
    """What leaving or dissolving did."""

    is_dissolved: bool
    rejoin_day: LocalDay  # the first on which the member may join or found a household again


class Removed(msgspec.Struct, frozen=True):
    """What removing a member did; no household if nobody is left in it."""

    household: HouseholdView | None


# ---------------------------------------------------------------- reading


async def pool_of(member_id: int) -> tuple[int, ...]:
    """Whose value the member may spend together with their own: the ids of all present members of
    their household, theirs included, sorted; one statement.

    A writer asks, locks all of them, and asks again: who is in both answers can neither leave nor
    change their role until the transaction ends, for that takes their lock. Raises NotAllowed for a
    member who is in no household or only contributes to one.
    """
    household = (await households_of([member_id])).get(member_id)
    if household is None:
        raise NotAllowed("household.none")
    if household.roles[member_id] is HouseholdRole.CONTRIBUTOR:
        raise NotAllowed("household.may_not_spend")
    return tuple(sorted(household.roles))


async def households_of(member_ids: Iterable[int]) -> dict[int, HouseholdView]:
    """The households of these members; those in none are left out. One statement."""
    facts: dict[int, tuple[int, str | None, Instant]] = {}
    stays: dict[int, list[StayView]] = {}
    for own, household_id, name, founded_at, *stay in await models.stays_beside(member_ids):
        facts[own] = (household_id, name, founded_at)
        stays.setdefault(own, []).append(_stay(stay))
    return {own: HouseholdView(*facts[own], tuple(stays[own])) for own in facts}


def _stay(row: sql.Row) -> StayView:
    member_id, role, joined_at, *name = row
    return StayView(member_id, HouseholdRole(role), joined_at, *name)


async def code_hash(code: str) -> str:
    """What stands for an invitation's code in the database, however it was typed."""
    return rules.code_hash(await shared_secret(_SECRET), code)


async def invitation_code(invitation_id: int) -> str:
    """The invitation's code, the same at every call."""
    return rules.invitation_code(await shared_secret(_SECRET), invitation_id)


# ---------------------------------------------------------------- coming


async def found(member_id: int, name: str | None, *, now: Instant) -> HouseholdView:
    """Found a household, with the member as its owner.

    Raises InvalidInput for the name, and NotAllowed for a member who is in a household, left one
    too recently or is too new a member.
    """
    valid = rules.valid_name(name)
    terms = (await programme.rulebook()).at(now).programme
    async with _journal_of([member_id], now):
        await _check_newcomer(member_id, terms, now)
        household = HouseholdView(new_id(), valid, now, ())
        await models.add_household(household.id, valid, now)
        return await _with_stay(household, member_id, HouseholdRole.OWNER, now)


async def invite(member_id: int, role: HouseholdRole, *, now: Instant) -> Invitation:
    """Invite somebody to the member's household, in that role, for seven days.

    Raises NotAllowed unless the member is an owner, and LimitReached if the household is full.
    """
    terms = (await programme.rulebook()).at(now).programme
    async with _opened_to_owner(member_id, now=now) as household:
        rules.check_room(terms, present=len(household.stays))
        expires_at = Instant(now + rules.INVITATION_LIFETIME_MICROSECONDS)
        invitation = Invitation(new_id(), role, expires_at)
        hashed = await code_hash(await invitation_code(invitation.id))
        await models.add_invitation(
            (invitation.id, household.id, hashed, role.value, member_id, now, expires_at)
        )
        return invitation


async def join(member_id: int, code: str, *, now: Instant) -> HouseholdView:
    """Take up an invitation, which works once, as long as who invited is an owner.

    Raises InvalidInput for what can't be a code, NotFound for a code of no invitation,
    AlreadyDecided for one that was taken up, has expired or was withdrawn; NotAllowed for a member
    who is in a household, left one too recently or is too new a member; LimitReached if the
    household is full.
    """
    hashed = await code_hash(rules.parsed_code(code))
    terms = (await programme.rulebook()).at(now).programme
    async with _journal_of([member_id], now):
        await _check_newcomer(member_id, terms, now)
        row = await models.invitation(hashed)
        if row is None:
            raise NotFound("household.code_unknown", path=("code",))
        household = await _locked(row[1])
        invitation = await models.invitation(hashed)  # as it stands under the household's lock
        assert invitation is not None, "invitations stay"
        invitation_id, _household, _hash, role, invited_by, _created, expires_at, taken = invitation
        if taken is not None:
            raise _closed("accepted")
        if now >= expires_at:
            raise _closed("expired")
        if household is None or household.roles.get(invited_by) is not HouseholdRole.OWNER:
            raise _closed("withdrawn")
        rules.check_room(terms, present=len(household.stays))
        await models.accept_invitation(invitation_id, member_id=member_id, now=now)
        return await _with_stay(household, member_id, HouseholdRole(role), now)


def _closed(status: str) -> AlreadyDecided:
    return AlreadyDecided(f"household.code_{status}", status=status.upper(), path=("code",))


async def _check_newcomer(member_id: int, terms: Programme, now: Instant) -> None:
    if await models.present_household(member_id) is not None:
        raise NotAllowed("household.already")
    if terms.households.rejoin_wait_days:
        rules.check_wait(await models.last_left_at(member_id), terms, now=now)
    if terms.households.minimum_account_age_days:
        profile = await members.profile(member_id)
        rules.check_age(profile.enrolled_at, terms, now=now)


async def _with_stay(
    household: HouseholdView, member_id: int, role: HouseholdRole, now: Instant
) -> HouseholdView:
    await models.add_stay((new_id(), household.id, member_id, role.value, now))
    stays = (*household.stays, StayView(member_id, role, now))
    for stay in stays:
        changes.note(changes.MEMBER, stay.member_id)
    return msgspec.structs.replace(household, stays=stays)


# ---------------------------------------------------------------- going


async def leave(member_id: int, *, household_id: int | None = None, now: Instant) -> Left:
    """Leave the household, with exactly what is left of one's own lots; the last one to leave
    dissolves it.

    Raises NotAllowed for a member who is in none, or is the last owner of others, and NotFound if
    it is another one than `household_id`.
    """
    terms = (await programme.rulebook()).at(now).programme
    async with _journal_of([member_id], now):
        household = await _household_of(member_id)
        _check_meant(household, household_id)
        left = await _end(household, member_id, now)
        return Left(left is None, rules.rejoin_day(now, terms))


async def remove(member_id: int, *, by: int | None, now: Instant) -> Removed:
    """Remove a member from the household: an owner another member, or staff (None) anybody.

    Raises InvalidInput for oneself, NotFound for a member who is not in the household, NotAllowed
    unless `by` is an owner, or if others would be left without one.
    """
    if by == member_id:
        raise InvalidInput(
            "household.oneself",
            path=("memberId",),
            accepted=phrase("accepted.another_of_household"),
        )
    await _check_is_beside(member_id, by=by)
    concerned = [member_id] if by is None else [by, member_id]
    async with _journal_of(concerned, now):
        if by is not None:
            household = await _household_of_owner(by)
            _check_present(household, member_id)
        else:
            household = await _household_of(member_id)
        return Removed(await _end(household, member_id, now))


async def dissolve(member_id: int, *, household_id: int | None = None, now: Instant) -> Left:
    """Dissolve the household: everybody leaves it, who joins while this waits for locks as well.

    Raises NotAllowed unless the member is an owner, and NotFound if it is another one than
    `household_id`.
    """
    terms = (await programme.rulebook()).at(now).programme
    async with _opened_to_owner(member_id, now=now, all_of_it=True) as household:
        _check_meant(household, household_id)
        await models.end_stays(household.id, household.roles, now)
        await models.dissolve(household.id, now)
        return Left(is_dissolved=True, rejoin_day=rules.rejoin_day(now, terms))


async def change_role(
    member_id: int, role: HouseholdRole, *, by: int, now: Instant
) -> HouseholdView:
    """Give a member of the household, perhaps oneself, another role. There may be several owners.

    Raises NotFound for a member who is not in the household, NotAllowed unless `by` is an owner,
    or if no owner would be left.
    """
    await _check_is_beside(member_id, by=by)
    async with _journal_of([by, member_id], now):
        household = await _household_of_owner(by)
        _check_present(household, member_id)
        rules.check_keeps_owner({**household.roles, member_id: role})
        await models.set_role(member_id, role.value, household_id=household.id)
        stays = tuple(
            msgspec.structs.replace(stay, role=role) if stay.member_id == member_id else stay
            for stay in household.stays
        )
        return msgspec.structs.replace(household, stays=stays)


async def _check_is_beside(member_id: int, *, by: int | None) -> None:
    """Raise NotFound, before anything is locked, for who is not in the household, or in any."""
    own = None if by is None else await models.present_household(by)
    if by is not None and own is None:
        raise NotAllowed("household.none")
    other = await models.present_household(member_id) if 0 < member_id < MAXIMUM_ID else None
    if other is None or (by is not None and other != own):
        raise NotFound("household.not_a_member", path=("memberId",))


def _check_meant(household: HouseholdView, household_id: int | None) -> None:
    if household_id not in (None, household.id):
        raise NotFound("household.not_yours", path=("householdId",))


def _check_present(household: HouseholdView, member_id: int) -> None:
    if member_id not in household.roles:
        raise NotFound("household.not_a_member", path=("memberId",))


async def _end(household: HouseholdView, member_id: int, now: Instant) -> HouseholdView | None:
    """End a member's stay; the household afterwards, None if that has dissolved it."""
    stays = tuple(stay for stay in household.stays if stay.member_id != member_id)
    left = msgspec.structs.replace(household, stays=stays)
    rules.check_keeps_owner(left.roles)
    await models.end_stays(household.id, [member_id], now)
    if stays:
        return left
    await models.dissolve(household.id, now)
    return None


# ---------------------------------------------------------------- locks


@asynccontextmanager
async def _opened_to_owner(
    member_id: int, *, now: Instant, all_of_it: bool = False
) -> AsyncIterator[HouseholdView]:
    """The owner's household, locked after the owner, or after all of its members.

    Who joins it in between is not locked. No spending of the pool escapes for that: it waits for
    the owner, who is in every pool of the household, and then asks again.
    """
    household_id = await models.present_household(member_id)
    present = await models.stays(household_id) if all_of_it and household_id is not None else ()
    async with _journal_of([member_id, *(row[0] for row in present)], now):
        yield await _household_of_owner(member_id)


def _journal_of(
    member_ids: Iterable[int], now: Instant
) -> AbstractAsyncContextManager[ledger.Journal]:
    return ledger.journal(member_ids, [POINTS], recorded_at=now)


async def _household_of_owner(member_id: int) -> HouseholdView:
    """The household of an owner who is locked. Raises NotAllowed for anybody else."""
    household = await _household_of(member_id)
    if household.roles[member_id] is not HouseholdRole.OWNER:
        raise NotAllowed("household.owners_only")
    return household


async def _household_of(member_id: int) -> HouseholdView:
    """The household of a member who is locked, locked too. Raises NotAllowed for one in none."""
    household_id = await models.present_household(member_id)
    household = None if household_id is None else await _locked(household_id)
    if household is None:
        raise NotAllowed("household.none")
    # Dissolving doesn't lock who joined in between: under the household's lock they may be gone.
    if member_id not in household.roles:
        raise NotAllowed("household.none")
    return household


async def _locked(household_id: int) -> HouseholdView | None:
    """A household that is not dissolved, locked, with everyone present."""
    row = await models.household_for_writing(household_id)
    if row is None:
        return None
    stays = tuple(_stay(stay) for stay in await models.stays(household_id))
    _id, name, founded_at = row
    return HouseholdView(household_id, name, founded_at, stays)
