"""Why an offer does not apply, and what is not as it was quoted, in words."""

from dataclasses import dataclass

from server import messages
from server.baskets.shapes import Difference, DifferenceKind
from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.messages.formatting import shown_instant, shown_money
from server.offers.documents import Goods, Offer
from server.offers.evaluation import NotApplied, WhyNot
from server.offers.uses import KIND

_MINOR = frozenset(
    {
        DifferenceKind.PRICE,
        DifferenceKind.COUPON,
        DifferenceKind.SHIPPING,
        DifferenceKind.DISCOUNT,
        DifferenceKind.OFFER_DISCOUNT,
        DifferenceKind.OFFER_CASHBACK,
        DifferenceKind.OFFER_SHIPPING,
        DifferenceKind.CASHBACK,
    }
)
"""The differences whose amounts are money."""
_MOST_NAMES = 3
"""So many products or departments are named; of more, "and others" says that there are."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a caller is told things."""

    language: str
    currency: str
    digits: int
    zone_name: str
    offers: Shelf | None = None  # what was known last, without it

    def title(self, offer: str, version: int | None) -> str:
        """What an offer is called, as `title_of` says."""
        shelf = definitions.remembered().of(KIND) if self.offers is None else self.offers
        return _title(shelf, offer, version, self.language)

    def why_not(self, one: NotApplied) -> str:
        """Why an offer does not apply, and what is missing."""
        key = f"quote.why.{one.reason.value}"
        if one.reason is WhyNot.SPEND_TOO_LOW:
            return self._short(key, self._money(one.shortfall_minor or 0), one.shortfall_of)
        if one.reason is WhyNot.QUANTITY_TOO_LOW:
            return self._short(key, str(one.shortfall_quantity or 0), one.shortfall_of)
        if one.reason is WhyNot.NOT_STARTED and one.available_at is not None:
            at = shown_instant(one.available_at, zone_name=self.zone_name, language=self.language)
            return messages.text(f"{key}_until", self.language, at=at)
        return messages.text(key, self.language)

    def _short(self, key: str, amount: str, of: Goods | None) -> str:
        names = _names(of)
        if not names:
            return messages.text(f"{key}_of_all", self.language, amount=amount)
        goods = ", ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            goods = messages.text("quote.and_others", self.language, goods=goods)
        return messages.text(key, self.language, amount=amount, goods=goods)

    def difference(self, one: Difference) -> str:
        """What is not as it was quoted."""
        facts: dict[str, str | int] = {}
        if one.line is not None:
            facts["line"] = one.line + 1
        if one.offer is not None:
            facts["offer"] = title_of(one.offer, None, self.language)
        if one.kind is DifferenceKind.TIER or one.kind is DifferenceKind.PLACE:
            facts |= {"quoted": one.quoted_text or "", "now": one.now_text or ""}
        elif one.quoted is not None and one.now is not None and one.why_not is None:
            facts |= {"quoted": self._amount(one, one.quoted), "now": self._amount(one, one.now)}
        return messages.text(f"quote.changed.{one.kind.value}", self.language, **facts)

    def _amount(self, one: Difference, amount: int) -> str:
        return self._money(amount) if one.kind in _MINOR else str(amount)

    def _money(self, amount_minor: int) -> str:
        return shown_money(amount_minor, self.currency, digits=self.digits, language=self.language)


def _names(of: Goods | None) -> tuple[str, ...]:
    """The goods in the words of the data: the widest list that is stated."""
    if of is None:
        return ()
    return of.departments or of.product_categories or of.product_types or of.brands or of.products


def title_of(offer: str, version: int | None, language: str) -> str:
    """What an offer is called in the language, or in the nearest that it has: in the language
    without its region, or else in the offer's own; its key, where it is not known."""
    return _title(definitions.remembered().of(KIND), offer, version, language)


def _title(shelf: Shelf, offer: str, version: int | None, language: str) -> str:
    found = shelf.versions(offer)
    stated = [one for one in found if one.document is not None]
    if not stated:
        return offer
    document: Offer = max(stated, key=lambda one: (one.version == version, one.version)).document
    texts = document.texts
    for tag in (language, language.partition("-")[0], document.default_language):
        if tag in texts:
            return str(texts[tag].title)
    return offer
