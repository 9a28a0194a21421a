"""Holding value for a basket: settled by the till that asked for it, released, or expired.

Whether a hold has expired is read off the clock; no job has to run for its value to be free again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import InsufficientPoints, InvalidInput, phrase
from server.ledger import service as ledger
from server.ledger.errors import HoldResolved
from server.ledger.rules import MAXIMUM_BALANCE
from server.money import POINTS
from server.payments import errors, rules
from server.payments.paying import cause, made, store, usable
from server.payments.rules import Basket
from server.payments.shapes import Held, Paid
from server.programme import service as programme
from server.programme.document import Programme
from server.rewards import service as rewards

PURPOSE = "till"


async def hold(
    reference: MemberReference,
    kind: str,
    amount: int,
    *,
    ttl_seconds: int | None,
    from_household: bool = False,
    partner: str,
    now: Instant,
) -> Held:
    """Reserve `amount` of the `kind` "points", or "cashback" in minor units, for a basket to come.

    `ttl_seconds` is how long, None for the programme's default. Writes; call it inside a
    transaction. Raises InvalidInput, NotFound, CardUnusable, NotAllowed, InsufficientPoints or
    InsufficientCashback.
    """
    rulebook = (await programme.rulebook()).at(now).programme
    asset = POINTS if kind == "points" else rulebook.programme.currency
    _check_amount(asset, amount, rulebook)
    expires_at = rules.hold_ends_at(ttl_seconds, rulebook.holds, now=now)
    member = await cards.member_of(reference, path=("member",))
    pooled = await rewards.pool(member, from_household=from_household)
    async with ledger.journal(pooled, [asset], recorded_at=now) as journal:
        payers = await rewards.locked_pool(pooled, member, from_household=from_household)
        available = await usable(journal, payers, asset)
        if available < amount:
            raise _too_little(asset, amount, rulebook, available=available)
        view = await ledger.hold(
            journal,
            payers,
            asset,
            amount,
            by=member,
            purpose=PURPOSE,
            partner=partner,
            expires_at=expires_at,
        )
    return _held(view, rulebook, available - amount)


def _check_amount(asset: str, amount: int, rulebook: Programme) -> None:
    if asset == POINTS:
        least, field = rules.least_points(rulebook), "points"
    else:
        least, field = 1, "amountMinor"
    if not least <= amount <= MAXIMUM_BALANCE:
        raise InvalidInput(
            "hold.amount",
            path=(field,),
            value=amount,
            accepted=phrase("accepted.range", minimum=least, maximum=MAXIMUM_BALANCE),
        )


def _too_little(asset: str, amount: int, rulebook: Programme, *, available: int) -> Exception:
    if asset == POINTS:
        return InsufficientPoints(available=available, required=amount, path=("points",))
    return rules.too_little_cashback(available, amount, rulebook)


async def settle(
    hold_id: int,
    basket: Basket,
    *,
    points: int | None = None,
    amount_minor: int | None = None,
    partner: str,
    now: Instant,
) -> Paid:
    """Pay for the basket with what is held, or a part of it; the rest is free again at once.

    Points or minor units as the hold's asset is; None for as much of it as the rules allow, which
    are those of paying without a hold. Writes; call it inside a transaction. Raises NotFound for
    another till's hold, AlreadyDecided for one that is not open, InvalidInput, NotAllowed,
    InsufficientPoints or InsufficientCashback.
    """
    view = await _open_hold(hold_id, partner=partner, now=now)
    rulebook = (await programme.rulebook()).at(now).programme
    rules.check_basket(basket, currency=rulebook.programme.currency)
    if view.asset not in (POINTS, basket.currency):
        raise errors.wrong_currency(
            basket.currency, accepted=view.asset, path=("basket", "currencyCode")
        )
    _check_fits(view.asset, points=points, amount_minor=amount_minor)
    if view.asset == POINTS:
        charge = rules.points_charge(points, basket, rulebook, available=view.amount)
    else:
        charge = rules.cashback_charge(amount_minor, basket, rulebook, available=view.amount)
    holders = await ledger.holders(hold_id)
    async with ledger.journal(holders, [view.asset], recorded_at=now) as journal:
        kind = "points" if view.asset == POINTS else "cashback"
        payment = made(
            view.member_id, kind, charge, rulebook, partner=partner, now=now, hold_id=hold_id
        )
        with _at_hold_id():
            await ledger.settle(
                journal, hold_id, charge.amount, side=ledger.Side.REDEEMED, cause=cause(payment)
            )
    await store(payment, rulebook)
    return Paid(payment, await _available(view.member_id, view.asset, now))


def _check_fits(asset: str, *, points: int | None, amount_minor: int | None) -> None:
    if asset == POINTS and amount_minor is not None:
        raise InvalidInput(
            "hold.asset",
            path=("amountMinor",),
            value=amount_minor,
            accepted=phrase("accepted.nothing_for_points"),
        )
    if asset != POINTS and points is not None:
        raise InvalidInput(
            "hold.asset",
            path=("points",),
            value=points,
            accepted=phrase("accepted.nothing_for_cashback"),
        )


async def release(hold_id: int, *, partner: str | None, now: Instant) -> Held:
    """Give up a hold: its value is free again. `partner` None is the operator's staff, who may
    release every till's.

    Writes; call it inside a transaction. Raises NotFound for another till's hold, AlreadyDecided
    for one that is not open.
    """
    view = await _open_hold(hold_id, partner=partner, now=now)
    rulebook = (await programme.rulebook()).at(now).programme
    holders = await ledger.holders(hold_id)
    async with ledger.journal(holders, [view.asset], recorded_at=now) as journal:
        with _at_hold_id():
            released = await ledger.release(journal, hold_id)
    return _held(released, rulebook, await _available(view.member_id, view.asset, now))


@contextmanager
def _at_hold_id() -> Iterator[None]:
    """Say of a hold that another till has just resolved where it stands in the input."""
    try:
        yield
    except HoldResolved as refusal:
        raise refusal.below("holdId") from None


async def _open_hold(hold_id: int, *, partner: str | None, now: Instant) -> ledger.HoldView:
    """The hold, if the caller may know of it and it seems open; what settles or releases it looks
    again once it is locked."""
    view = await till_hold(hold_id)
    if view is None or partner not in (view.partner, None):
        raise errors.unknown_hold()
    status = view.status(now)
    if status is not ledger.HoldStatus.OPEN:
        raise HoldResolved(status, path=("holdId",))
    return view


async def till_hold(hold_id: int) -> ledger.HoldView | None:
    """One hold for a basket; None for other holds too."""
    view = (await ledger.find_holds([hold_id])).get(hold_id)
    return view if view is not None and view.purpose == PURPOSE else None


async def open_holds(member_ids: list[int], at: Instant) -> dict[int, list[ledger.HoldView]]:
    """What is held at tills for the members at the instant, the newest first; one statement."""
    return await ledger.open_holds(member_ids, purpose=PURPOSE, at=at)


async def _available(member_id: int, asset: str, now: Instant) -> int:
    balances = await ledger.balances([member_id], now)
    return balances.get((member_id, asset), ledger.Balance()).available


def _held(view: ledger.HoldView, rulebook: Programme, available: int) -> Held:
    identity = rulebook.programme
    return Held(view, identity.currency, identity.minor_unit_digits, available)
