"""Addresses of people and of mail servers, as settings and letters write them."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr
from urllib.parse import parse_qsl, unquote, urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 587, "smtps": 465}


def mail_address(text: str, *, name: str = "") -> Address:
    """The address as headers and mail servers take it. Raises ValueError for what is none.

    The name of a domain is put into ASCII; what the user's part has that needs quotes gets them.
    """
    user, at, domain = text.rpartition("@")
    if not at or not user or not domain or not text.isprintable():
        raise ValueError("this is no e-mail address")
    return Address(name, user, domain if domain.isascii() else domain.encode("idna").decode())


def sender_of(text: str) -> Address:
    """The address in "Name <address>" or "address". Raises ValueError for what is neither."""
    name, address = parseaddr(text) if text.isprintable() else ("", "")
    return mail_address(address, name=name)


@dataclass(frozen=True, slots=True, repr=False)
class SmtpServer:
    """Where the mail server is, and how to speak to it."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    uses_tls: bool = False  # from the first byte
    requires_starttls: bool = False  # before anything is said

    @classmethod
    def of(cls, url: str) -> "SmtpServer":
        """The server that `smtp[s]://[user:password@]host[:port][?tls=required|none]` means.

        smtps is TLS from the first byte (port 465); smtp begins in the clear and must go over to
        TLS (port 587), but for a server on this machine, which needs none. `tls` says otherwise.
        Raises ValueError, whose message has nothing of the URL.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("the URL's host or port is none") from None
        if parts.scheme not in _PORTS or not host or parts.path not in ("", "/"):
            raise ValueError("it must be smtp://user:password@host:port, or smtps://...")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = options.pop("tls", "none" if host in _LOOPBACK else "required")
        if options or tls not in ("required", "none"):
            raise ValueError("the URL takes no options but tls=required and tls=none")
        if (parts.username is None) != (parts.password is None):
            raise ValueError("the URL needs both user and password, or neither")
        is_tls = parts.scheme == "smtps"
        return cls(
            host,
            port or _PORTS[parts.scheme],
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
            uses_tls=is_tls,
            requires_starttls=not is_tls and tls == "required",
        )

    def __repr__(self) -> str:
        """Without user and password."""
        return f"SmtpServer({self.host}:{self.port})"
