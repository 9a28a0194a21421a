"""The replay's offers: their definitions, the redemptions that count, and the line of each."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.coupons.redeeming import CouponRedeemed, Wish, redeem_many
from server.insights import offers as insights
from server.programme.rules import checked_data
from server.replay import campaigns, publishing, tables
from server.replay.errors import ReplayStopped
from tests.api.calling import enrolled
from tests.playing import publish, undone
from tests.reference import compare
from tests.reference.programme_reference import offer_rows
from tests.replay.fake_laurel import FakeLaurel
from tests.replay.helpers import (
    Json,
    basket,
    options_for,
    read_jsonl,
    run_silently,
    write_jsonl,
    write_programme,
)
from tests.replay.offers_data import (
    DAYS,
    day,
    good_for,
    offer,
    offers,
    programme,
    targeted,
    used,
    write_tables,
)
from tests.replay.offers_data import tables as any_tables
from tests.replay.real_server import finished, needs_command_line, words_for

ZONE = "America/New_York"
HOUSEHOLDS = (1, 2, 3)
AT = clock.start_of_day(clock.day_of(day(0)), ZONE)
END = Instant(clock.start_of_day(clock.day_of(day(DAYS)), ZONE) - 1)
NO_ROWS: dict[str, list[Json]] = {"campaigns": [], "coupons": [], "coupon_redemptions": []}


# ---------------------------------------------------------------- definitions


def test_the_key_of_an_offer_is_its_id_where_that_can_be_one() -> None:
    assert campaigns.key_of("offer-08") == "offer-08"
    assert campaigns.key_of("Offer Nº 8") != campaigns.key_of("Offer Nº 9")
    assert len(campaigns.key_of("x" * 200)) == len("offer-") + 16


def test_a_coupon_has_a_code_of_its_own_in_each_offer() -> None:
    some = [offer("a", 8, 0, 1), offer("b", 13, 0, 1), offer("c", 8, 0, 1)]
    known = checked_data(programme(some)).programme.offers
    assert [campaigns.code_of(known, place, "51") for place in range(3)] == [
        "C8-U51",
        "C13-U51",
        "C8-U51-N2",
    ]


def test_an_offer_becomes_a_segment_an_offer_and_its_coupons(tmp_path: Path) -> None:
    given = {
        "campaigns": [targeted(8, 1), targeted(8, 10), targeted(8, 2), targeted(13, 1)],
        "coupons": [good_for(8, 51, 7), good_for(8, 51, 6), good_for(8, 51, 7), good_for(13, 5, 1)],
        "coupon_redemptions": [],
    }
    known = checked_data(programme([offer("offer-08", 8, 0, 4, issued=2)])).programme.offers
    found = tables.read(write_tables(tmp_path / "t", given), campaigns.campaigns_of(known))
    assert found is not None
    segment, spring, coupon = campaigns.definitions_of(known, found, frozenset({"10", "2", "3"}))
    assert segment["document"]["members"] == {"kind": "list", "external_ids": ["2", "10"]}
    assert spring["document"]["schedule"] == {"starts_on": "2017-01-01", "ends_on": "2017-01-05"}
    assert spring["document"]["audience"] == {"segments": ["offer-08"]}
    assert coupon["document"] == {
        "offer": "offer-08",
        "codes": {"kind": "shared", "codes": [{"code": "C8-U51", "products": ["6", "7"]}]},
        "per_member_per_day": 1,
    }
    assert {one["key"] for one in (segment, spring, coupon)} == {"offer-08"}


@pytest.mark.parametrize(
    "row", ["{}", "nonsense", '{"campaign_id": 8, "household_id": "x"}', '{"campaign_id": 8.5}']
)
def test_a_table_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, row: str) -> None:
    folder = write_tables(tmp_path / "t", NO_ROWS)
    (folder / "campaigns.jsonl").write_text(f"\n{row}\n")
    with pytest.raises(ReplayStopped, match=r"campaigns\.jsonl:2: not a row with campaign_id"):
        tables.read(folder, frozenset({8}))


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayStopped, match=r"campaigns\.jsonl cannot be read"):
        tables.read(tmp_path, frozenset({8}))


# ---------------------------------------------------------------- which redemptions count


async def played(document: Json, found: tables.Tables, folder: Path) -> list[Json]:
    """The offers' lines after everything was redeemed through the services."""
    known = checked_data(document).programme.offers
    everybody = frozenset(map(str, HOUSEHOLDS))
    file = folder / "offers.json"
    publishing.write(file, campaigns.definitions_of(known, found, everybody))
    await publishing.publish(file=str(file), at=AT)
    uses = campaigns.uses(known, found, everybody, first=day(0), last=day(DAYS - 1), zone_name=ZONE)
    for batch in campaigns.batches(uses, size=7):
        wishes = [
            Wish(MemberReference(external_id=one.household), one.code, one.at) for one in batch
        ]
        answers = await redeem_many(wishes, now=batch[-1].at)
        assert all(
            isinstance(one, CouponRedeemed) or one.reason.startswith(("coupon.not", "coupon.limit"))
            for one in answers
        )
    figures = {one.offer: one for one in await insights.offers(END)}
    return [_line(one.id, figures[campaigns.key_of(one.id)]) for one in known]


