"""All verbs of the ledger as a few lists in memory, in the order of the clock: no journal, no
booking, nothing summed up ahead."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from server.clock import NEVER, Instant
from server.ledger.service import ReturnPolicy


class TooLittle(Exception):
    """Less is available than was asked for."""


@dataclass(eq=False)
class Grant:
    """What was granted once, wherever its value is now."""

    owner: int
    amount: int
    lots: list["Pile"] = field(default_factory=list)
    undone: int = 0
    excused: int = 0  # of what was undone: had lapsed
    let_go: int = 0  # of what was undone: was used, and is taken when that is undone

    @property
    def lapsed(self) -> int:
        """How much of it lapsed."""
        return sum(lot.lapsed for lot in self.lots)


@dataclass(eq=False)
class Pile:
    """A lot: what is free of it."""

    owner: int
    number: int
    grant: Grant
    available_at: Instant
    expires_at: Instant
    free: int = 0
    lapsed: int = 0


@dataclass(eq=False)
class Reserved:
    """A hold, with what it holds of each lot."""

    parts: list[tuple[Pile, int]]
    expires_at: Instant
    outcome: str = "open"


Purse = tuple[int, int, int, int]
"""Available, pending, held and owed."""


class Model:
    """All members; every verb first lets time do its work."""

    def __init__(self, owners: Iterable[int], now: Instant) -> None:
        self.now = now
        self.piles: list[Pile] = []
        self.grants: list[Grant] = []
        self.holds: list[Reserved] = []
        self.owed: Counter[int] = Counter(dict.fromkeys(owners, 0))
        self.totals: Counter[tuple[int, str]] = Counter()
        self.events: list[tuple[Instant, str, int]] = []
        self.uses: dict[int, list[tuple[Pile, int]]] = {}

    # ---------------------------------------------------------------- time

    def advance(self, now: Instant) -> None:
        """Do all that happens until the instant, one after the other."""
        while True:
            holds = [hold for hold in self.holds if hold.outcome == "open"]
            ahead = [hold.expires_at for hold in holds]
            ahead += [pile.expires_at for pile in self.piles if pile.free]
            self.now = min([*ahead, now])
            for hold in holds:
                if hold.expires_at <= self.now:
                    hold.outcome = "expired"
                    self._give_back(hold.parts)
            for pile in self.piles:
                if pile.expires_at <= self.now:
                    self._lapse(pile, pile.free, max(pile.expires_at, self.now))
            if self.now == now:
                return

    def changes(self) -> list[Instant]:
        """The instants to come at which time alone does something."""
        instants = {pile.expires_at for pile in self.piles if pile.free}
        instants |= {pile.available_at for pile in self.piles}
        instants |= {hold.expires_at for hold in self.holds if hold.outcome == "open"}
        return sorted(at for at in instants if self.now < at < NEVER)

    def _lapse(self, pile: Pile, amount: int, at: Instant) -> None:
        pile.free -= amount
        pile.lapsed += amount
        self._count(pile.owner, "expired", amount, at)

    def _give_back(self, parts: Iterable[tuple[Pile, int]]) -> list[tuple[Pile, int]]:
        """Let go of what is held; what of it stays."""
        stays: list[tuple[Pile, int]] = []
        for pile, amount in parts:
            pile.free += amount
            rest = amount - self._fill(pile, amount)
            if pile.expires_at <= self.now:
                self._lapse(pile, rest, self.now)
            else:
                stays.append((pile, rest))
        return stays

    def _give_up(self, parts: Iterable[tuple[Pile, int]]) -> None:
        """As `_give_back`, but by a verb, which takes what a return had let go as held."""
        for pile, rest in self._give_back(parts):
            pile.free -= self._withhold(pile.grant, pile.owner, rest)

    def _fill(self, pile: Pile, amount: int) -> int:
        filled = min(self.owed[pile.owner], amount)
        self.owed[pile.owner] -= filled
        pile.free -= filled
        return filled

    def _count(self, owner: int, kind: str, amount: int, at: Instant | None = None) -> None:
        self.totals[owner, kind] += amount
        if amount:
            self.events.append((self.now if at is None else at, kind, amount))

    # ---------------------------------------------------------------- verbs

    def grant(
        self, owner: int, amount: int, *, earned: Instant, available: Instant, expires: Instant
    ) -> Grant:
        """Make a lot; one that has lapsed already lapses when it did."""
        grant = Grant(owner, amount)
        self.grants.append(grant)
        self._count(owner, "granted", amount, earned)
        pile = self._pile(grant, owner, amount, available, expires)
        if expires <= self.now:
            self._lapse(pile, pile.free, expires)
        return grant

    def _pile(
        self, grant: Grant, owner: int, amount: int, available: Instant, expires: Instant
    ) -> Pile:
        pile = Pile(owner, len(self.piles), grant, available, expires, amount)
        self.piles.append(pile)
        grant.lots.append(pile)
        if expires > self.now:
            self._fill(pile, amount)
        return pile

    def _usable(self, owners: Iterable[int]) -> list[Pile]:
        wanted = set(owners)
        found = [
            pile
            for pile in self.piles
            if pile.owner in wanted
            and pile.free
            and pile.available_at <= self.now < pile.expires_at
        ]
        return sorted(found, key=lambda pile: (pile.expires_at, pile.number))

    def available(self, owners: Iterable[int]) -> int:
        """What they can spend together."""
        wanted = set(owners)
        return sum(pile.free for pile in self._usable(wanted)) - sum(
            self.owed[owner] for owner in wanted
        )

    def is_ambiguous(self, owners: Iterable[int]) -> bool:
        """Whether lots of two of them expire at one instant: then either may come first."""
        ends: dict[Instant, set[int]] = {}
        for pile in self._usable(owners):
            ends.setdefault(pile.expires_at, set()).add(pile.owner)
        return any(len(owners) > 1 for owners in ends.values())

    def _draw(self, piles: list[Pile], amount: int) -> list[tuple[Pile, int]]:
        drawn: list[tuple[Pile, int]] = []
        for pile in piles:
            for_this = min(amount, pile.free)
            if for_this:
                pile.free -= for_this
                amount -= for_this
                drawn.append((pile, for_this))
        return drawn

    def _choose(self, owners: Iterable[int], amount: int) -> list[tuple[Pile, int]]:
        wanted = set(owners)
        if self.available(wanted) < amount:
            raise TooLittle
        return self._draw(self._usable(wanted), amount)

    def spend(self, owners: Iterable[int], amount: int, reference: int) -> None:
        """Take what expires first. Raises TooLittle."""
        self._used(self._choose(owners, amount), reference)

    def _used(self, drawn: list[tuple[Pile, int]], reference: int) -> None:
        self.uses[reference] = drawn
        for pile, amount in drawn:
            self._count(pile.owner, "redeemed", amount)

    def hold(self, owners: Iterable[int], amount: int, until: Instant) -> Reserved:
        """Reserve what expires first. Raises TooLittle."""
        hold = Reserved(self._choose(owners, amount), until)
        self.holds.append(hold)
        return hold

    def settle(self, hold: Reserved, amount: int, reference: int) -> None:
        """Use some of what is held; the rest goes back."""
        used: list[tuple[Pile, int]] = []
        rest: list[tuple[Pile, int]] = []
        for pile, held in hold.parts:
            taken = min(amount, held)
            amount -= taken
            used += [(pile, taken)] * bool(taken)
            rest += [(pile, held - taken)] * bool(held - taken)
        hold.outcome = "settled"
        self._used(used, reference)
        self._give_up(rest)

    def release(self, hold: Reserved) -> None:
        """Give everything back."""
        hold.outcome = "released"
        self._give_up(hold.parts)

    def give(self, giver: int, receiver: int, amount: int) -> list[Grant]:
        """Move what expires first to another member. Raises TooLittle."""
        gifts: list[Grant] = []
        for pile, moved in self._choose([giver], amount):
            self._count(giver, "moved", -moved)
            self._count(receiver, "moved", moved)
            gift = Grant(receiver, moved)
            self.grants.append(gift)
            self._pile(gift, receiver, moved, self.now, pile.expires_at)
            gifts.append(gift)
        return gifts

    def undo(self, grant: Grant, amount: int, policy: ReturnPolicy) -> tuple[int, ...]:
        """Take back: from the grant, lapsed, from other lots, owed, let go."""
        amount = min(amount, grant.amount - grant.undone)
        grant.undone += amount
        only_pending = policy is ReturnPolicy.ONLY_PENDING
        own = [lot for lot in grant.lots if not only_pending or lot.available_at > self.now]
        own.sort(key=lambda lot: (lot.expires_at, lot.number))
        from_lot = sum(part for _, part in self._draw(own, amount))
        lapsed = min(amount - from_lot, grant.lapsed - grant.excused)
        grant.excused += lapsed
        missing = amount - from_lot - lapsed
        from_balance = 0
        if not only_pending:
            others = [pile for pile in self.piles if pile.owner == grant.owner and pile.free]
            others.sort(key=lambda pile: (pile.expires_at, pile.number))
            from_balance = sum(part for _, part in self._draw(others, missing))
        owed = missing - from_balance if policy is ReturnPolicy.INTO_NEGATIVE else 0
        self.owed[grant.owner] += owed
        if policy is ReturnPolicy.WITHIN_BALANCE:
            grant.let_go += missing - from_balance
        self._count(grant.owner, "reversed", from_lot + from_balance + owed)
        return from_lot, lapsed, from_balance, owed, missing - from_balance - owed

    def restore(self, reference: int, amount: int, grace: Instant) -> int:
        """Give back what was taken last; how much of it got a new expiry."""
        with_grace = 0
        while amount:
            pile, taken = self.uses[reference].pop()
            back = min(amount, taken)
            amount -= back
            if back < taken:
                self.uses[reference].append((pile, taken - back))
            self._count(pile.owner, "redeemed", -back)
            if pile.expires_at <= self.now:
                back -= self._withhold(pile.grant, pile.owner, back)
                with_grace += back
                if back:
                    self._pile(pile.grant, pile.owner, back, self.now, grace)
            else:
                pile.free += back
                stays = back - self._fill(pile, back)
                pile.free -= self._withhold(pile.grant, pile.owner, stays)
        return with_grace

    def _withhold(self, grant: Grant, owner: int, amount: int) -> int:
        taken = min(grant.let_go, amount)
        grant.let_go -= taken
        self._count(owner, "reversed", taken)
        return taken

    # ---------------------------------------------------------------- what there is

    def purse(self, owner: int) -> Purse:
        """What a member has now."""
        own = [pile for pile in self.piles if pile.owner == owner]
        free = sum(pile.free for pile in own)
        usable = sum(pile.free for pile in own if pile.available_at <= self.now)
        held = sum(
            amount
            for hold in self.holds
            if hold.outcome == "open"
            for pile, amount in hold.parts
            if pile.owner == owner
        )
        return usable - self.owed[owner], free - usable, held, self.owed[owner]

    def worth(self, owner: int) -> int:
        """All that a member has, less what is owed."""
        available, pending, held, _owed = self.purse(owner)
        return available + pending + held

    def expiring(self, owner: int) -> list[tuple[Instant, int]]:
        """What expires when, as far as it is free."""
        ends: Counter[Instant] = Counter()
        for pile in self.piles:
            if pile.owner == owner and pile.free and pile.expires_at < NEVER:
                ends[pile.expires_at] += pile.free
        return sorted(ends.items())
