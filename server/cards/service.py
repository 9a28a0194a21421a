"""Issuing, finding, blocking and replacing cards; finding members by what a till has of them.

A card's number is the way to a member's value, never its owner: value belongs to the member and
stays through every block and replacement. What writes runs inside `sql.transaction()`. Verbs for
many take up to 10,000 at once (both engines limit the values of one statement).
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from server.cards import errors, models, rules
from server.cards.rules import CardStatus
from server.clock import Instant
from server.errors import DomainError, Path
from server.members import service as members
from server.principal import Principal, PrincipalKind
from server.storage import changes, parts, sql
from server.storage.exchange import Asked, fetch_each
from server.storage.ids import new_id
from server.storage.parts import Ask

MAXIMUM_DRAWS = 5
"""How often one call draws new numbers for those that were taken. With a million cards out, a draw
is taken one time in ten million: a fifth round means that the source of chance is broken."""


class CardView(msgspec.Struct, frozen=True):
    """A card as it is at the moment of the call.

    That of a merged duplicate, found by number or id, is the surviving member's: it goes on working
    beside their own.
    """

    id: int
    member_id: int
    number: str
    status: CardStatus
    issued_at: int
    lost: bool  # reported lost: its number never works again


class MemberReference(msgspec.Struct, frozen=True):
    """What a till, a shop or the staff have of a member: exactly one of the three."""

    id: int | None = None
    external_id: str | None = None
    card_number: str | None = None


Found = int | DomainError
"""A member's id, or why there is none."""


def _view(row: sql.Row) -> CardView:
    card_id, member_id, number, status, issued_at, reported_lost_at = row[:6]
    return CardView(
        card_id, member_id, number, CardStatus(status), issued_at, reported_lost_at is not None
    )


# ---------------------------------------------------------------- reading


CURRENT_CARD: tuple[Ask, ...] = ((models.CURRENT, ()),)
"""What `current_card` is made from."""


def current_card(found: parts.Found) -> CardView | None:
    """The member's current card; None for a member without any."""
    rows = found.rows(models.CURRENT)
    if not rows:
        return None
    _place, member_id, card_id, issued_at, lost_at = rows[0][:5]
    number, status = rows[0][found.text_at : found.text_at + 2]
    return CardView(card_id, member_id, number, CardStatus(status), issued_at, lost_at is not None)


async def cards_of(member_ids: Sequence[int]) -> dict[int, CardView]:
    """The members' current cards by member; those who have none are left out."""
    if not member_ids:
        return {}
    found = await parts.read(parts.Question(CURRENT_CARD), set(member_ids))
    cards = {member_id: current_card(one) for member_id, one in found.items()}
    return {member_id: card for member_id, card in cards.items() if card is not None}


async def card_of(member_id: int) -> CardView:
    """The member's current card, active or blocked. Raises NotFound if there is none."""
    cards = await cards_of([member_id])
    if member_id not in cards:
        raise errors.no_card()
    return cards[member_id]


async def cards_by_id(card_ids: Sequence[int]) -> dict[int, CardView]:
    """The cards by id, replaced ones included; unknown ids are left out."""
    if not card_ids:
        return {}
    views = map(_view, await models.by_ids(card_ids))
    return {view.id: view for view in views}


async def card_by_number(text: str, *, path: Path = ()) -> CardView:
    """The card whose number was scanned or entered, whatever its status.

    Raises InvalidInput for what is no card number, NotFound if no card has it.
    """
    (rows,) = await fetch_each([models.by_numbers([rules.parsed_number(text, path=path)])])
    if not rows:
        raise errors.unknown_number(path)
    return _view(rows[0])


async def members_by_number(texts: Sequence[str], *, path: Path = ()) -> list[Found]:
    """The members whose cards were scanned, in the order of `texts`: one statement for all.

    In the place of a number that leads to no member stands the refusal, each with this `path`:
    InvalidInput for what is no card number, NotFound if no card has it, CardUnusable if the card
    is blocked or replaced.
    """
    sought = _SoughtCards(texts, path)
    return sought.found(await fetch_each([sought.asked]) if sought.asked else [])


class _SoughtCards:
    """Cards that were scanned or entered, and what asks the database for them."""

    def __init__(self, texts: Sequence[str], path: Path) -> None:
        self._path = path
        self._parsed = [_parsed(text, path) for text in texts]
        numbers = [number for number in self._parsed if isinstance(number, str)]
        self.asked = models.by_numbers(numbers) if numbers else None

    def found(self, answers: Sequence[Sequence[sql.Row]]) -> list[Found]:
        """The members or refusals, of the answer to what is asked, if anything is."""
        cards = {view.number: view for rows in answers for view in map(_view, rows)}
        return [
            _member_or_refusal(cards.get(number), self._path) if isinstance(number, str) else number
            for number in self._parsed
        ]