def _line(offer_id: str, figures: Any) -> Json:
    plain = msgspec.structs.asdict(figures)
    del plain["offer"]
    return {"offer_id": offer_id, **plain}


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given_offers=offers(), rows=any_tables(HOUSEHOLDS))
async def test_any_offers_and_tables_end_as_the_rules_say(
    database: object,
    tmp_path_factory: pytest.TempPathFactory,
    given_offers: list[Json],
    rows: dict[str, list[Json]],
) -> None:
    document = programme(given_offers)
    folder = tmp_path_factory.mktemp("offers")
    known = checked_data(document).programme.offers
    found = tables.read(write_tables(folder / "t", rows), campaigns.campaigns_of(known))
    assert found is not None
    async with undone():
        await publish(document)
        for household in HOUSEHOLDS:
            await enrolled(str(household), at=AT)
        lines = await played(document, found, folder)
    assert compare.differences("offers.jsonl", offer_rows(document, rows), lines) == []


# ---------------------------------------------------------------- whole replays

ROWS = {
    "campaigns": [targeted(8, 1), targeted(8, 2), targeted(8, 77)],
    "coupons": [good_for(8, 51, 7), good_for(8, 52, 7)],
    "coupon_redemptions": [
        used(8, 1, 51, 2),
        used(8, 1, 51, 2),  # twice on a day
        used(8, 1, 52, 3),  # which were issued is not known
        used(8, 2, 52, 4),
        used(8, 2, 51, 9),  # too late
        used(8, 3, 51, 4),  # not targeted
        used(8, 77, 51, 4),  # not played
    ],
}
LINE = {
    "offer_id": "offer-08",
    "targeted_members": 2,
    "redemptions": 3,
    "redeeming_members": 2,
    "coupons_redeemed": 2,
    "conversion_rate": 1.0,
}
BASKETS = [basket(one, f"2017-01-02T1{one}:00:00Z", household=str(one)) for one in (1, 2, 3)]


@needs_command_line
def test_a_replay_with_offers_writes_a_line_for_each(
    tmp_path: Path, replay_database: str | None
) -> None:
    words = words_for(
        write_programme(tmp_path / "p.yaml", programme([offer("offer-08", 8, 0, 6, issued=1)])),
        write_jsonl(tmp_path / "baskets.jsonl", BASKETS),
        tmp_path / "out",
        database=replay_database,
    )
    words += ["--offers", str(write_tables(tmp_path / "t", ROWS))]
    result = finished(words)
    assert result.returncode == 0, result.stderr
    assert "Redeemed 3 coupons; 2 redemptions did not count." in result.stdout
    assert read_jsonl(tmp_path / "out" / "offers.jsonl") == [LINE]
    assert '"conversion_rate":1.0000000000' in (tmp_path / "out" / "offers.jsonl").read_text()


@pytest.mark.usefixtures("short_patience", "reliable_power")
@pytest.mark.parametrize(
    ("some", "changes", "said"),
    [
        ([], {}, None),
        ([offer("o", 8, 0, 6)], {"package": "other"}, "their tables are those of other"),
        ([offer("o", 8, 0, 6)], {}, "The server has no offer o; its offers are not played."),
    ],
    ids=["none", "another package", "another server"],
)
def test_why_offers_are_not_played_is_told(
    tmp_path: Path, some: list[Json], changes: Json, said: str | None
) -> None:
    document = programme(some)
    document["data_source"] = {**document["data_source"], **changes}
    with FakeLaurel(document).running() as laurel:
        options = options_for(tmp_path, document, BASKETS, url=laurel.url)
        folder = None if changes else write_tables(tmp_path / "t", ROWS)
        code, told = run_silently(options, offers=folder)
    assert code == 0, told
    assert (said or "The programme has no offers; --offers is not used.") in told
    assert not (tmp_path / "out" / "offers.jsonl").exists()


def test_what_the_tables_lack_is_told_by_offer() -> None:
    known = checked_data(programme([offer("o", 8, 0, 6)])).programme.offers
    assert list(campaigns.lacking(known, tables.Tables())) == [
        "Offer o: the tables have no members of campaign 8.",
        "Offer o: the tables have no coupons of campaign 8.",
    ]
