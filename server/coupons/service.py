"""The verbs of coupons: look codes up, reserve them for a basket, redeem them, give them back.

Whoever writes holds the member's ledger accounts locked, so that two uses of one member take turns;
a single-use code and a limit in total are guarded by their own rows, which are locked last.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server import clock
from server.clock import Instant, LocalDay
from server.coupons import codes, errors, models, rules, stock
from server.coupons.documents import CouponTerms
from server.coupons.kinds import COUPON, shared_codes
from server.coupons.rules import Usable, Uses
from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.errors import DomainError
from server.programme import service as programme
from server.storage import changes, sql
from server.storage.exchange import fetch_each
from server.storage.ids import new_id

__all__ = [
    "COUPON",
    "Usable",
    "give_back",
    "known_offer",
    "look_up",
    "redeem",
    "release",
    "reserve",
]

Found = Usable | DomainError
"""A coupon that may be used, or why there is none."""


# ---------------------------------------------------------------- looking up


async def look_up(
    texts: Iterable[str],
    member_id: int,
    *,
    occurred_at: Instant,
    now: Instant,
    basket_id: int | None = None,
) -> dict[str, Found]:
    """What each of the codes, as it was typed or scanned, is for the member at the instant.

    In the place of a code that can't be used stands the refusal: NotFound for one that does not
    exist or that somebody else has, NotAllowed on another date, LimitReached, or AlreadyDecided for
    a single-use code that the member has used. What is reserved for the basket itself counts for
    nothing. Two statements at most, beside those that find out what is published, and one for each
    code with a limit in total.
    """
    wanted = list(dict.fromkeys(texts))
    known = await Codes.read(wanted, occurred_at)
    uses = (await uses_of([member_id], now, but=basket_id))[member_id]
    zone_name = await zone_at(occurred_at)
    found: dict[str, Found] = {}
    for text in wanted:
        found[text] = known.found(text, member_id, now=now, basket_id=basket_id)
        if isinstance(one := found[text], Usable):
            refusal = known.date_refusal(one, occurred_at, zone_name) or uses.refusal(
                one, clock.local_day(occurred_at, zone_name)
            )
            found[text] = refusal or one
    limited = [one for one in found.values() if isinstance(one, Usable) and _is_limited(one)]
    used_up = await _used_up(limited, basket_id, now)
    return {text: used_up.get(_place(one), one) for text, one in found.items()}


def _is_limited(one: Usable) -> bool:
    return one.terms.total is not None


def _place(one: Found) -> tuple[str, str] | None:
    return (one.coupon, one.code) if isinstance(one, Usable) else None


async def _used_up(
    limited: Sequence[Usable], basket_id: int | None, now: Instant
) -> dict[tuple[str, str] | None, Found]:
    """Of these with a limit in total, the refusals of those that all members have used up."""
    places = {_place(one): one for one in limited}
    asked = [models.used_in_total(one.coupon, one.code, basket_id, now) for one in places.values()]
    counts = await fetch_each(asked) if asked else []
    return {
        place: errors.limit_reached("total", one.terms.total or 0)
        for (place, one), [(uses,)] in zip(places.items(), counts, strict=True)
        if uses >= (one.terms.total or 0)
    }


async def known_offer(text: str, at: Instant) -> str | None:
    """The offer of a shared code, usable or not; None for any other text."""
    shelves = await definitions.shelves()
    shared = definitions.derived(shelves.of(COUPON.name).live(at), shared_codes)
    known = shared.get(codes.normalised(text))
    return None if known is None else known.terms.offer


async def uses_of(
    member_ids: Iterable[int], now: Instant, *, but: int | None = None
) -> dict[int, Uses]:
    """What the members have redeemed, and reserved for baskets other than `but`; one statement."""
    uses = {member_id: Uses() for member_id in member_ids}
    if uses:
        statement, values = models.uses_of(uses, now)
        for member_id, coupon, code, local_day, basket_id, number in await sql.fetch(
            statement, *values
        ):
            if but is None or basket_id != but:
                uses[member_id].add(coupon, code, local_day, number)
    return uses


class Codes:
    """Codes that were typed or scanned, and what they are at an instant."""

    def __init__(self, occurred_at: Instant, coupons: Shelf, offers: Shelf) -> None:
        self._coupons = coupons.live(occurred_at)
        self._offers = offers.live(occurred_at)
        self._shared = definitions.derived(self._coupons, shared_codes)
        self._hashes: dict[str, str] = {}
        self._rows: dict[str, sql.Row] = {}

    @classmethod
    async def read(cls, texts: Iterable[str], occurred_at: Instant) -> "Codes":
        """At most one statement, and none without single-use codes."""
        shelves = await definitions.shelves()
        made = cls(occurred_at, shelves.of(COUPON.name), shelves.of("offer"))
        await made.find(texts)
        return made

    async def find(self, texts: Iterable[str]) -> None:
        """Look up the single-use codes among them."""
        single = [text for text in texts if self.is_single(text)]
        if single:
            hashing = await stock.hasher()
            self._hashes = {
                text: hashing.hash_of(codes.single_use(codes.normalised(text)) or "")
                for text in single
            }
            self._rows = await stock.found(list(self._hashes.values()))

    @classmethod
    async def read_each(cls, wanted: Iterable[tuple[Instant, str]]) -> "dict[Instant, Codes]":
        """As `read`, for codes at several instants, in at most one statement for all of them."""
        shelves = await definitions.shelves()
        coupons, offers = shelves.of(COUPON.name), shelves.of("offer")
        texts: dict[Instant, set[str]] = {}
        for instant, text in wanted:
            texts.setdefault(instant, set()).add(text)
        made = {instant: cls(instant, coupons, offers) for instant in texts}
        single = {text for at, each in texts.items() for text in each if made[at].is_single(text)}
        if single:
            first = next(iter(made.values()))
            await first.find(single)
            for one in made.values():
                one._hashes, one._rows = first._hashes, first._rows
        return made

    def is_single(self, text: str) -> bool:
        """Whether the text could be a single-use code."""
        normal = codes.normalised(text)
        return normal not in self._shared and codes.single_use(normal) is not None

    def found(
        self, text: str, member_id: int, *, now: Instant, basket_id: int | None = None
    ) -> Found:
        """What the code is for the member, by itself."""
        normal = codes.normalised(text)
        known = self._shared.get(normal)
        if known is not None:
            if known.terms.offer not in self._offers.by_key:
                return errors.unknown_code()
            return Usable(normal, known.coupon, known.terms.offer, known.products, known.terms)
        row = self._rows.get(self._hashes.get(text, ""))
        if row is None:
            return errors.unknown_code()
        return self._single_use(row, member_id, now=now, basket_id=basket_id)

    def _single_use(
        self, row: sql.Row, member_id: int, *, now: Instant, basket_id: int | None
    ) -> Found:
        code_hash, coupon, holder, reserving, reserved_until, redeemed_at = row
        published = self._coupons.by_key.get(coupon)
        if published is None or published.document.offer not in self._offers.by_key:
            return errors.unknown_code()
        is_held = reserved_until is not None and reserved_until > now
        if holder is not None and holder != member_id and (redeemed_at is not None or is_held):
            return errors.unknown_code()
        if redeemed_at is not None or (is_held and reserving != basket_id):
            return errors.used()
        terms: CouponTerms = published.document
        code = rules.SINGLE_USE_PREFIX + code_hash
        return Usable(code, coupon, terms.offer, rules.products_of(terms), terms)

    def offer_of(self, one: Usable) -> Any:
        """The document of the coupon's offer."""
        return self._offers.by_key[one.offer].document

    def date_refusal(self, one: Usable, occurred_at: Instant, zone_name: str) -> DomainError | None:
        """Why the coupon is not valid on the date."""
        offer = self.offer_of(one)
        first, last = rules.first_and_last(one.terms, offer)
        zone = offer.schedule.time_zone or zone_name
        return rules.date_refusal(first, last, occurred_at, zone)


