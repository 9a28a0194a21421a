"""Which origins may call: the server's own and the listed ones, and programs, which say none."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

ANY = "*"
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)
_PORTS = {"http": "80", "https": "443"}
_SCHEMES = {"ws": "http", "wss": "https"}


def normal_origin(text: str) -> str | None:
    """The origin in lower case and without its scheme's own port; None if the text is none."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = found["port"]
    return f"{scheme}://{host}" + ("" if port in (None, _PORTS.get(scheme)) else f":{port}")


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that may call, besides the server's own."""

    listed: frozenset[str]
    allow_any: bool = False

    @classmethod
    def of(cls, listed: Iterable[str]) -> "Origins":
        """The origins in the list, where `*` is any. Raises ValueError for what is none."""
        given = set(listed)
        normal = {entry: normal_origin(entry) for entry in given - {ANY}}
        for entry, origin in normal.items():
            if origin is None:
                raise ValueError(
                    f"{entry!r} is no origin, such as https://app.example.com without a path"
                )
        return cls(frozenset(filter(None, normal.values())), ANY in given)

    def allow(self, origin: str | None, *, scheme: str, host: str) -> bool:
        """Whether a request may come from there: `origin` is its Origin header, None without one,
        `scheme` and `host` are what the request was sent to ("https", "shop.example:8443")."""
        if origin is None:
            return True
        normal = normal_origin(origin)
        if (
            normal is None
        ):  # `null` too: a file, a sandbox or a redirect that hides where it is from
            return False
        own = normal_origin(f"{_SCHEMES.get(scheme, scheme)}://{host}")
        return self.allow_any or normal == own or normal in self.listed