def _parsed(text: str, path: Path) -> str | DomainError:
    try:
        return rules.parsed_number(text, path=path)
    except DomainError as refusal:
        return refusal


def _member_or_refusal(card: CardView | None, path: Path) -> Found:
    if card is None:
        return errors.unknown_number(path)
    try:
        return _usable(card, path).member_id
    except DomainError as refusal:
        return refusal


def _usable(card: CardView, path: Path) -> CardView:
    if card.status is not CardStatus.ACTIVE:
        raise errors.unusable(card.status, is_lost=card.lost, path=path)
    return card


# ---------------------------------------------------------------- writing


async def issue(member_ids: Iterable[int], now: Instant) -> dict[int, CardView]:
    """Give each of the members a card now, unless they have one; their current cards by member.

    Two statements, however many members. The members must exist.
    """
    return await issue_at(dict.fromkeys(member_ids, now))


async def issue_at(issued_at: Mapping[int, Instant]) -> dict[int, CardView]:
    """As `issue`, with an instant for each member at which the card counts as issued."""
    # In the order of ids, so that two writers who issue to the same members can't deadlock.
    lacking = sorted(issued_at)
    cards: dict[int, CardView] = {}
    for _ in range(MAXIMUM_DRAWS):
        if not lacking:
            return cards
        await models.insert(
            [(new_id(), member, _new_number(), issued_at[member]) for member in lacking]
        )
        cards |= await cards_of(lacking)
        lacking = [member for member in lacking if member not in cards]
    if lacking:
        raise RuntimeError(f"every number drawn was taken, {MAXIMUM_DRAWS} times")
    return cards


def _new_number() -> str:
    return rules.number_of(secrets.randbelow(rules.RANDOM_COUNT))


async def block(member_id: int, now: Instant, *, card_id: int | None = None) -> CardView:
    """Block the member's card until it is unblocked; a blocked one stays as it is.

    All verbs that change a card take the member's current card, or the one that `card_id` names.
    Raises NotFound if the member has no such card, CardUnusable if it was replaced.
    """
    return await _changed(models.block, member_id, now, card_id=card_id)


async def unblock(member_id: int, now: Instant, *, card_id: int | None = None) -> CardView:
    """Make the member's blocked card work again; an active one stays as it is.

    Raises NotFound if the member has no such card, CardUnusable if it was reported lost or
    replaced.
    """
    card = await _changed(models.unblock, member_id, now, card_id=card_id)
    return _usable(card, ())


async def report_lost(member_id: int, now: Instant, *, card_id: int | None = None) -> CardView:
    """Block the member's card for good; the first report's instant stays.

    Raises NotFound if the member has no such card, CardUnusable if it was replaced.
    """
    return await _changed(models.report_lost, member_id, now, card_id=card_id)


async def replace(member_id: int, now: Instant, *, card_id: int | None = None) -> CardView:
    """Put a new card in the place of the member's card, whose number stops working; the new card.

    If another call has replaced that card already, nothing changes and the answer is the member's
    current card: however many calls name one card by `card_id`, it is replaced once. Raises
    NotFound if the member has no such card.
    """
    card = await _meant(member_id, card_id)
    await models.replace(card.id, now)
    changes.note(changes.MEMBER, member_id)
    return (await issue([member_id], now))[member_id]


async def _changed(
    change: Callable[[int, Instant], Awaitable[None]],
    member_id: int,
    now: Instant,
    *,
    card_id: int | None,
) -> CardView:
    """The card after a conditional change, which does nothing where it has no place.

    The status is read after the change, so that a card that was replaced in between is told.
    """
    card = await _meant(member_id, card_id)
    await change(card.id, now)
    changes.note(changes.MEMBER, member_id)
    (row,) = await models.by_ids([card.id])
    after = _view(row)
    if after.status is CardStatus.REPLACED:
        raise errors.unusable(after.status, is_lost=after.lost)
    return after


async def _meant(member_id: int, card_id: int | None) -> CardView:
    if card_id is None:
        return await card_of(member_id)
    card = (await cards_by_id([card_id])).get(card_id)
    if card is None or card.member_id != member_id:
        raise errors.no_card()
    return card


# ---------------------------------------------------------------- references to members


