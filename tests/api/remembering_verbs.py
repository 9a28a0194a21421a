"""What members, tills and staff do, and what becomes of the time between."""

from collections.abc import Awaitable, Callable

from server import clock
from server.clock import NEVER, Instant, LocalDay
from server.storage import sql
from tests.api.calling import DAY, SECOND, Json, line, purchase_input, shown
from tests.api.remembering import Person, World, document_of, join

Verb = Callable[[World, Person, int], Awaitable[object]]
VERBS: dict[str, Verb] = {}
"""By name: what somebody does, to some amount. What is refused changes nothing, which is as well
worth reading as what is done."""


def _verb(act: Verb) -> Verb:
    VERBS[act.__name__.strip("_")] = act
    return act


_SALES = (1_000, 350, 6_000, 16_000)
_LATE = (3_600 * SECOND, 1 * DAY, 9 * DAY, 45 * DAY)
_DEPARTMENTS = ("GROCERY", "PRODUCE", "MEAT", "SEAFOOD", "DRUG GM")


async def _bought(world: World, person: Person, amount: int, at: Instant) -> None:
    lines = [
        line(salesMinor=_SALES[amount % 4], department=department)
        for department in _DEPARTMENTS[: 1 + amount]
    ]
    purchase = purchase_input(**person.reference, occurredAt=shown(at), lines=lines)
    told = await world.ask("recordPurchase", {"purchase": purchase}, world.till)
    if "purchaseId" in told:
        person.purchases.append(told["purchaseId"])


@_verb
async def _buy(world: World, person: Person, amount: int) -> None:
    await _bought(world, person, amount, world.now)


@_verb
async def _buy_earlier(world: World, person: Person, amount: int) -> None:
    await _bought(world, person, amount, Instant(world.now - _LATE[amount % 4]))


@_verb
async def _bring_back(world: World, person: Person, amount: int) -> None:
    for purchase in person.purchases[-1:]:
        lines = None if amount % 2 else [{"number": 0, "amountMinor": 100}]
        wish = {
            "externalId": f"return-{len(person.purchases)}-{world.now}",
            "purchase": {"id": purchase},
            "occurredAt": shown(world.now),
            "lines": lines,
        }
        await world.ask("returnPurchase", {"return": wish}, world.till)


@_verb
async def _redeem(world: World, person: Person, amount: int) -> None:
    told = await world.ask("redeemPoints", {"points": 1000 * (1 + amount % 2)}, person.caller)
    if "voucher" in told:
        person.vouchers.append(told["voucher"]["id"])
        person.codes.append(told["voucher"]["code"])


@_verb
async def _cancel_redemption(world: World, person: Person, _amount: int) -> None:
    for voucher in person.vouchers[-1:]:
        await world.ask("cancelRedemption", {"voucherId": voucher}, world.till)


_BASKET = {"netMinor": 9_000, "currencyCode": "USD"}


@_verb
async def _pay(world: World, person: Person, amount: int) -> None:
    wish = {**person.reference, "basket": _BASKET}
    if amount % 2:
        told = await world.ask("payWithCashback", {**wish, "amountMinor": 10 + amount}, world.till)
    else:
        shared = {"points": 100 + amount, "fromHousehold": amount > 1}
        told = await world.ask("payWithPoints", {**wish, **shared}, world.till)
    if "payment" in told:
        person.payments.append(told["payment"]["id"])


@_verb
async def _voucher_pay(world: World, person: Person, amount: int) -> None:
    for code in person.codes[-1:]:
        wish = {"voucherCode": code, "basket": _BASKET, "amountMinor": 100 + amount}
        told = await world.ask("payWithVoucher", wish, world.till)
        if "payment" in told:
            person.payments.append(told["payment"]["id"])


@_verb
async def _cancel_payment(world: World, person: Person, _amount: int) -> None:
    for payment in person.payments[-1:]:
        await world.ask("cancelPayment", {"paymentId": payment}, world.till)


@_verb
async def _hold(world: World, person: Person, amount: int) -> None:
    wish = {**person.reference, "ttlSeconds": 60 + amount}
    if amount % 2:
        wish |= {"asset": "CASHBACK", "amountMinor": 20}
    else:
        wish |= {"asset": "POINTS", "points": 150, "fromHousehold": amount > 1}
    told = await world.ask("hold", wish, world.till)
    if "hold" in told:
        person.holds.append(told["hold"]["id"])


@_verb
async def _resolve(world: World, person: Person, amount: int) -> None:
    for hold in person.holds[-1:]:
        if amount % 2:
            await world.ask("release", {"holdId": hold}, world.till)
        else:
            await world.ask("settle", {"holdId": hold, "basket": _BASKET}, world.till)


@_verb
async def _give(world: World, person: Person, amount: int) -> None:
    other = world.after(person, 1 + amount % 2)
    wish = {"to": {"id": other.caller.id}, "from": {"id": person.caller.id}}
    await world.ask("givePoints", {**wish, "points": 50 + amount}, world.till)
    card = await world.there.data("{ me { card { number } } }", caller=other.caller, at=world.now)
    to = {"to": {"cardNumber": card["me"]["card"]["number"]}, "message": f"Gift {amount}"}
    await world.ask("givePoints", {**to, "points": 10 + amount}, person.caller)


