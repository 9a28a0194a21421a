"""Offers in people's languages: their texts with a fallback, and what they give as a sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from server import messages
from server.messages.formatting import shown_money, shown_multiple, shown_share
from server.offers.documents import (
    Amount,
    BonusPoints,
    BuyGet,
    Cashback,
    Discount,
    FixedPrice,
    FreeShipping,
    Gift,
    Offer,
    Percent,
    PointsMultiplier,
    Text,
    Till,
)

WHOLE_BPS = 10_000


def text_of(offer: Offer, *languages: str | None) -> tuple[str, Text]:
    """The offer's text in the first of the languages that it has, with the language's tag.

    Each is looked up with ever fewer subtags ("zh-Hant-TW", "zh-Hant", "zh"), in any case; the
    offer's default language comes last.
    """
    by_tag = {tag.lower(): tag for tag in offer.texts}
    for language in languages:
        subtags = (language or "").lower().split("-")
        while subtags:
            tag = by_tag.get("-".join(subtags))
            if tag is not None:
                return tag, offer.texts[tag]
            subtags.pop()
    return offer.default_language, offer.texts[offer.default_language]


class Wording:
    """Says what offers give, in a language, with money of a currency."""

    def __init__(self, language: str, *, currency: str, digits: int) -> None:
        self.language = language
        self._currency, self._digits = currency, digits

    def sentence(self, discount: Discount) -> str:
        """What the discount gives."""
        return _SENTENCES[type(discount)](self, discount)

    def _said(self, key: str, **facts: str | int) -> str:
        return messages.text(f"offer.discount.{key}", self.language, **facts)

    def _money(self, amount_minor: int) -> str:
        return shown_money(
            amount_minor, self._currency, digits=self._digits, language=self.language
        )

    def _share(self, rate_bps: int) -> str:
        return shown_share(rate_bps, self.language)

    def _at_most(self, key: str, rate_bps: int, maximum_minor: int | None) -> str:
        if maximum_minor is None:
            return self._said(key, share=self._share(rate_bps))
        amount = self._money(maximum_minor)
        return self._said(f"{key}_at_most", share=self._share(rate_bps), amount=amount)

    def _percent(self, given: Percent) -> str:
        return self._at_most("percent", given.rate_bps, given.maximum_minor)

    def _amount(self, given: Amount) -> str:
        key = "amount" if given.per == "basket" else "amount_each"
        return self._said(key, amount=self._money(given.amount_minor))

    def _fixed_price(self, given: FixedPrice) -> str:
        return self._said("fixed_price", amount=self._money(given.price_minor))

    def _buy_get(self, given: BuyGet) -> str:
        buy, get = str(given.buy), str(given.get)
        if given.rate_bps == WHOLE_BPS:
            return self._said("buy_get_free", buy=buy, get=get)
        return self._said("buy_get_less", buy=buy, get=get, share=self._share(given.rate_bps))

    def _free_shipping(self, given: FreeShipping) -> str:
        if given.maximum_minor is None:
            return self._said("free_shipping")
        return self._said("shipping_at_most", amount=self._money(given.maximum_minor))

    def _bonus_points(self, given: BonusPoints) -> str:
        return self._said("bonus_points", points=given.points)

    def _points_multiplier(self, given: PointsMultiplier) -> str:
        return self._said("points_multiplier", times=shown_multiple(given.percent, self.language))

    def _cashback(self, given: Cashback) -> str:
        return self._at_most("cashback", given.rate_bps, given.maximum_minor)

    def _gift(self, given: Gift) -> str:
        return self._said("gift", quantity=str(given.quantity), name=given.name)

    def _till(self, _given: Till) -> str:
        return self._said("till")


_SENTENCES: Mapping[type, Callable[[Wording, Any], str]] = {
    Percent: Wording._percent,
    Amount: Wording._amount,
    FixedPrice: Wording._fixed_price,
    BuyGet: Wording._buy_get,
    FreeShipping: Wording._free_shipping,
    BonusPoints: Wording._bonus_points,
    PointsMultiplier: Wording._points_multiplier,
    Cashback: Wording._cashback,
    Gift: Wording._gift,
    Till: Wording._till,
}
