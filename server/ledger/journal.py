"""Writing to the ledger: all of one transaction's postings, flushed in few statements.

    async with ledger.journal(member_ids, assets, recorded_at=now) as journal:
        journal.grant(...)
        await journal.spend(...)

Entering locks the members' accounts in the order of their ids and books what time alone has done,
so that every later line of the journal stands after it. Leaving writes everything; an exception
nothing. Holds, gifts and what is undone are written by the modules beside this one.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints, InvalidInput, Phrase, phrase
from server.ledger import queries
from server.ledger.accounts import Account, Cause, Line, account_of, lot_of, portion_of
from server.ledger.happening import put_events
from server.ledger.rules import (
    GENESIS_HASH,
    MAXIMUM_BALANCE,
    OpenLot,
    OpenPortion,
    Reason,
    Side,
    Take,
    available,
    due,
    takes,
)
from server.storage import changes, sql
from server.storage.exchange import Written, execute_each
from server.storage.ids import new_id


class Grant(msgspec.Struct, frozen=True):
    """One lot to be made: `amount` of `asset`, usable from `available_at` until `expires_at`."""

    asset: str
    amount: int
    earned_at: Instant
    available_at: Instant
    expires_at: Instant
    reason: Reason
    rule: str
    programme_version: int
    reference: int | None
    side: Side = Side.ISSUED  # where the value comes from
    origin_id: int | None = None  # the lot whose value this one goes on with


class Journal:
    """One transaction's writes; made by `journal`."""

    def __init__(self, accounts: Iterable[Account], recorded_at: Instant) -> None:
        self.recorded_at = recorded_at
        self._accounts = {(account.member_id, account.asset): account for account in accounts}
        self._by_id = {account.id: account for account in self._accounts.values()}
        self._lots: list[sql.Row] = []
        self._postings: list[sql.Row] = []
        self._portions: list[sql.Row] = []
        self._before: list[Written] = []
        self._after: list[Written] = []

    def account(self, member_id: int, asset: str) -> Account:
        """The member's account, locked. Raises KeyError for one that was not asked for."""
        return self._accounts[member_id, asset]

    def has_account(self, account_id: int) -> bool:
        """Whether the account is one of those locked."""
        return account_id in self._by_id

    def asset_of(self, lot: OpenLot) -> str:
        """What the lot of a locked account is made of."""
        return self._by_id[lot.account_id].asset

    def grant(self, member_id: int, grant: Grant) -> int | None:
        """Make one lot; its id, or None for a grant of nothing, which makes no lot.

        What the member owes is taken from it at once, unless it has lapsed already. Raises
        InvalidInput if the account would then exceed MAXIMUM_BALANCE.
        """
        if grant.amount == 0:
            return None
        account = self._accounts[member_id, grant.asset]
        self.check_room(member_id, grant.asset, grant.amount)
        lot = OpenLot(
            id=new_id(),
            account_id=account.id,
            sequence=account.last_sequence + 1,
            amount=grant.amount,
            remaining=0,
            available_at=grant.available_at,
            expires_at=grant.expires_at,
            reason=grant.reason._value_,
            rule=grant.rule,
            programme_version=grant.programme_version,
            reference=grant.reference,
            origin_id=grant.origin_id,
        )
        account.lots[lot.id] = lot
        self._lots.append(
            (
                lot.id,
                member_id,
                account.id,
                lot.sequence,
                grant.amount,
                grant.amount,
                grant.earned_at,
                grant.available_at,
                grant.expires_at,
                lot.reason,
                grant.rule,
                grant.programme_version,
                grant.reference,
                grant.origin_id,
                0,
                0,
                0,
            )
        )
        cause = Cause(grant.reason, grant.rule, grant.reference)
        self.put(lot, grant.amount, side=grant.side, cause=cause, occurred_at=grant.earned_at)
        return lot.id

    def check_room(self, member_id: int, asset: str, amount: int) -> None:
        """Raise InvalidInput if the member's account can't take `amount` more."""
        _check_limit(self._accounts[member_id, asset].balance, amount, _BALANCE_WITHIN)

    def put(
        self,
        lot: OpenLot,
        amount: int,
        *,
        side: Side,
        cause: Cause,
        occurred_at: Instant | None = None,
    ) -> int:
        """Move value from a side into a lot of a locked account, and fill what is owed from it; how
        much of it stays in the lot. What lapsed fills nothing, unless it was held until now."""
        account = self._by_id[lot.account_id]
        at = self.recorded_at if occurred_at is None else occurred_at
        self._post(account, lot, Line(side, Side.MEMBER, amount, cause, at))
        lot.remaining += amount
        account.changed_lots[lot.id] = lot
        account.next_expiry_at = min(account.next_expiry_at, lot.expires_at)
        if not account.owed or (lot.expires_at <= self.recorded_at and side is not Side.HELD):
            return amount
        filled = min(account.owed, amount)
        settlement = Cause(Reason.SETTLEMENT, lot.rule, lot.reference)
        self.take(lot, filled, side=Side.OWED, cause=settlement)
        return amount - filled

    def take(
        self,
        lot: OpenLot,
        amount: int,
        *,
        side: Side,
        cause: Cause,
        occurred_at: Instant | None = None,
    ) -> None:
        """Move value from a lot of a locked account to a side."""
        account = self._by_id[lot.account_id]
        at = self.recorded_at if occurred_at is None else occurred_at
        lot.remaining -= amount
        account.changed_lots[lot.id] = lot
        self._post(account, lot, Line(Side.MEMBER, side, amount, cause, at))

    def take_held(self, lot: OpenLot, amount: int, *, side: Side, cause: Cause) -> None:
        """Move value that is held of a lot to a side."""
        account = self._by_id[lot.account_id]
        self._post(account, lot, Line(Side.HELD, side, amount, cause, self.recorded_at))

    def owe(self, member_id: int, asset: str, amount: int, *, version: int, cause: Cause) -> None:
        """Take from the member what they don't have: what comes in next fills the hole. Raises
        InvalidInput if they would then owe more than MAXIMUM_BALANCE."""
        account = self._accounts[member_id, asset]
        _check_limit(account.owed, amount, _DEBT_WITHIN)
        line = Line(Side.OWED, Side.REVERSED, amount, cause, self.recorded_at)
        self._post(account, None, line, version=version)

    async def spend(
        self,
        members: int | Collection[int],
        asset: str,
        amount: int,
        *,
        cause: Cause,
        side: Side = Side.REDEEMED,
    ) -> int:
        """Spend `amount`, what expires first first; what is available afterwards.

        Of several members, who pool what they have, all lots together are taken in that order.
        Raises InsufficientPoints if less is available at `recorded_at`.
        """
        usable, chosen = await self.choose(members, asset, amount)
        for take in chosen:
            self.take(take.lot, take.amount, side=side, cause=cause)
        return usable - amount

    async def choose(
        self, members: int | Collection[int], asset: str, amount: int
    ) -> tuple[int, Sequence[Take]]:
        """What is available, and from which lots `amount` is to be taken.

        Raises InsufficientPoints if less is available at `recorded_at`.
        """
        pooled = [members] if isinstance(members, int) else sorted(members)
        await self.load_lots(pooled, asset)
        lots = [lot for one in pooled for lot in self._accounts[one, asset].lots.values()]
        usable = available(lots, self.recorded_at) - sum(
            self._accounts[one, asset].owed for one in pooled
        )
        if usable < amount:
            raise InsufficientPoints(available=usable, required=amount)
        chosen = takes(lots, amount, self.recorded_at)
        return usable, chosen

    async def load_lots(self, member_ids: Iterable[int], asset: str) -> None:
        """Read the members' open lots in one statement, ahead of several calls of `spend`."""
        wanted = {
            account.id: account
            for member_id in member_ids
            if not (account := self._accounts[member_id, asset]).has_all_open_lots
        }
        if wanted:
            self._adopt_open(await queries.open_lots(wanted), wanted)

    def _adopt_open(self, rows: Sequence[sql.Row], accounts: dict[int, Account]) -> None:
        for row in rows:
            self.adopt(row)
        for account in accounts.values():
            account.has_all_open_lots = True

    def adopt(self, row: sql.Row) -> OpenLot:
        """The lot of the row (LOT_COLUMNS): as it stands in this transaction, where it was touched
        in it before."""
        account = self._by_id.get(row[2])
        if account is None:
            return lot_of(row)
        return account.lots.setdefault(row[0], lot_of(row))

    def lot(self, account_id: int, lot_id: int) -> OpenLot:
        """A lot of a locked account that was made or adopted in this transaction."""
        return self._by_id[account_id].lots[lot_id]

    def made_of(self, lot_id: int) -> dict[int, OpenLot]:
        """The lot and those that go on with its value, as far as this transaction knows them."""
        return {
            lot.id: lot
            for account in self._accounts.values()
            for lot in account.lots.values()
            if lot_id in (lot.id, lot.origin_id)
        }

    def touched(self, lot: OpenLot) -> None:
        """Write what was changed in the lot beside its remaining value."""
        self._by_id[lot.account_id].changed_lots[lot.id] = lot

    def hold_portion(self, hold_id: int, lot: OpenLot, amount: int, releases_at: Instant) -> None:
        """Note what a hold has taken from a lot, so that time alone can give it back."""
        account = self._by_id[lot.account_id]
        account.next_expiry_at = min(account.next_expiry_at, releases_at)
        account.changed = True
        self._portions.append(
            (
                new_id(),
                hold_id,
                account.member_id,
                account.id,
                lot.id,
                amount,
                amount,
                releases_at,
                lot.expires_at,
            )
        )

    def unwritten_portions(self, hold_id: int) -> list[sql.Row]:
        """What this transaction's own hold holds (PORTION_COLUMNS); noted as given back."""
        found = [row for row in self._portions if row[1] == hold_id]
        others = [row for row in self._portions if row[1] != hold_id]
        self._portions = others + [(*row[:6], 0, *row[7:]) for row in found]
        return found

    def unwritten(self, lot_id: int, *, side: Side, reason: Reason) -> int:
        """How much this transaction has moved from a lot to the side for the reason so far."""
        wanted = (side.value, lot_id, reason.value)
        return sum(row[6] for row in self._postings if (row[5], row[8], row[9]) == wanted)

    async def book_due(self) -> None:
        """Post what time alone has done by `recorded_at`, each at the instant when it happened."""
        concerned = {
            account.id: account
            for account in self._accounts.values()
            if account.next_expiry_at <= self.recorded_at
        }
        if not concerned:
            return
        self._adopt_open(await queries.open_lots(concerned), concerned)
        portions: list[OpenPortion] = []
        if any(account.held for account in concerned.values()):
            portions = [portion_of(row) for row in await queries.open_portions(concerned)]
            lapsed = {p.lot_id for p in portions if p.releases_at <= self.recorded_at}
            for row in await queries.lots(lapsed) if lapsed else ():
                self.adopt(row)
        for account in concerned.values():
            await self._book(account, [p for p in portions if p.account_id == account.id])

    async def _book(self, account: Account, portions: Sequence[OpenPortion]) -> None:
        lots = account.lots
        for line in due(lots.values(), portions, owed=account.owed, at=self.recorded_at):
            lot = lots[line.lot_id]
            cause = Cause(line.reason, lot.rule, line.reference)
            self._post(
                account, lot, Line(line.debit, line.credit, line.amount, cause, line.occurred_at)
            )
            lot.remaining += line.amount if line.credit is Side.MEMBER else -line.amount
            account.changed_lots[lot.id] = lot
        released = [one for one in portions if one.releases_at <= self.recorded_at]
        await sql.execute_many(queries.UPDATE_PORTION, [(0, one.id) for one in released])
        account.next_expiry_at = min(
            [lot.expires_at for lot in lots.values() if lot.remaining]
            + [one.releases_at for one in portions if one.releases_at > self.recorded_at],
            default=NEVER,
        )
        account.changed = True

    def _post(self, account: Account, lot: OpenLot | None, line: Line, *, version: int = 0) -> None:
        self._postings.append(
            account.post(
                line,
                lot_id=lot.id if lot else None,
                version=lot.programme_version if lot else version,
                recorded_at=self.recorded_at,
            )
        )

    def beside(self, *, before: Iterable[Written] = (), after: Iterable[Written] = ()) -> None:
        """Write something else in the same exchange with the database, before the lots or after
        the accounts."""
        self._before += before
        self._after += after

    async def flush(self) -> None:
        """Write everything: lots before the postings that name them, then the accounts. What that
        means to others is put as events."""
        put_events(self._by_id, self._postings)
        fresh = {row[0]: row[4] for row in self._lots}
        await execute_each(
            [
                *self._before,
                (queries.INSERT_LOT, self._lots),
                (queries.INSERT_POSTING, self._postings),
                (queries.INSERT_PORTION, self._portions),
                (
                    queries.UPDATE_LOT,
                    [
                        (lot.remaining, lot.undone, lot.recalled, lot.let_go, lot.id)
                        for account in self._accounts.values()
                        for lot in account.changed_lots.values()
                        if fresh.get(lot.id) != lot.remaining or lot.undone
                    ],
                ),
                (
                    queries.UPDATE_ACCOUNT,
                    [account.stored() for account in self._accounts.values() if account.changed],
                ),
                *self._after,
            ]
        )


