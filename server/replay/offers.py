"""Playing a programme's offers: their definitions, the recorded redemptions, and the results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from server.clock import Instant
from server.replay import campaigns, publishing
from server.replay import tables as campaign_tables
from server.replay.campaigns import Use
from server.replay.client import Client, instant_text
from server.replay.errors import ReplayStopped
from server.replay.operations import REDEEM_COUPONS, Answer
from server.replay.outputs import Row, number, write_rows
from server.replay.programme_file import ProgrammeFile
from server.replay.results import OFFERS, OfferFigures
from server.replay.tables import Tables

OFFERS_FILE = "offers.jsonl"
DEFINITIONS_FILE = "offers.json"
REFUSED = frozenset({"NotFound", "NotAllowed", "LimitReached"})
"""The problems of a redemption that does not count; all others stop the replay."""

Publish = Callable[[Path, Instant], None]
"""Publishes a file of definitions as of an instant."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Campaigns:
    """A programme's offers with their tables, and the households that are played."""

    programme: ProgrammeFile
    tables: Tables
    households: frozenset[str]


def found(
    programme: ProgrammeFile, folder: Path | None, households: frozenset[str], say: Say
) -> Campaigns | None:
    """The offers to play; None, and a line that says why, if there are none."""
    offers = programme.offers
    if not offers:
        if folder is not None:
            say("The programme has no offers; --offers is not used.")
        return None
    if folder is None and not campaign_tables.is_from(programme.data_package):
        say(
            f"The {len(offers)} offers of the programme are not played: their tables are those of "
            f"{programme.data_package}; give them with --offers FOLDER."
        )
        return None
    tables = campaign_tables.read(folder, campaigns.campaigns_of(offers))
    if tables is None:
        say(
            f"The {len(offers)} offers of the programme are not played: the package with their "
            "tables is not installed; give them with --offers FOLDER."
        )
        return None
    for line in campaigns.lacking(offers, tables):
        say(line)
    return Campaigns(programme, tables, households)


def play(
    client: Client,
    played: Campaigns,
    folder: Path,
    *,
    replay: str,
    publish: Publish | None,
    say: Say,
) -> bool:
    """Publishes the offers, redeems what was redeemed and writes the results; False, and a line
    that says why, for a server of somebody else's that has other offers.

    All of it may be done again: what is there already is not done twice.
    """
    programme = played.programme
    file = folder / DEFINITIONS_FILE
    publishing.write(
        file, campaigns.definitions_of(programme.offers, played.tables, played.households)
    )
    if publish is not None:
        publish(file, programme.starts_at)
    elif missing := _missing(client, programme):
        say(
            f"The server has no offer {missing}; its offers are not played. `python -m server "
            f"definitions import {file}` brings them there."
        )
        return False
    taken, refused = _redeem(client, played, replay=replay)
    say(f"Redeemed {taken:,} coupons; {refused:,} redemptions did not count.")
    figures = _figures(client, Instant(programme.ends_before - 1))
    write_rows(folder / OFFERS_FILE, [_row(offer.id, figures) for offer in programme.offers])
    return True


def _missing(client: Client, programme: ProgrammeFile) -> str | None:
    figures = _figures(client, programme.starts_at)
    return next(
        (one.id for one in programme.offers if campaigns.key_of(one.id) not in figures), None
    )


def _figures(client: Client, at: Instant) -> dict[str, OfferFigures]:
    insights = client.execute(OFFERS, b"{}", at=at, about="Offers").insights
    return {figures.offer_key: figures for figures in insights.offers}


def _row(offer_id: str, figures: dict[str, OfferFigures]) -> Row:
    """An offer's line."""
    one = figures.get(campaigns.key_of(offer_id))
    if one is None or one.targeted_members is None or one.conversion_rate is None:
        raise ReplayStopped(f"Offers: the server does not tell the figures of offer {offer_id}.")
    return {
        "offer_id": offer_id,
        "targeted_members": one.targeted_members,
        "redemptions": one.redemptions,
        "redeeming_members": one.redeeming_members,
        "coupons_redeemed": one.coupons_redeemed,
        "conversion_rate": number(one.conversion_rate),
    }


def _redeem(client: Client, played: Campaigns, *, replay: str) -> tuple[int, int]:
    """Redeems in the order of the dates; how many were taken, and how many refused."""
    programme = played.programme
    uses = campaigns.uses(
        programme.offers,
        played.tables,
        played.households,
        first=programme.first_date,
        last=programme.last_date,
        zone_name=programme.timezone,
    )
    taken = refused = 0
    for place, batch in enumerate(campaigns.batches(uses)):
        key = f"replay-{replay[:32]}-offers-{played.tables.digest[:16]}-{place}"
        answers = _send(client, batch, key)
        refused += sum(answer.is_problem for answer in answers)
        taken += sum(not answer.is_problem for answer in answers)
    return taken, refused


def _send(client: Client, batch: Sequence[Use], key: str) -> list[Answer]:
    redemptions = [
        {
            "member": {"externalId": use.household},
            "code": use.code,
            "occurredAt": instant_text(use.at),
        }
        for use in batch
    ]
    content = {"input": {"idempotencyKey": key, "redemptions": redemptions}}
    about = f"Coupons until {instant_text(batch[-1].at)}"
    answer = client.execute(
        REDEEM_COUPONS, msgspec.json.encode(content), at=batch[-1].at, about=about
    ).redeem_coupons
    if answer.is_problem:
        raise ReplayStopped(f"{about}: {answer.described()}")
    if answer.answers is None or len(answer.answers) != len(batch):
        raise ReplayStopped(f"{about}: the server did not answer each of {len(batch)} entries.")
    for use, one in zip(batch, answer.answers, strict=True):
        if one.is_problem and one.typename not in REFUSED:
            raise ReplayStopped(f"{about}, household {use.household}: {one.described()}")
    return answer.answers
