"""The kinds `reward` and `drop`: how their documents are held against themselves and the rest."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from urllib.parse import urlsplit

from server import clock
from server.catalogue.documents import (
    DropDocument,
    Fulfilment,
    PartnerReward,
    RewardDocument,
    Voucher,
    What,
)
from server.clock import NEVER, Instant, LocalDay
from server.definitions import service as definitions
from server.errors import Path
from server.money import BASIS_POINTS_PER_UNIT
from server.programme.document import Programme

_MAXIMUM_TEXTS = {"description": 2_000, "terms": 5_000}
_MAXIMUM_URL = 2_000


def moment(text: str, zone_name: str, *, is_end: bool = False) -> Instant:
    """The instant that a moment of a document is: a day is its start in the zone, or as an end the
    start of the next. Raises ValueError for a day that is in no calendar."""
    if "T" in text:
        return clock.instant_of(datetime.fromisoformat(text))
    day = clock.day_of(date.fromisoformat(text))
    return clock.start_of_day(LocalDay(day + 1) if is_end else day, zone_name)


def start_of(text: str | None, zone_name: str) -> Instant:
    """When something begins that begins at the moment; long ago for None."""
    return Instant(-NEVER) if text is None else moment(text, zone_name)


def end_of(text: str | None, zone_name: str) -> Instant:
    """When something ends that ends with the moment; never for None."""
    return NEVER if text is None else moment(text, zone_name, is_end=True)


# ---------------------------------------------------------------- what does not fit


def _wrong_moments(
    document: object, names: Iterable[str], zone_name: str
) -> Iterable[tuple[Path, str]]:
    for name in names:
        text = getattr(document, name)
        try:
            moment(text or "2000-01-01", zone_name)
        except (ValueError, OverflowError):
            yield (name,), "an instant with its zone, or a calendar date"


def _wrong_texts(document: RewardDocument) -> Iterable[tuple[Path, str]]:
    if document.default_language not in document.texts:
        yield ("default_language",), "one of the languages of `texts`"
    for language, text in document.texts.items():
        for name, maximum in _MAXIMUM_TEXTS.items():
            if len(getattr(text, name) or "") > maximum:
                yield ("texts", language, name), f"text of at most {maximum} characters"
    url = document.image_url
    if url is not None and not _is_picture(url):
        yield ("image_url",), f"an https URL of at most {_MAXIMUM_URL} characters"


def _is_picture(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(parts.hostname)
        and len(url) <= _MAXIMUM_URL
        and url.isascii()
        and url.isprintable()
        and " " not in url
    )


def _wrong_fulfilment(document: RewardDocument) -> Iterable[tuple[Path, str]]:
    if isinstance(document.what, Voucher) and document.fulfilment is not Fulfilment.INSTANT:
        yield ("fulfilment",), "instant, for a voucher"
    if document.price.money_minor and document.fulfilment is not Fulfilment.MANUAL:
        yield ("fulfilment",), "manual, for what costs money too"


def _unknown_tiers(
    names: Iterable[str], at: Path, programme: Programme, *, are_keys: bool = False
) -> Iterable[tuple[Path, str]]:
    known = [level.name for level in programme.tiers.levels]
    for place, name in enumerate(names):
        if name not in known:
            yield (*at, name if are_keys else place), f"a tier of the programme: {', '.join(known)}"


def _reward_misfits(
    document: RewardDocument, around: definitions.Surroundings
) -> definitions.Misfits:
    zone_name = around.programme.programme.timezone
    wrong = list(_wrong_moments(document, ("valid_from", "valid_to", "refund_until"), zone_name))
    yield from wrong
    if not wrong and start_of(document.valid_from, zone_name) >= end_of(
        document.valid_to, zone_name
    ):
        yield ("valid_to",), "a moment after `valid_from`"
    yield from _wrong_texts(document)
    yield from _wrong_fulfilment(document)
    yield from _unknown_tiers(document.audience.tiers, ("audience", "tiers"), around.programme)
    segments = around.shelves.of("segment").keys
    for place, key in enumerate(document.audience.segments):
        if key not in segments:
            yield ("audience", "segments", place), "the key of a segment that was published"
    yield from _wrong_partners(document, around.shelves.of("partner").keys)


def _wrong_partners(document: RewardDocument, known: Collection[str]) -> Iterable[tuple[Path, str]]:
    what = document.what
    if isinstance(what, PartnerReward) and what.partner not in known:
        yield ("what", "partner"), "the key of a partner that was published"
    if sum(one.share_bps for one in document.funding) > BASIS_POINTS_PER_UNIT:
        yield ("funding",), f"shares of at most {BASIS_POINTS_PER_UNIT} together"
    seen: set[str] = set()
    for place, one in enumerate(document.funding):
        if one.partner not in known:
            yield ("funding", place, "partner"), "the key of a partner that was published"
        elif one.partner in seen:
            yield ("funding", place, "partner"), "each partner once"
        seen.add(one.partner)


def _drop_misfits(document: DropDocument, around: definitions.Surroundings) -> definitions.Misfits:
    zone_name = around.programme.programme.timezone
    wrong = list(_wrong_moments(document, ("opens_at", "closes_at"), zone_name))
    yield from wrong
    if not wrong and moment(document.opens_at, zone_name) >= end_of(document.closes_at, zone_name):
        yield ("closes_at",), "a moment after `opens_at`"
    yield from _unknown_tiers(
        document.early_access, ("early_access",), around.programme, are_keys=True
    )
    if document.reward not in around.shelves.of("reward").keys:
        yield ("reward",), "the key of a reward that was published"


# ---------------------------------------------------------------- what it may cost


def _reward_budget(document: RewardDocument, programme: Programme) -> int | None:
    """What vouchers, and what partners are owed for, are worth beyond what the programme gives for
    their points anyway; everything else costs what the shop pays for it, which is not known here.
    """
    policy = programme.redemption_policy
    usual = document.price.points * policy.voucher_value_minor // policy.redeem_points
    extra = max(0, _stated_minor(document.what) - usual)
    if not extra:
        return 0
    return None if document.stock is None else min(extra * document.stock, 2**63 - 1)


def _stated_minor(what: What) -> int:
    if isinstance(what, Voucher):
        return what.value_minor
    return (what.cost_minor or 0) if isinstance(what, PartnerReward) else 0


REWARD = definitions.register(
    definitions.Kind(
        "reward",
        RewardDocument,
        misfits=_reward_misfits,
        budget=_reward_budget,
        after=("segment", "partner"),
        example={
            "what": {"kind": "voucher", "value_minor": 500},
            "default_language": "en",
            "texts": {"en": {"title": "A voucher for 5.00"}},
            "price": {"points": 1000},
            "categories": ["vouchers"],
            "stock": 500,
            "fulfilment": "instant",
        },
    )
)
DROP = definitions.register(
    definitions.Kind("drop", DropDocument, misfits=_drop_misfits, after=("reward",))
)
