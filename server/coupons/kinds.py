"""The kind `coupon`: what of its documents the type alone cannot say, and its codes in memory."""

from collections.abc import Iterator

from msgspec import Struct

from server.coupons.codes import normalised
from server.coupons.documents import CouponTerms, Shared, SharedCode
from server.definitions import service as definitions
from server.definitions.service import Live, Misfits, Surroundings


def _misfits(document: CouponTerms, around: Surroundings) -> Misfits:
    offers = around.shelves.of("offer")
    offer = offers.live(around.now).by_key.get(document.offer)
    if offer is None:
        yield ("offer",), "the key of an offer that is published"
    elif not offer.document.needs_coupon:
        yield ("offer",), "the key of an offer that needs a coupon"
    first, last = document.valid_from, document.valid_to
    if first is not None and last is not None and last < first:
        yield ("valid_to",), f"a date from {first} on"
    if isinstance(document.codes, Shared):
        yield from _code_misfits(document.codes, around)


def _code_misfits(shared: Shared, around: Surroundings) -> Misfits:
    taken = {
        code: f"a code that {key} does not have"
        for key, other in _others(around)
        if isinstance(other.codes, Shared)
        for code in map(_normal, other.codes.codes)
    }
    for place, code in enumerate(map(_normal, shared.codes)):
        if not code:
            yield ("codes", "codes", place, "code"), "text with a letter or a digit"
        elif code in taken:
            yield ("codes", "codes", place, "code"), taken[code]
        else:
            taken[code] = "each code once, whatever its case and punctuation"


def _normal(code: SharedCode) -> str:
    return normalised(code.code)


def _others(around: Surroundings) -> Iterator[tuple[str, CouponTerms]]:
    """The other coupons that are live then, or are to be."""
    shelf = around.shelves.of("coupon")
    for key in shelf.keys:
        for version in (shelf.versions(key)[-1], shelf.at(key, around.now)):
            if key != around.key and version is not None and version.document is not None:
                yield key, version.document


COUPON = definitions.register(
    definitions.Kind("coupon", CouponTerms, misfits=_misfits, after=("offer",))
)


class Known(Struct, frozen=True):
    """A shared code of a live coupon."""

    coupon: str
    terms: CouponTerms
    products: frozenset[str] | None


def shared_codes(live: Live) -> dict[str, Known]:
    """The shared codes of all live coupons, as they are compared; for `definitions.derived`."""
    known: dict[str, Known] = {}
    for key, published in live.by_key.items():
        terms: CouponTerms = published.document
        if isinstance(terms.codes, Shared):
            for one in terms.codes.codes:
                products = frozenset(one.products) or None
                known.setdefault(normalised(one.code), Known(key, terms, products))
    return known