async def results(at: Instant) -> Sequence[sql.Row]:
    """(offer, redemptions, members, different codes) of what was redeemed up to the instant and
    counts still."""
    return await models.results(at)


# ---------------------------------------------------------------- baskets


async def reserve(
    coupons: Sequence[Usable],
    member_id: int,
    basket_id: int,
    *,
    until: Instant,
    occurred_at: Instant,
    now: Instant,
) -> None:
    """Keep the coupons for the basket until then; free again from that instant on, by the clock.

    Writes; call it inside the transaction that has looked them up, with the member's accounts
    locked. Raises NotFound or LimitReached if somebody else was faster.
    """
    day = await _local_day(occurred_at)
    rows = [
        redemption_row(one, member_id, day, occurred_at, now, basket_id=basket_id, until=until)
        for one in coupons
    ]
    await take(coupons, member_id, basket_id=basket_id, until=until, now=now)
    await sql.execute_many(models.INSERT_REDEMPTION, rows)


async def redeem(
    coupons: Sequence[Usable],
    member_id: int,
    *,
    basket_id: int | None,
    purchase_id: int | None,
    occurred_at: Instant,
    now: Instant,
) -> list[int]:
    """Use the coupons up, reserved for the basket or not; the ids of the redemptions.

    What was reserved for the basket and is not among them is freed. Writes; call it as `reserve`.
    """
    day = await _local_day(occurred_at)
    reserved = await _reserved(basket_id) if basket_id is not None else {}
    await take(coupons, member_id, basket_id=basket_id, until=None, now=now)
    ids, fresh, confirmed = [], [], []
    for one in coupons:
        known = reserved.pop((one.coupon, one.code), None)
        if known is not None:
            confirmed.append((purchase_id, day, occurred_at, now, known[0]))
            ids.append(int(known[0]))
        else:
            row = redemption_row(
                one, member_id, day, occurred_at, now, basket_id=basket_id, purchase_id=purchase_id
            )
            fresh.append(row)
            ids.append(row[0])
    await sql.execute_many(models.CONFIRM, confirmed)
    await sql.execute_many(models.INSERT_REDEMPTION, fresh)
    await _free(list(reserved.values()))
    await count(coupons)
    changes.note(changes.MEMBER, member_id)
    return ids


