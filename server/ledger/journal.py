"""Writing to the ledger: all of one transaction's grants and spendings, flushed in few statements.

    async with ledger.journal(member_ids, assets, recorded_at=now) as journal:
        journal.grant(...)
        await journal.spend(...)

Entering locks the members' accounts in the order of their ids and books what has expired, so that
every later line of the journal stands after it. Leaving writes everything; an exception nothing.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints, InvalidInput
from server.ledger import models
from server.ledger.rules import (
    GENESIS_HASH,
    MAXIMUM_BALANCE,
    OpenLot,
    Reason,
    Side,
    available,
    chained_hash,
    takes,
)
from server.storage import sql
from server.storage.ids import new_id


@dataclass(slots=True)
class _Account:
    id: int
    member_id: int
    asset: str
    last_sequence: int
    last_hash: str
    balance: int
    granted_total: int
    redeemed_total: int
    expired_total: int
    next_expiry_at: Instant
    lots: list[OpenLot] | None = None
    fresh: list[OpenLot] = field(default_factory=list)
    changed: bool = False
    taken_from: dict[int, OpenLot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    """What a posting says beyond its account, its number and its hash."""

    debit: Side
    credit: Side
    amount: int
    lot_id: int
    reason: Reason
    rule: str
    programme_version: int
    reference: int | None
    occurred_at: Instant


@dataclass(frozen=True, slots=True)
class Grant:
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


class Journal:
    """One transaction's writes; made by `journal`."""

    def __init__(self, accounts: Iterable[_Account], recorded_at: Instant) -> None:
        self.recorded_at = recorded_at
        self._accounts = {(account.member_id, account.asset): account for account in accounts}
        self._lots: list[sql.Row] = []
        self._postings: list[sql.Row] = []

    def grant(self, member_id: int, grant: Grant) -> int | None:
        """Make one lot; its id, or None for a grant of nothing, which makes no lot.

        Raises InvalidInput if the account would then exceed MAXIMUM_BALANCE.
        """
        if grant.amount == 0:
            return None
        account = self._accounts[member_id, grant.asset]
        self.check_room(member_id, grant.asset, grant.amount)
        lot_id = new_id()
        line = _Line(
            debit=Side.ISSUED,
            credit=Side.MEMBER,
            amount=grant.amount,
            lot_id=lot_id,
            reason=grant.reason,
            rule=grant.rule,
            programme_version=grant.programme_version,
            reference=grant.reference,
            occurred_at=grant.earned_at,
        )
        self._post(account, line)
        account.granted_total += grant.amount
        account.next_expiry_at = min(account.next_expiry_at, grant.expires_at)
        made = OpenLot(
            id=lot_id,
            sequence=account.last_sequence,
            remaining=grant.amount,
            available_at=grant.available_at,
            expires_at=grant.expires_at,
            rule=grant.rule,
            programme_version=grant.programme_version,
        )
        (account.fresh if account.lots is None else account.lots).append(made)
        self._lots.append(
            (
                lot_id,
                member_id,
                account.id,
                account.last_sequence,
                grant.amount,
                grant.amount,
                grant.earned_at,
                grant.available_at,
                grant.expires_at,
                grant.reason.value,
                grant.rule,
                grant.programme_version,
                grant.reference,
            )
        )
        return lot_id

    def check_room(self, member_id: int, asset: str, amount: int) -> None:
        """Raise InvalidInput if the member's account can't take `amount` more."""
        if self._accounts[member_id, asset].balance + amount > MAXIMUM_BALANCE:
            raise InvalidInput(
                "ledger.balance_limit",
                path=(),
                value=amount,
                accepted=f"what keeps the member's balance at or below {MAXIMUM_BALANCE}",
            )

    async def spend(
        self,
        member_id: int,
        asset: str,
        amount: int,
        *,
        reason: Reason,
        rule: str,
        reference: int | None,
    ) -> int:
        """Spend `amount`, what expires first first; what is available afterwards.

        Raises InsufficientPoints if less is available at `recorded_at`.
        """
        account = self._accounts[member_id, asset]
        await self.load_lots([member_id], asset)
        lots = account.lots or []
        usable = available(lots, self.recorded_at)
        if usable < amount:
            raise InsufficientPoints(available=usable, required=amount)
        for take in takes(lots, amount, self.recorded_at):
            self._take(account, take.lot, take.amount, Side.REDEEMED, reason, reference, rule=rule)
        account.redeemed_total += amount
        return usable - amount

    async def load_lots(self, member_ids: Sequence[int], asset: str) -> None:
        """Read the members' open lots in one statement, ahead of several calls of `spend`."""
        wanted = {
            account.id: account
            for member_id in member_ids
            if (account := self._accounts[member_id, asset]).lots is None
        }
        if not wanted:
            return
        for account in wanted.values():
            account.lots = []
        for row in await models.open_lots(wanted):
            wanted[row[2]].lots.append(_open_lot(row))  # type: ignore[union-attr] # set above
        for account in wanted.values():
            account.lots = [*(account.lots or []), *account.fresh]

    async def book_expiries(self) -> None:
        """Post what has expired by `recorded_at`, each at the instant when it expired."""
        due = {
            account.id: account
            for account in self._accounts.values()
            if account.next_expiry_at <= self.recorded_at
        }
        if not due:
            return
        for account in due.values():
            account.lots = []
        for row in await models.open_lots(due):
            due[row[2]].lots.append(_open_lot(row))  # type: ignore[union-attr] # set above
        for account in due.values():
            self._expire(account)

    def _expire(self, account: _Account) -> None:
        lots = account.lots or []
        for lot in lots:
            if lot.expires_at <= self.recorded_at:
                account.expired_total += lot.remaining
                self._take(
                    account, lot, lot.remaining, Side.EXPIRED, Reason.EXPIRY, None, rule=lot.rule
                )
        account.lots = [lot for lot in lots if lot.remaining]
        account.next_expiry_at = min((lot.expires_at for lot in account.lots), default=NEVER)
        account.changed = True

    def _take(
        self,
        account: _Account,
        lot: OpenLot,
        amount: int,
        to: Side,
        reason: Reason,
        reference: int | None,
        *,
        rule: str,
    ) -> None:
        lot.remaining -= amount
        account.taken_from[lot.id] = lot
        line = _Line(
            debit=Side.MEMBER,
            credit=to,
            amount=amount,
            lot_id=lot.id,
            reason=reason,
            rule=rule,
            programme_version=lot.programme_version,
            reference=reference,
            occurred_at=lot.expires_at if reason is Reason.EXPIRY else self.recorded_at,
        )
        self._post(account, line)

    def _post(self, account: _Account, line: _Line) -> None:
        account.last_sequence += 1
        account.balance += line.amount if line.credit is Side.MEMBER else -line.amount
        account.changed = True
        posting = (
            account.member_id,
            account.id,
            account.last_sequence,
            line.debit.value,
            line.credit.value,
            line.amount,
            account.balance,
            line.lot_id,
            line.reason.value,
            line.rule,
            line.programme_version,
            line.reference,
            line.occurred_at,
            self.recorded_at,
        )
        account.last_hash = chained_hash(account.last_hash, posting)
        self._postings.append((new_id(), *posting, account.last_hash))

    async def flush(self) -> None:
        """Write everything: lots before the postings that name them, then the accounts."""
        await sql.execute_many(models.INSERT_LOT, self._lots)
        await sql.execute_many(models.INSERT_POSTING, self._postings)
        await sql.execute_many(
            models.UPDATE_LOT,
            [
                (lot.remaining, lot.id)
                for account in self._accounts.values()
                for lot in account.taken_from.values()
            ],
        )
        await sql.execute_many(
            models.UPDATE_ACCOUNT,
            [
                (
                    account.last_sequence,
                    account.last_hash,
                    account.balance,
                    account.granted_total,
                    account.redeemed_total,
                    account.expired_total,
                    account.next_expiry_at,
                    account.id,
                )
                for account in self._accounts.values()
                if account.changed
            ],
        )