_BALANCE_WITHIN = phrase("accepted.balance_within", maximum=MAXIMUM_BALANCE)
_DEBT_WITHIN = phrase("accepted.debt_within", maximum=MAXIMUM_BALANCE)


def _check_limit(present: int, amount: int, accepted: Phrase) -> None:
    if present + amount > MAXIMUM_BALANCE:
        raise InvalidInput(
            "ledger.balance_limit",
            path=(),
            value=amount,
            accepted=accepted,
        )


async def open_accounts(member_ids: Iterable[int], assets: Iterable[str]) -> None:
    """Make the members' accounts in the assets, empty, where they do not exist yet."""
    wanted, members = list(assets), sorted(set(member_ids))
    await sql.execute_many(
        queries.INSERT_ACCOUNT,
        [
            (new_id(), member_id, asset, 0, GENESIS_HASH, *(0,) * 8, NEVER)
            for member_id in members
            for asset in wanted
        ],
    )
    for member_id in members:
        changes.note(changes.MEMBER, member_id)


@asynccontextmanager
async def journal(
    member_ids: Iterable[int], assets: Iterable[str], *, recorded_at: Instant
) -> AsyncIterator[Journal]:
    """The members' accounts, locked for this transaction; written when the block ends well.

    Whoever changes anything of a member's worth locks their accounts, with value or without:
    therefore it is here that their changes are announced.
    """
    members = sorted(set(member_ids))
    wanted = list(assets)
    accounts = [account_of(row) for row in await queries.accounts_for_writing(members)]
    present = {(account.member_id, account.asset) for account in accounts}
    lacking = [m for m in members if any((m, asset) not in present for asset in wanted)]
    if lacking:
        await open_accounts(lacking, wanted)
        accounts = [account_of(row) for row in await queries.accounts_for_writing(members)]
    opened = Journal(accounts, recorded_at)
    await opened.book_due()
    yield opened
    await opened.flush()
    for member_id in members:
        changes.note(changes.MEMBER, member_id)