async def release(basket_id: int) -> None:
    """Free what is reserved for the basket: nothing of it is left. Writes; call it inside a
    transaction."""
    await _free(list((await _reserved(basket_id)).values()))


async def give_back(purchase_id: int) -> None:
    """Let what was redeemed with the purchase count as not used; single-use codes are in stock
    again. Writes; call it inside a transaction, once all of the purchase is returned."""
    rows = [row for row in await models.of_purchase(purchase_id) if row[7] == "redeemed"]
    await end(rows, "returned")


async def end(rows: Sequence[sql.Row], status: str) -> None:
    """Undo redemptions (REDEMPTION_COLUMNS, locked), which are kept with that status."""
    await sql.execute_many(models.END, [(status, row[0]) for row in rows])
    prefix = rules.SINGLE_USE_PREFIX
    freed = [(row[4][len(prefix) :],) for row in rows if row[4].startswith(prefix)]
    await sql.execute_many(models.FREE_CODE, sorted(freed))
    await _count(Counter((row[2], row[4]) for row in rows), -1)
    for row in rows:
        changes.note(changes.MEMBER, row[1])


async def count(coupons: Iterable[Usable]) -> None:
    """Note that the coupons were redeemed where their codes are counted, as those with a limit in
    total are. Writes; call it inside a transaction."""
    await _count(Counter((one.coupon, one.code) for one in coupons), 1)


async def _count(numbers: Mapping[tuple[str, str], int], sign: int) -> None:
    rows = [(sign * number, *key) for key, number in sorted(numbers.items())]
    await sql.execute_many(models.COUNT, rows)


async def _reserved(basket_id: int) -> dict[tuple[str, str], sql.Row]:
    rows = await models.of_basket(basket_id)
    return {(row[2], row[4]): row for row in rows if row[7] == "reserved"}


async def _free(rows: Sequence[sql.Row]) -> None:
    prefix = rules.SINGLE_USE_PREFIX
    freed = [(row[4][len(prefix) :], row[9]) for row in rows if row[4].startswith(prefix)]
    await sql.execute_many(models.FREE_BASKETS_CODE, sorted(freed))
    await sql.execute_many(models.FORGET_RESERVATION, [(row[0],) for row in rows])
    for row in rows:
        changes.note(changes.MEMBER, row[1])


async def take(
    coupons: Sequence[Usable],
    member_id: int,
    *,
    basket_id: int | None,
    until: Instant | None,
    now: Instant,
) -> None:
    """Take single-use codes and count what has a limit in total, in one order for all writers."""
    for one in sorted(coupons, key=lambda one: (one.coupon, one.code)):
        if one.terms.total is not None:
            used = await models.lock_counter(one.coupon, one.code)
            used += await models.reservations(one.coupon, one.code, basket_id, now)
            if used >= one.terms.total:
                raise errors.limit_reached("total", one.terms.total)
        if one.is_single_use and not await stock.take(
            one.code_hash, member_id, basket_id=basket_id, reserved_until=until, now=now
        ):
            raise errors.unknown_code()


def redemption_row(
    one: Usable,
    member_id: int,
    day: LocalDay,
    occurred_at: Instant,
    now: Instant,
    *,
    basket_id: int | None = None,
    purchase_id: int | None = None,
    until: Instant | None = None,
) -> sql.Row:
    """The row (REDEMPTION_COLUMNS) of a reservation until then, or of a redemption."""
    return (
        *(new_id(), member_id, one.coupon, one.offer, one.code, day, occurred_at),
        *("redeemed" if until is None else "reserved", until, basket_id, purchase_id, now),
    )


async def _local_day(occurred_at: Instant) -> LocalDay:
    return clock.local_day(occurred_at, await zone_at(occurred_at))


async def zone_at(instant: Instant) -> str:
    """The programme's time zone at the instant."""
    return (await programme.rulebook()).at(instant).programme.programme.timezone
