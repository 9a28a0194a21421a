"""The verbs of partners: note who pays for a reward, undo it, settle a month."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Misfits, Surroundings
from server.money import POINTS
from server.partners import models, rules
from server.partners.documents import Partner, Share
from server.partners.rules import OPERATOR
from server.programme.document import Programme
from server.storage.exchange import Written, execute_each
from server.storage.ids import new_id

__all__ = [
    "OPERATOR",
    "PARTNER",
    "Left",
    "MonthOfParty",
    "Reward",
    "SettlementLine",
    "Share",
    "csv_of",
    "entries",
    "partners",
    "redemption",
    "settlement",
    "undo",
]


def _misfits(document: Partner, _surroundings: Surroundings) -> Misfits:
    for name in ("image_url", "website"):
        url = getattr(document, name)
        if url is not None and not url.startswith("https://"):
            yield (name,), "an address that begins with https://"


PARTNER = definitions.register(definitions.Kind("partner", Partner, misfits=_misfits))


class Reward(Struct, frozen=True):
    """What is given to a member, and who pays for it in which parts.

    `amount` is in points or minor units of `asset`; `value_minor` what it costs, which for points
    is `rules.points_value_minor`. `source` is points, cashback, discount or reward. Who is named
    in `given_by` is owed the whole of it, less its own part.
    """

    member_id: int
    source: str
    rule: str  # what gave it, such as offer:KEY
    reference: int  # the purchase or order
    asset: str
    amount: int
    value_minor: int
    shares: tuple[Share, ...]
    occurred_at: Instant
    lot_id: int | None = None  # the lot that was granted
    given_by: str | None = None  # the partner who hands it over


def entries(
    rewards: Iterable[Reward], programme: Programme, *, recorded_at: Instant
) -> list[Written]:
    """What notes who pays for the rewards, to be written in the transaction that gives them;
    nothing for those that the operator gives and pays alone."""
    identity = programme.programme
    rows = [
        (
            new_id(),
            one.member_id,
            clock.month_of(clock.local_day(one.occurred_at, identity.timezone)),
            party,
            source,
            one.rule,
            one.reference,
            one.lot_id,
            one.asset,
            amount,
            value_minor,
            identity.currency,
            one.occurred_at,
            recorded_at,
        )
        for one in rewards
        for source, party, amount, value_minor in _borne(one)
    ]
    return [(models.INSERT, rows)] if rows else []


class Left(Struct, frozen=True):
    """What is left of a reward after a part of it was undone."""

    source: str
    rule: str
    amount: int
    value_minor: int
    shares: tuple[Share, ...]
    given_by: str | None = None


_OWED_SOURCE = "redemption"
"""Of what a partner is owed for what it hands over, as for what it takes at its tills."""


def _borne(one: Reward | Left) -> Iterator[tuple[str, str, int, int]]:
    """Source, party, amount and value of what each of the parties bears of a reward."""
    if one.shares or one.given_by is not None:
        yield from (
            (one.source, party, amount, value_minor)
            for party, amount, value_minor in zip(
                rules.parties(one.shares),
                rules.parts(one.amount, one.shares),
                rules.parts(one.value_minor, one.shares),
                strict=True,
            )
        )
    if one.given_by is not None:
        yield _OWED_SOURCE, one.given_by, -one.amount, -one.value_minor


async def undo(
    left: Sequence[Left],
    *,
    member_id: int,
    reference: int,
    programme: Programme,
    occurred_at: Instant,
    recorded_at: Instant,
) -> None:
    """Note that of the rewards with the reference only so much is left: each party gets back what
    it bears beyond its part of that, so that parts undone one after the other come to the whole.

    Writes; call it inside a transaction.
    """
    if not any(one.shares or one.given_by is not None for one in left):
        return
    borne = {(row[0], row[1], row[2]): row for row in await models.standing(reference)}
    identity = programme.programme
    month = clock.month_of(clock.local_day(occurred_at, identity.timezone))
    rows = []
    for one in left:
        for source, party, amount, value_minor in _borne(one):
            row = borne.get((source, one.rule, party))
            if row is None or (row[6], row[7]) == (amount, value_minor):
                continue
            rows.append(
                (
                    *(new_id(), member_id, month, party, source, one.rule, reference),
                    *(row[3], row[4], amount - row[6], value_minor - row[7], row[5]),
                    *(occurred_at, recorded_at),
                )
            )
    await execute_each([(models.INSERT, rows)] if rows else [])


async def redemption(
    *,
    member_id: int,
    partner: str,
    payment_id: int,
    kind: str,
    value_minor: int,
    programme: Programme,
    now: Instant,
) -> list[Written]:
    """What notes that the operator owes a partner for value taken at its till (or, below 0, no
    longer does); nothing for whoever is no partner, or none that is reimbursed."""
    shelf = (await definitions.shelves()).of(PARTNER.name)
    found = shelf.at(partner, now)
    if found is None or not found.document.is_reimbursed or not value_minor:
        return []
    identity = programme.programme
    month = clock.month_of(clock.local_day(now, identity.timezone))
    return [
        (
            models.INSERT,
            [
                (
                    *(new_id(), member_id, month, party, "redemption", f"payment:{kind}"),
                    *(payment_id, None, identity.currency, owed, owed, identity.currency),
                    *(now, now),
                )
                for party, owed in ((partner, -value_minor), (OPERATOR, value_minor))
            ],
        )
    ]


class SettlementLine(Struct, frozen=True):
    """What one party bears of the rewards of one rule in a month."""

    source: str
    rule: str
    asset: str
    currency: str
    rewards: int  # how many purchases, orders or payments
    amount: int  # points, or minor units of the asset
    value_minor: int

    @property
    def points(self) -> int:
        """The points; 0 for money."""
        return self.amount if self.asset == POINTS else 0


class MonthOfParty(Struct, frozen=True):
    """What a party owes for a month in a currency; below 0 for what it is owed."""

    partner: str  # "" for the operator
    currency: str
    lines: tuple[SettlementLine, ...]

    @property
    def owed_minor(self) -> int:
        """The sum of the lines."""
        return sum(line.value_minor for line in self.lines)


async def settlement(local_month: int) -> list[MonthOfParty]:
    """What everybody bears of the month (year * 100 + month), by the party's name, the operator
    first; as far as it is recorded: late arrivals count in the month that they happened in."""
    grouped: dict[tuple[str, str], list[SettlementLine]] = {}
    for partner, source, rule, asset, currency, rewards, amount, value in await models.month(
        local_month
    ):
        line = SettlementLine(source, rule, asset, currency, rewards, amount, value)
        grouped.setdefault((partner, currency), []).append(line)
    return [
        MonthOfParty(partner, currency, tuple(lines))
        for (partner, currency), lines in sorted(grouped.items())
    ]


_HEADINGS = (
    "month",
    "partner",
    "source",
    "rule",
    "rewards",
    "asset",
    "amount",
    "currency",
    "value_minor",
)
_FORMULA = ("=", "+", "-", "@")


def csv_of(local_month: int, parties: Sequence[MonthOfParty]) -> str:
    """The settlement as CSV (RFC 4180, UTF-8, CRLF): a row for each line; the operator is named
    OPERATOR. Amounts are whole numbers; what a spreadsheet would take for a formula has a quote
    before it."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(_HEADINGS)
    month = f"{local_month // 100:04}-{local_month % 100:02}"
    for party in parties:
        for line in party.lines:
            texts = (party.partner or "OPERATOR", line.source, line.rule)
            rows.writerow(
                [
                    month,
                    *(f"'{text}" if text.startswith(_FORMULA) else text for text in texts),
                    *(line.rewards, line.asset, line.amount, line.currency, line.value_minor),
                ]
            )
    return written.getvalue()


async def partners(now: Instant) -> Mapping[str, Partner]:
    """The partners of the coalition at the instant, by their keys."""
    live = (await definitions.shelves()).of(PARTNER.name).live(now)
    return {key: one.document for key, one in live.by_key.items()}
