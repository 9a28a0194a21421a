"""Whose address a request comes from, as limits count it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from starlette.types import Scope

UNKNOWN = "unknown"
"""Of all whose address can't be told; they share their limits."""
_LONGEST = 64
"""More than an address takes; what is longer, a proxy's word, is none, and not remembered."""
_SUBSCRIBER_BITS = 64
"""Who has one IPv6 address has at least so many bits of them."""


def limited_address(scope: Scope | dict[str, Any]) -> str:
    """The client's address for limits: an IPv4 address, or an IPv6 network of 64 bits."""
    client = scope.get("client")
    if not client:
        return UNKNOWN
    named = client[0]
    return _limited(named) if len(named) <= _LONGEST else UNKNOWN


@lru_cache(maxsize=4096)
def _limited(named: str) -> str:
    try:
        address: IPv4Address | IPv6Address = ip_address(named.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _SUBSCRIBER_BITS), strict=False))