@_verb
async def _ask_for_money(world: World, person: Person, amount: int) -> None:
    wish = {"amountMinor": 100 + amount, "destination": "LT12"}
    told = await world.ask("requestPayout", wish, person.caller)
    if "payout" in told:
        person.payouts.append(told["payout"]["id"])


@_verb
async def _decide_payout(world: World, person: Person, amount: int) -> None:
    for payout in person.payouts[-1:]:
        wish: Json = {"payoutId": payout}
        if amount == 0:
            await world.ask("cancelPayout", wish, person.caller)
        elif amount == 1:
            await world.ask("rejectPayout", {**wish, "note": "unknown"}, world.manager)
        else:
            await world.ask("approvePayout", wish, world.manager)
        if amount == 3:
            await world.ask("markPayoutPaid", {**wish, "bankReference": "B"}, world.manager)


@_verb
async def _adjust(world: World, person: Person, amount: int) -> None:
    kinds: list[Json] = [
        {"asset": "POINTS", "points": 400},
        {"asset": "POINTS", "points": -150},
        {"asset": "CASHBACK", "amountMinor": 90},
        {"asset": "CASHBACK", "amountMinor": -40},
    ]
    wish = {**person.reference, **kinds[amount % 4], "reason": "goodwill"}
    await world.ask("adjustBalance", wish, world.support)


@_verb
async def _see_to_card(world: World, person: Person, amount: int) -> None:
    names = ("blockCard", "unblockCard", "replaceCard", "reportCardLost")
    await world.ask(names[amount % 4], {}, person.caller)


@_verb
async def _edit_profile(world: World, person: Person, amount: int) -> None:
    edits: list[Json] = [
        {"name": f"{person.name} {world.now % 97}"},
        {"locale": "lv-LV"},
        {"locale": "cs-CZ", "timeZone": "Europe/Prague"},
        {"birthday": "1980-02-29", "name": None},
    ]
    await world.ask("updateProfile", edits[amount % 4], person.caller)


@_verb
async def _found(world: World, person: Person, amount: int) -> None:
    await world.ask("foundHousehold", {"name": f"Home {amount}"}, person.caller)


@_verb
async def _join(world: World, person: Person, amount: int) -> None:
    await join(world, person, "CONTRIBUTOR" if amount % 2 else "SPENDER")


@_verb
async def _leave(world: World, person: Person, amount: int) -> None:
    if amount == 3:
        await world.ask("dissolveHousehold", {}, person.caller)
    else:
        await world.ask("leaveHousehold", {}, person.caller)


@_verb
async def _change_role(world: World, person: Person, amount: int) -> None:
    other = world.after(person)
    role = ("OWNER", "SPENDER", "CONTRIBUTOR")[amount % 3]
    wish = {"memberId": other.caller.id, "role": role}
    await world.ask("changeHouseholdRole", wish, person.caller)


@_verb
async def _merge(world: World, person: Person, amount: int) -> None:
    """The next one turns out to be the same person, or not to be."""
    other = world.after(person)
    if person.merges:
        wish: Json = {"mergeId": person.merges.pop(), "reason": "not the same"}
        await world.ask("undoMerge", wish, world.manager)
    elif amount:
        pair = {"duplicate": {"id": other.caller.id}, "survivor": {"id": person.caller.id}}
        told = await world.ask("mergeMembers", {**pair, "reason": "the same"}, world.manager)
        if "merge" in told:
            person.merges.append(told["merge"]["id"])


@_verb
async def _publish(world: World, person: Person, amount: int) -> None:
    later = (0, 0, 3_600 * SECOND, 20 * DAY)[amount % 4]
    effective = None if not later else shown(Instant(world.now + later))
    number = world.people.index(person) * 4 + amount
    wish = {"document": document_of(number), "effectiveAt": effective}
    await world.ask("publishProgramme", wish, world.manager)


@_verb
async def _sign_out(world: World, person: Person, amount: int) -> None:
    if len(person.sessions) == 1:
        return
    gone = person.sessions.pop(0)
    if amount % 2:
        await world.ask("signOut", {"refreshToken": gone.refresh_token}, gone)
    else:
        await world.ask("signOut", {}, gone)
    person.signed_out.append(gone)


# ---------------------------------------------------------------- time


async def _next_of_values(now: Instant) -> Instant:
    """When next some value becomes available or expires, or a hold ends."""
    rows = await sql.fetch(
        "SELECT available_at FROM lots UNION ALL SELECT expires_at FROM lots"
        " UNION ALL SELECT releases_at FROM held_portions"
    )
    return Instant(min((at for (at,) in rows if now < at < NEVER), default=now + 1))


_ZONE = "America/New_York"


async def later(now: Instant, move: int) -> Instant:
    """The instant after a move of the clock."""
    today = clock.local_day(now, _ZONE)
    month = clock.start_of_month(LocalDay(clock.start_of_month(today) + 32))
    ways = [
        Instant(now + 1),
        Instant(now + 59 * SECOND),
        Instant(now + 5 * 3_600 * SECOND),
        Instant(clock.start_of_day(LocalDay(today + 1), _ZONE) - 1),
        clock.start_of_day(LocalDay(today + 1), _ZONE),
        clock.start_of_day(LocalDay(clock.start_of_week(today) + 7), _ZONE),
        clock.start_of_day(month, _ZONE),
        Instant(await _next_of_values(now) - 1),
        await _next_of_values(now),
        Instant(now + 16 * DAY),
        Instant(now + 200 * DAY),
    ]
    return max(now, ways[move % len(ways)])
