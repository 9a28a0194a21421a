"""The billing provider over real sockets: what it is asked, and every way in which it may fail."""

from collections.abc import Iterator

import pytest

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.integrations.billing import (
    BillingUnavailable,
    Checkout,
    HttpBilling,
    NoBilling,
    NoProvider,
)
from server.integrations.billing_webhooks import (
    SignatureRejected,
    secret_of,
    signature,
    verified_id,
)
from tests.integrations.billing_server import SECRET, BillingServer, serving_billing

CHECKOUT = Checkout("17", "plus", "Plus", 499, "USD", "month", None, "2026-03-05T12:00:00+00:00")


@pytest.fixture
def provider() -> Iterator[BillingServer]:
    with serving_billing() as state:
        yield state


@pytest.fixture
def billing(provider: BillingServer) -> HttpBilling:
    return HttpBilling(provider.url + "/", SECRET)


async def test_a_checkout_says_what_is_to_be_paid_and_answers_where(
    billing: HttpBilling, provider: BillingServer
) -> None:
    for _ in range(2):  # the same key: the same checkout
        assert await billing.create_checkout(CHECKOUT, key="k") == f"{provider.url}/pay/17"
    assert provider.hits == 2
    assert provider.done == {
        "k": (
            "/checkouts",
            {
                "subscription": "17",
                "plan": "plus",
                "title": "Plus",
                "price_minor": 499,
                "currency": "USD",
                "interval": "month",
                "expires_at": "2026-03-05T12:00:00+00:00",
            },
        )
    }


async def test_cancelling_resuming_and_refunding_are_asked_for(
    billing: HttpBilling, provider: BillingServer
) -> None:
    await billing.cancel("17", at_once=False, key="a")
    await billing.resume("17", key="b")
    await billing.refund("17", "pay-1", amount_minor=499, currency="USD", key="c")
    assert list(provider.done.values()) == [
        ("/subscriptions/17/cancel", {"at_once": False}),
        ("/subscriptions/17/resume", {}),
        (
            "/refunds",
            {"subscription": "17", "payment": "pay-1", "amount_minor": 499, "currency": "USD"},
        ),
    ]


@pytest.mark.parametrize("status", [301, 400, 401, 409, 500, 503])
async def test_any_other_answer_means_that_it_was_not_done(
    billing: HttpBilling, provider: BillingServer, status: int
) -> None:
    provider.status = status
    with pytest.raises(BillingUnavailable) as failed:
        await billing.cancel("17", at_once=True, key="k")
    assert failed.value.reason == str(status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"url": 1}',
        b'{"url": "javascript:alert(1)"}',
        b'{"url": "https://pay.example.com/a b"}',
        b'{"url": "https://"}',
        b"[" * 90_000,
        b"x" * 100_001,
    ],
)
async def test_what_is_no_address_is_not_passed_on(
    billing: HttpBilling, provider: BillingServer, body: bytes
) -> None:
    provider.body = body
    with pytest.raises(BillingUnavailable) as failed:
        await billing.create_checkout(CHECKOUT, key="k")
    assert failed.value.reason == ("too large" if len(body) > 100_000 else "malformed")


async def test_a_provider_that_is_silent_or_gone_is_not_waited_for_long(
    provider: BillingServer,
) -> None:
    provider.answers.clear()
    with pytest.raises(BillingUnavailable) as silent:
        await HttpBilling(provider.url, SECRET, timeout_seconds=0.05).resume("17", key="k")
    assert silent.value.reason == "TimeoutError"
    with pytest.raises(BillingUnavailable) as gone:
        await HttpBilling("http://127.0.0.1:1", SECRET).resume("17", key="k")
    assert gone.value.reason == "ConnectError"


async def test_without_a_provider_nothing_can_be_paid_for() -> None:
    nobody = NoBilling()
    assert nobody.is_set is False
    for asked in (
        nobody.create_checkout(CHECKOUT, key="k"),
        nobody.cancel("17", at_once=True, key="k"),
        nobody.resume("17", key="k"),
        nobody.refund("17", "p", amount_minor=1, currency="USD", key="k"),
    ):
        with pytest.raises(NoProvider):
            await asked


# ---------------------------------------------------------------- signatures

BODY = b'{"test": 2432232314}'
ID, SECONDS = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
STATED = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW = Instant(SECONDS * MICROSECONDS_PER_SECOND)
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def headers(**changes: str) -> dict[str, str]:
    given = {"id": ID, "timestamp": str(SECONDS), "signature": GOOD, **changes}
    return {f"webhook-{name}": value for name, value in given.items()}


def test_the_example_of_the_specification_is_verified() -> None:
    assert signature(STATED, ID, SECONDS, BODY) == GOOD
    assert verified_id(headers(), BODY, secrets=[STATED], now=NOW) == ID


@pytest.mark.parametrize("given", [f"v1,AAAA {GOOD}", f"v2,x {GOOD} v1a,y", f"{GOOD} {GOOD}"])
def test_one_good_signature_among_several_is_enough(given: str) -> None:
    assert verified_id(headers(signature=given), BODY, secrets=[b"x" * 24, STATED], now=NOW) == ID


@pytest.mark.parametrize(
    ("changes", "body", "late_seconds"),
    [
        ({"signature": ""}, BODY, 0),
        ({"signature": GOOD.removeprefix("v1,")}, BODY, 0),
        ({"signature": GOOD.replace("v1", "v2")}, BODY, 0),
        ({"signature": GOOD[:-1]}, BODY, 0),
        ({"signature": "v1,"}, BODY, 0),
        ({"signature": "v1,ü€"}, BODY, 0),
        ({"signature": " ".join(["v1,AAAA"] * 20 + [GOOD])}, BODY, 0),
        ({"id": "msg_other"}, BODY, 0),
        ({"id": ""}, BODY, 0),
        ({"id": "x" * 121}, BODY, 0),
        ({"timestamp": str(SECONDS + 1)}, BODY, 0),
        ({"timestamp": f"0{SECONDS}"}, BODY, 0),
        ({"timestamp": "-1"}, BODY, 0),
        ({"timestamp": "now"}, BODY, 0),
        ({}, BODY + b" ", 0),
        ({}, BODY, 301),
        ({}, BODY, -301),
    ],
)
def test_what_is_not_signed_now_is_refused(
    changes: dict[str, str], body: bytes, late_seconds: int
) -> None:
    now = Instant(NOW + late_seconds * MICROSECONDS_PER_SECOND)
    with pytest.raises(SignatureRejected):
        verified_id(headers(**changes), body, secrets=[STATED], now=now)


def test_without_a_secret_or_with_another_nobody_is_believed() -> None:
    for secrets in ([], [b"x" * 24]):
        with pytest.raises(SignatureRejected):
            verified_id(headers(), BODY, secrets=secrets, now=NOW)


def test_a_message_counts_for_five_minutes_before_and_after() -> None:
    for seconds in (-300, 300):
        now = Instant(NOW + seconds * MICROSECONDS_PER_SECOND)
        assert verified_id(headers(), BODY, secrets=[STATED], now=now) == ID


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_????", "QUJD", "A" * 200])
def test_a_secret_has_24_to_64_bytes(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64 of 24 to 64 bytes") as refused:
        secret_of(text)
    assert text in {"", "whsec_"} or text not in str(refused.value)