async def resolve_card(
    reference: MemberReference | None, principal: Principal, *, path: Path = ()
) -> tuple[int, int | None]:
    """The member whose card the caller may change, usable or not, and the card: (their ids).

    The member is the signed-in one, where there is no reference; a signed-in member may refer to
    no one else. The card is None, for the current card, unless the reference is a card's number.
    Raises InvalidInput or NotFound.
    """
    if reference is None:
        if principal.kind is not PrincipalKind.MEMBER or principal.member_id is None:
            raise errors.member_missing(path)
        return principal.member_id, None
    if reference.card_number is not None:
        number_path = (*path, "cardNumber")
        card = await card_by_number(reference.card_number, path=number_path)
        if not _may_refer_to(card.member_id, principal):
            raise errors.unknown_number(number_path)
        return card.member_id, card.id
    member_id = await member_of(reference, path=path)
    if not _may_refer_to(member_id, principal):
        raise errors.unknown_member((*path, _step(reference)))
    return member_id, None


def _may_refer_to(member_id: int, principal: Principal) -> bool:
    is_of_operator = principal.kind in (PrincipalKind.STAFF, PrincipalKind.KEY)
    return is_of_operator or principal.member_id == member_id


async def member_of(reference: MemberReference, *, path: Path = ()) -> int:
    """The member that is referred to, whoever asks; `path` is where the reference stands.

    Raises what `members_of` would put in its place.
    """
    (found,) = await members_of([reference])
    if isinstance(found, DomainError):
        raise found.below(*path)
    return found


def _step(reference: MemberReference) -> str:
    return "externalId" if reference.external_id is not None else "id"


async def members_of(references: Sequence[MemberReference]) -> list[Found]:
    """The members that are referred to, in order, in at most two statements.

    In the place of a reference that leads to no member stands the refusal: InvalidInput for what
    is no card number, NotFound, or CardUnusable for a card that is blocked or replaced. Its path
    starts inside the reference ("cardNumber"); `below` puts it where the reference stands.
    """
    sought = SoughtMembers(references)
    return sought.found(await fetch_each(sought.asked))


class SoughtMembers:
    """Members that are referred to: `asked` may be asked together with other things, and `found`
    makes of the answers what `members_of` tells.

    With `beside`, columns and the join that they need, which has `{member}` in the place of the
    member's id, more is read with each member, which `beside` makes of the answers.
    """

    def __init__(
        self, references: Sequence[MemberReference], *, beside: tuple[str, str] | None = None
    ) -> None:
        self._references = references
        by_row = members.known_members(
            [one.id for one in references if one.id is not None],
            [one.external_id for one in references if one.external_id is not None],
        )
        self._cards = _SoughtCards(
            [one.card_number for one in references if one.card_number is not None],
            ("cardNumber",),
        )
        self._asks_rows = by_row is not None
        self.asked: list[Asked] = [one for one in (by_row, self._cards.asked) if one is not None]
        if beside is not None:
            self.asked = [_with(beside, one) for one in self.asked]

    def beside(self, answers: Sequence[Sequence[sql.Row]]) -> dict[int, sql.Row]:
        """The columns that were read beside each member, by member; of those whose first is not
        null."""
        found: dict[int, sql.Row] = {}
        for place, rows in enumerate(answers):
            is_row = self._asks_rows and place == 0
            for row in rows:
                more = row[3:] if is_row else row[6:]
                if more and more[0] is not None:
                    found[row[2] if is_row else row[1]] = more
        return found

    def found(self, answers: Sequence[Sequence[sql.Row]]) -> list[Found]:
        """The members or refusals, in the order of the references."""
        known = answers[0] if self._asks_rows else ()
        found_by: dict[int | str | None, int] = {}
        for member_id, external_id, stands_for, *_beside in known:
            found_by[member_id] = found_by[external_id] = stands_for
        found_by.pop(None, None)  # of who was found by id and has no external id
        by_card = iter(self._cards.found(answers[1 if self._asks_rows else 0 :]))
        found: list[Found] = []
        for reference in self._references:
            if reference.card_number is not None:
                found.append(next(by_card))
            else:
                member = found_by.get(reference.external_id or reference.id)
                found.append(member or errors.unknown_member((_step(reference),)))
        return found


def _with(beside: tuple[str, str], asked: Asked) -> Asked:
    columns, join = beside
    text, values = asked
    return (
        f"SELECT sought.*, {columns} FROM ({text}) AS sought"  # noqa: S608 - only names and placeholders
        f" {join.format(member='sought.stands_for')}",
        values,
    )
