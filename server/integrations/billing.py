"""Billing: who takes the money for membership plans. This server never sees a card.

The provider charges by itself, at the start and for each period; it tells what happened by
webhooks (`billing_webhooks`). What it is asked is the protocol below: JSON over HTTPS, with
`Authorization: Bearer <secret>` and an `Idempotency-Key`, so that asking again changes nothing.

    POST {url}/checkouts
        {"subscription", "plan", "title", "price_minor", "currency", "interval", "first_charge_at",
        "expires_at"}
        -> 200 {"url"}: where the member enters how to pay
    POST {url}/subscriptions/{subscription}/cancel   {"at_once"}   -> 2xx: charge no more
    POST {url}/subscriptions/{subscription}/resume   {}            -> 2xx: charge again
    POST {url}/refunds  {"subscription", "payment", "amount_minor", "currency"}  -> 2xx

Answers other than these mean that it was not done; a provider of another protocol needs a small
adapter in front of it.
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from ssl import SSLContext
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

BILLING_SECONDS: Final = 8
"""How long the provider is waited for, all in all."""
RETRY_SECONDS: Final = 5
MAXIMUM_BYTES: Final = 100_000
MAXIMUM_URL: Final = 2_000


class BillingUnavailable(Exception):
    """The provider did not do it, or has not said so; asking again is safe. `reason` is a code or
    a word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoProvider(Exception):
    """No provider is set."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is to be paid for: `interval` is month or year, instants are ISO 8601 in UTC."""

    subscription: str
    plan: str
    title: str
    price_minor: int
    currency: str
    interval: str
    first_charge_at: str | None  # None: at once
    expires_at: str | None


class BillingProvider(Protocol):
    """Who takes the money. All verbs raise BillingUnavailable and NoProvider; with one key they are
    done once."""

    @property
    def is_set(self) -> bool:
        """Whether there is a provider at all."""
        ...

    async def create_checkout(self, checkout: Checkout, *, key: str) -> str:
        """Where the member enters how to pay: a URL."""
        ...

    async def cancel(self, subscription: str, *, at_once: bool, key: str) -> None:
        """Charge no more."""
        ...

    async def resume(self, subscription: str, *, key: str) -> None:
        """Charge again, as before it was cancelled."""
        ...

    async def refund(
        self, subscription: str, payment: str, *, amount_minor: int, currency: str, key: str
    ) -> None:
        """Give money back."""
        ...


class NoBilling:
    """Where no provider is set: nothing can be paid for."""

    is_set = False

    async def create_checkout(self, checkout: Checkout, *, key: str) -> str:
        """Raises NoProvider."""
        raise NoProvider

    async def cancel(self, subscription: str, *, at_once: bool, key: str) -> None:
        """Raises NoProvider."""
        raise NoProvider

    async def resume(self, subscription: str, *, key: str) -> None:
        """Raises NoProvider."""
        raise NoProvider

    async def refund(
        self, subscription: str, payment: str, *, amount_minor: int, currency: str, key: str
    ) -> None:
        """Raises NoProvider."""
        raise NoProvider


class HttpBilling:
    """A provider that speaks the protocol above."""

    is_set = True

    def __init__(self, url: str, secret: str, *, timeout_seconds: float = BILLING_SECONDS) -> None:
        """Nothing is asked yet."""
        self._url = url.rstrip("/")
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._tls: SSLContext | None = None

    async def create_checkout(self, checkout: Checkout, *, key: str) -> str:
        """Where the member enters how to pay."""
        body = {name: value for name, value in asdict(checkout).items() if value is not None}
        answer = await self._post("/checkouts", body, key)
        try:
            url = json.loads(answer)["url"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BillingUnavailable("malformed") from None
        if not isinstance(url, str) or not _is_address(url):
            raise BillingUnavailable("malformed")
        return url

    async def cancel(self, subscription: str, *, at_once: bool, key: str) -> None:
        """Charge no more."""
        path = f"/subscriptions/{quote(subscription, safe='')}/cancel"
        await self._post(path, {"at_once": at_once}, key)

    async def resume(self, subscription: str, *, key: str) -> None:
        """Charge again."""
        await self._post(f"/subscriptions/{quote(subscription, safe='')}/resume", {}, key)

    async def refund(
        self, subscription: str, payment: str, *, amount_minor: int, currency: str, key: str
    ) -> None:
        """Give money back."""
        body = {
            "subscription": subscription,
            "payment": payment,
            "amount_minor": amount_minor,
            "currency": currency,
        }
        await self._post("/refunds", body, key)

    async def _post(self, path: str, body: dict[str, Any], key: str) -> bytes:
        """What the provider answers to it. Raises BillingUnavailable."""
        import httpx2  # noqa: PLC0415 - slow to load

        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        headers = {"Authorization": f"Bearer {self._secret}", "Idempotency-Key": key}
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                httpx2.AsyncClient(verify=self._tls, follow_redirects=False) as client,
                client.stream("POST", self._url + path, json=body, headers=headers) as response,
            ):
                if not response.is_success:
                    raise BillingUnavailable(str(response.status_code))
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MAXIMUM_BYTES:
                        raise BillingUnavailable("too large")
                return bytes(data)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            # Their own words may hold the address.
            raise BillingUnavailable(type(error).__name__) from None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return (
        parts.scheme in ("https", "http")
        and bool(parts.hostname)
        and (is_plain and len(url) <= MAXIMUM_URL)
    )


# ---------------------------------------------------------------- which one is in use

_in_use: BillingProvider = NoBilling()


def use(provider: BillingProvider) -> None:
    """From now on this process asks this provider; the composition root decides which."""
    global _in_use  # noqa: PLW0603 - the one place that holds it
    _in_use = provider


def provider() -> BillingProvider:
    """The provider that this process asks."""
    return _in_use
