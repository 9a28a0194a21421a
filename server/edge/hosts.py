"""Which names the server answers to.

A page of another site can have its own name resolve to this server's address; the browser then
takes the two for one site. The Host header still says the page's name, which is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

ANY = "*"
_NAME = r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*"
_HOST = re.compile(
    rf"(?:\[(?P<six>[0-9a-f:.]{{2,45}})\]|(?P<name>(?=.{{1,253}}(?::|$)){_NAME})\.?)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)
_ONES_OWN_MACHINE = frozenset(("localhost", "127.0.0.1", "[::1]"))
_FOR_TESTS = (".localhost", ".test")
"""Names that nobody can own (RFC 6761), so no page can come from them."""


@dataclass(frozen=True, slots=True)
class Host:
    """A Host header: the name in lower case, IPv6 in brackets and short; the port if it has one."""

    name: str
    port: int | None

    @classmethod
    def of(cls, header: str) -> "Host | None":
        """What the header says; None if it is no host."""
        found = _HOST.fullmatch(header)
        if found is None:
            return None
        port = None if found["port"] is None else int(found["port"])
        if port is not None and port > 65_535:
            return None
        if found["six"] is None:
            return cls(found["name"].lower(), port)
        try:
            return cls(f"[{IPv6Address(found['six'])}]", port)
        except ValueError:
            return None

    @property
    def is_address(self) -> bool:
        """Whether it is an IP address, not a name."""
        if self.name.startswith("["):
            return True
        try:
            IPv4Address(self.name)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that are answered to, on every port that none is said for.

    `accepts_addresses` is for machines of developers: an emulator's or a colleague's phone comes by
    address, and no name of another site is one.
    """

    listed: frozenset[Host]
    accepts_any: bool = False
    accepts_addresses: bool = False

    @classmethod
    def of(cls, listed: Iterable[str], *, is_developers: bool) -> "Hosts":
        """The hosts in the list, where `*` is any; on a developer's machine its own as well.

        Raises ValueError for what is no host.
        """
        given = set(listed)
        hosts = {_required(entry) for entry in given - {ANY}}
        if is_developers:
            hosts |= {_required(entry) for entry in _ONES_OWN_MACHINE}
        return cls(frozenset(hosts), ANY in given, is_developers)

    def allow(self, host: Host) -> bool:
        """Whether the host is answered to."""
        if self.accepts_any or host in self.listed or Host(host.name, None) in self.listed:
            return True
        return self.accepts_addresses and (host.is_address or host.name.endswith(_FOR_TESTS))


def bracketed(name: str) -> str:
    """The name or address as a Host header has it: IPv6 stands in brackets."""
    return f"[{name}]" if ":" in name else name


def _required(entry: str) -> Host:
    host = Host.of(entry)
    if host is None:
        raise ValueError(f"{entry!r} is no host")
    return host
