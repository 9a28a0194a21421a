"""Webhooks go to public addresses alone, however one is written and wherever a name leads."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.webhooks import guarding
from server.webhooks.guarding import LookUp, Policy, PrivateAddress
from server.webhooks.sending import http_sender
from tests.api.calling import NOW
from tests.webhooks.receiver import receiving


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    before = guarding.policy()
    guarding.use(Policy())
    yield
    guarding.use(before)


PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1"),  # noqa: S104
    "100.127.255.255",
    *("127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.0.1", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"),
    *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1"),
    *("2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1"),
    *("2002:808:808::1", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0"),
    *("fec0::1", "ff02::1", "ff0e::1", "4000::1"),
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not guarding.is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_taken(address: str) -> None:
    assert guarding.is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_or_translated_address_is_what_is_inside(address: object) -> None:
    inside = guarding.is_public(str(address))
    assert guarding.is_public(f"::ffff:{address}") == inside
    assert guarding.is_public(f"64:ff9b::{address}") == inside


def leading_to(*answers: tuple[str, ...]) -> LookUp:
    """A resolver that answers one after the other, and the last one from then on."""
    left = list(answers)

    async def look_up(_host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in found]

    return look_up


async def _reason(url: str, look_up: LookUp | None = None) -> str | None:
    try:
        await guarding.check(url, look_up=look_up)
    except InvalidInput as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://8.8.8.8/hooks", None),
        ("https://[2606:4700::1111]:8443/hooks?x=1", None),
        ("https://127.0.0.1/", "webhook.private"),
        ("https://[::1]/", "webhook.private"),
        ("https://[::ffff:127.0.0.1]/", "webhook.private"),
        ("https://169.254.169.254/latest/meta-data/", "webhook.private"),
        ("https://localhost/", "webhook.private"),
        ("https://app.localhost/", "webhook.private"),
        ("https://metadata.google.internal/", "webhook.private"),
        ("https://printer.local/", "webhook.private"),
        ("https://127.1/", "webhook.url"),
        ("https://2130706433/", "webhook.url"),
        ("https://0x7f000001/", "webhook.url"),
        ("https://0x7f.0.0.1/", "webhook.url"),
        ("https://0177.0.0.1/", "webhook.url"),
        ("https://127.0.0.1./", "webhook.url"),
        ("https://010.8.8.8/", "webhook.url"),
        ("https://[fe80::1%25eth0]/", "webhook.url"),
        ("https://[::]:99999/", "webhook.url"),
        ("https://user:pass@8.8.8.8/", "webhook.url"),
        ("https://8.8.8.8@127.0.0.1/", "webhook.url"),
        ("https://8.8.8.8\\@127.0.0.1/", "webhook.url"),
        ("https://8.8.8.8#@127.0.0.1/", "webhook.url"),
        ("https://8.8.8.8/hooks#here", "webhook.url"),
        ("https://１２７.0.0.1/", "webhook.url"),
        ("https://8.8.8.8:0/", "webhook.url"),
        ("https://8.8.8.8/\r\nX: y", "webhook.url"),
        ("https:///x", "webhook.url"),
        ("ftp://8.8.8.8/", "webhook.url"),
        ("file:///etc/passwd", "webhook.url"),
        ("", "webhook.url"),
        ("https://8.8.8.8/" + "x" * 500, "webhook.url"),
    ],
)
async def test_what_a_url_may_be(url: str, reason: str | None) -> None:
    assert await _reason(url) == reason


async def test_every_address_of_a_name_has_to_be_public() -> None:
    url = "https://shop.example.com/"
    assert await _reason(url, leading_to(("8.8.8.8", "2606:4700::1111"))) is None
    assert await _reason(url, leading_to(("8.8.8.8", "10.0.0.1"))) == "webhook.private"
    assert await _reason(url, leading_to(("::ffff:10.0.0.1",))) == "webhook.private"


async def test_a_name_that_can_not_be_looked_up_now_is_taken() -> None:
    async def failing(_host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    assert await _reason("https://shop.example.com/", failing) is None


async def test_https_is_required_in_production_and_private_addresses_only_where_allowed() -> None:
    assert await _reason("http://8.8.8.8/") is None
    guarding.use(Policy(requires_https=True))
    assert await _reason("http://8.8.8.8/") == "webhook.url"
    assert await _reason("https://8.8.8.8/") is None
    guarding.use(Policy(requires_https=True, allows_private=True))
    assert await _reason("https://10.0.0.1/") is None
    assert await _reason("http://10.0.0.1/") == "webhook.url"


async def _attempt(url: str, look_up: LookUp | None = None) -> str | None:
    async with http_sender(look_up=look_up, timeout_seconds=5) as sender:
        return (await sender.send(url, {"webhook-id": "x"}, "{}", NOW)).error


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", "[::]"],  # noqa: S104
)
async def test_no_delivery_goes_to_this_machine(host: str) -> None:
    async with receiving() as shop:
        guarding.use(Policy())
        assert await _attempt(f"http://{host}:{shop.port}/") == "private address"
        assert shop.requests == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
async def test_addresses_in_other_words_lead_nowhere(host: str) -> None:
    async with receiving() as shop:
        guarding.use(Policy())
        assert await _attempt(f"http://{host}:{shop.port}/") == "refused URL"
        assert shop.requests == []


async def test_a_name_that_leads_elsewhere_later_is_refused_then() -> None:
    async with receiving() as shop:
        guarding.use(Policy())
        url = f"http://shop.example.com:{shop.port}/"
        look_up = leading_to(("8.8.8.8",), ("127.0.0.1",))
        assert await _reason(url, look_up) is None
        assert await _attempt(url, look_up) == "private address"
        assert shop.requests == []


async def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is looked up once for an attempt: what it leads to afterwards changes nothing."""
    connected: list[str] = []
    real = asyncio.get_running_loop().sock_connect

    async def connect(sock: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        await real(sock, ("127.0.0.1", address[1]))

    async with receiving() as shop:
        guarding.use(Policy())
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
        look_up = leading_to(("93.184.215.14",), ("127.0.0.1",))
        assert await _attempt(f"http://shop.example.com:{shop.port}/", look_up) is None
        assert connected == ["93.184.215.14"]
        (got,) = shop.requests
        assert got.headers["host"] == f"shop.example.com:{shop.port}"


async def test_a_name_that_is_long_in_coming_keeps_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    may_end = threading.Event()

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host.startswith("slow"):
            may_end.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    slow = [
        asyncio.create_task(guarding.addresses_of(f"slow{number % 40}.example.com", 443))
        for number in range(80)
    ]
    try:
        async with asyncio.timeout(30):
            found = await guarding.addresses_of("shop.example.com", 443)
            assert found == [(socket.AF_INET, "8.8.8.8")]
            await asyncio.to_thread(asked.append, "any other work")
        slow[0].cancel()  # who stops waiting does not stop who asked for the same
    finally:
        may_end.set()
    answers = await asyncio.gather(*slow, return_exceptions=True)
    assert answers[1:] == [[(socket.AF_INET, "8.8.8.8")]] * 79
    assert len(asked) == len(set(asked)) == 42


async def test_a_refused_lookup_is_an_error_of_its_own() -> None:
    with pytest.raises(PrivateAddress):
        await guarding.addresses_of("x", 1, look_up=leading_to(("10.0.0.1",)))
    with pytest.raises(OSError, match="no address"):
        await guarding.addresses_of("x", 1, look_up=leading_to(()))