def _open_lot(row: sql.Row) -> OpenLot:
    return OpenLot(
        id=row[0],
        sequence=row[3],
        remaining=row[5],
        available_at=row[7],
        expires_at=row[8],
        rule=row[10],
        programme_version=row[11],
    )


async def open_accounts(member_ids: Iterable[int], assets: Iterable[str]) -> None:
    """Make the members' accounts in the assets, empty, where they do not exist yet."""
    wanted = list(assets)
    await sql.execute_many(
        models.INSERT_ACCOUNT,
        [
            (new_id(), member_id, asset, 0, GENESIS_HASH, 0, 0, 0, 0, NEVER)
            for member_id in sorted(set(member_ids))
            for asset in wanted
        ],
    )


@asynccontextmanager
async def journal(
    member_ids: Iterable[int], assets: Iterable[str], *, recorded_at: Instant
) -> AsyncIterator[Journal]:
    """The members' accounts, locked for this transaction; written when the block ends well."""
    members = sorted(set(member_ids))
    wanted = list(assets)
    accounts = [_Account(*row) for row in await models.accounts_for_writing(members)]
    present = {(account.member_id, account.asset) for account in accounts}
    lacking = [m for m in members if any((m, asset) not in present for asset in wanted)]
    if lacking:
        await open_accounts(lacking, wanted)
        accounts = [_Account(*row) for row in await models.accounts_for_writing(members)]
    opened = Journal(accounts, recorded_at)
    await opened.book_expiries()
    yield opened
    await opened.flush()
