"""Where webhooks may go: public addresses alone, so that nobody makes the server call into the
operator's own network.

An address is looked at when it is stated, and again at every delivery: the host is looked up then,
each address that it has is checked, and the connection goes to one of those and nowhere else, so
that a name which leads elsewhere a moment later leads nowhere.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import msgspec

from server.errors import InvalidInput, phrase

MAXIMUM_URL_LENGTH: Final = 500
LOOKUP_SECONDS: Final = 3
"""How long the lookup may take while an address is stated; a delivery has its own time."""
LOOKUPS_AT_ONCE: Final = 64
"""More than there can be subscriptions."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?"
    r"|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!\x22$-~]*)?"
)
"""No user, no fragment, nothing that two parsers could read in two ways."""
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LOCAL_NAME = re.compile(r"(?:.*\.)?(?:localhost|local|internal|home\.arpa)", re.IGNORECASE)

_REFUSED_4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # unspecified, this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by a carrier's customers
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds tell secrets at 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
"""All that is public; unspecified, loopback, unique and link-local and multicast lie outside."""
_REFUSED_6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4, whose addresses have an IPv4 address in them
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses behind which an IPv4 address is reached, where only IPv6 is spoken."""

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], Awaitable[list[tuple[socket.AddressFamily, str]]]]
"""The addresses of a host."""


class Policy(msgspec.Struct, frozen=True):
    """What this server's operator lets webhooks do."""

    requires_https: bool = False
    allows_private: bool = False


_policy = Policy()


def use(policy: Policy) -> None:
    """From now on this is what counts."""
    global _policy  # noqa: PLW0603 - one process serves one operator
    _policy = policy


def policy() -> Policy:
    """What counts now."""
    return _policy


class PrivateAddress(OSError):
    """The host leads, or may lead, into a network that is not public."""


# ---------------------------------------------------------------- addresses


def is_public(text: str) -> bool:
    """Whether the text is an address that anybody can reach from anywhere."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    inside = address.ipv4_mapped
    if inside is None and address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inside is not None:
        return _is_public(inside)
    if address.scope_id is not None or address not in _GLOBAL_6:
        return False
    return not any(address in network for network in _REFUSED_6)


# ---------------------------------------------------------------- URLs


def host_of(url: str) -> str:
    """The host of a URL that webhooks may have, without brackets.

    Raises ValueError for any other URL, and PrivateAddress for an address in it that is refused;
    where a name leads is another question.
    """
    match = _URL.fullmatch(url) if len(url) <= MAXIMUM_URL_LENGTH else None
    if match is None or not 0 < int(match["port"] or 443) < 65_536:
        raise ValueError("a URL such as https://shop.example.com/webhooks")
    if _policy.requires_https and match["scheme"] != "https":
        raise ValueError("https:// is required")
    host = match["host"].strip("[]")
    if match["host"].startswith("["):
        _check_literal(host)
    elif _NUMERIC_LABEL.fullmatch(host.rsplit(".", 1)[-1]):
        _check_literal(host)  # `127.1`, `0x7f.1` and `2130706433` are addresses to some
    elif not _policy.allows_private and _LOCAL_NAME.fullmatch(host):
        raise PrivateAddress(host)
    return host


def _check_literal(text: str) -> None:
    address = ip_address(text)  # in no other form than the canonical one
    if not _policy.allows_private and not _is_public(address):
        raise PrivateAddress(text)


async def check(url: str, *, look_up: LookUp | None = None) -> None:
    """Raise InvalidInput for a URL that no webhook may go to.

    A host that can't be looked up now is taken: every delivery looks it up again.
    """
    try:
        host = host_of(url)
        async with asyncio.timeout(LOOKUP_SECONDS):
            await addresses_of(host, 443, look_up=look_up)
    except PrivateAddress:
        raise InvalidInput(
            "webhook.private",
            path=("url",),
            value=url,
            accepted=phrase("accepted.public_address"),
        ) from None
    except ValueError:
        raise InvalidInput(
            "webhook.url",
            path=("url",),
            value=url,
            accepted=phrase("accepted.https_url")
            if _policy.requires_https
            else phrase("accepted.http_url"),
        ) from None
    except (OSError, TimeoutError):
        return


async def addresses_of(
    host: str, port: int, *, look_up: LookUp | None = None
) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses that the host has now, all of which are allowed. Raises PrivateAddress if one
    of them is not, and OSError if there are none."""
    found = await (look_up or _look_up)(host, port)
    if not found:
        raise OSError("the host has no address")
    if not _policy.allows_private and not all(is_public(address) for _family, address in found):
        raise PrivateAddress(host)
    return found


async def _look_up(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """By the system's resolver, in threads of its own and one for each host: a name that is long in
    coming keeps neither other hosts waiting nor whatever else this process does in threads."""
    asked = (host, port)
    looking = _looking.get(asked)
    if looking is None:
        looking = _looking[asked] = _threads().submit(_asked, host, port)
        looking.add_done_callback(lambda _: _looking.pop(asked, None))
    try:
        # Who stops waiting does not stop the others'.
        found = await asyncio.shield(asyncio.wrap_future(looking))
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError("no such host") from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _asked(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


_looking: dict[tuple[str, int], Future[list[Any]]] = {}
"""The lookups under way."""


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="webhook-lookup")
