"""The settings: what the environment and the command line say, typed. Only this module reads the
environment; each setting is a variable LAUREL_<NAME>."""

import os
import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from server.edge.hosts import Host, Hosts, bracketed
from server.edge.origins import Origins, normal_origin
from server.integrations.billing_webhooks import secret_of
from server.integrations.mail_addresses import SmtpServer, sender_of
from server.members.defaults import DEFAULT_AUDIENCE, DEFAULT_ISSUER
from server.storage.database import Address

DEFAULT_PORT = 8000
EMULATOR_VARIABLE = "FIREBASE_AUTH_EMULATOR_HOST"
"""What makes firebase-admin take ID tokens that anybody can make."""
_RESET_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-z|~]*\{code\}[!-z|~]*")
"""Printable ASCII, and no other braces than those of the code."""
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")


class Mode(StrEnum):
    """What the server is run for."""

    DEMO = "demo"  # with sample members and known credentials, on one's own machine
    DEVELOPMENT = "development"  # building an app against it
    PRODUCTION = "production"  # real members


class SimulatedTime(StrEnum):
    """Whether requests may name their time."""

    REFUSE = "refuse"
    ACCEPT = "accept"


Listed = Annotated[tuple[str, ...], NoDecode]
"""A list whose entries stand between commas."""
_EVERY_NETWORK = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


class OperationLog(StrEnum):
    """Which operations have a line in the log."""

    ALL = "all"
    NONE = "none"  # what is unexpected is logged all the same


class TrustedDocuments(StrEnum):
    """Whether members' apps may only send operations that the operator has published."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class SchemaShownTo(StrEnum):
    """Who may ask for the schema, and is helped with names that are nearly right."""

    EVERYONE = "everyone"
    DEVELOPERS = "developers"  # staff, and keys with the scope SCHEMA_READ


class CompiledOperations(StrEnum):
    """Which operations are compiled; the others are run by GraphQL's own library."""

    RECURRING = "recurring"
    ALWAYS = "always"
    NEVER = "never"


class Background(StrEnum):
    """Where what follows from writes is done: messages, webhooks, reminders, audits."""

    HERE = "here"  # in the process that serves
    ELSEWHERE = "elsewhere"  # in processes of `python -m server work`


class PrivateAddresses(StrEnum):
    """Whether webhooks may go to addresses inside the operator's own network."""

    REFUSE = "refuse"
    ALLOW = "allow"


class InvalidSettings(Exception):
    """A setting is missing or wrong; the message says which, in one line."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(env_prefix="LAUREL_", extra="ignore", frozen=True)

    mode: Mode = Mode.DEVELOPMENT
    host: str = Field(default="127.0.0.1", min_length=1)  # none would be every network
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)  # without it no metrics
    data: Path = Path("data")
    database: str | None = None
    simulated_time: SimulatedTime | None = None  # ACCEPT in a demonstration, REFUSE elsewhere
    issuer: str | None = None
    audience: str = DEFAULT_AUDIENCE
    pool_size: int = Field(default=10, ge=1, le=100)
    audit_interval_seconds: int = Field(default=60, ge=0, le=86_400)  # 0 is no audit while serving
    traces_endpoint: HttpUrl | None = None  # an OpenTelemetry collector's, for OTLP over HTTP
    traces_sampled_percent: int = Field(default=100, ge=0, le=100)
    operation_log: OperationLog = OperationLog.ALL
    hosts: Listed = ()  # the names that it answers to; see `answers_to`
    origins: Listed = ()  # the pages elsewhere that may call it
    trusted_proxies: Listed = ()  # addresses and networks whose X-Forwarded-For is believed
    connections: int = Field(default=4_000, ge=10, le=1_000_000)
    connections_per_address: int = Field(default=1_000, ge=10, le=1_000_000)
    drain_seconds: int = Field(
        default=0, ge=0, le=300
    )  # not ready, but at work still, once told to stop

    introspection: SchemaShownTo | None = None  # EVERYONE in a demonstration, else DEVELOPERS
    trusted_documents: TrustedDocuments = TrustedDocuments.OPTIONAL
    cost_budget_percent: int = Field(default=100, ge=0, le=10_000)  # 0 lets everybody spend
    operation_seconds: int = Field(default=10, ge=1, le=300)  # that one operation may take
    compiled_operations: CompiledOperations = CompiledOperations.RECURRING
    answers_mebibytes: int = Field(default=16, ge=0, le=65_536)  # of answers kept in memory

    @property
    def shows_schema_to(self) -> SchemaShownTo:
        """Who may ask for the schema."""
        if self.introspection is None:
            is_demo = self.mode is Mode.DEMO
            return SchemaShownTo.EVERYONE if is_demo else SchemaShownTo.DEVELOPERS
        return self.introspection

    @field_validator("hosts", "origins", "trusted_proxies", mode="before")
    @classmethod
    def _entries(cls, given: object) -> object:
        if isinstance(given, str):
            return tuple(entry.strip() for entry in given.split(",") if entry.strip())
        return given

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        Hosts.of(given, is_developers=False)
        return given

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        Origins.of(given)
        return given

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for entry in given:
            ip_network(
                entry
            )  # says what is wrong; `*` is none, whoever likes could say any address
        return given

    # Sign-in with ID tokens of this Firebase project; none without it.
    firebase_project: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.:-]{1,62}$")
    firebase_emulator: str | None = None  # host:port; then tokens are the emulator's: unsigned
    firebase_certificates_url: str | None = None  # where Google's certificates are, if not there

    # E-mail; without a server's URL letters are written into a folder, in production not at all.
    smtp_url: SecretStr | None = None  # smtp[s]://[user:password@]host[:port][?tls=required|none]
    mail_from: str | None = None  # the sender: an address, or a name and <an address>
    reset_url: str | None = None  # the page that sets a password, with {code} in it

    # Push messages by Firebase Cloud Messaging; without credentials a phone is drawn at the
    # terminal, and in production none are sent.
    fcm_credentials: Path | None = None  # a service account's key file, as Firebase gives it
    fcm_url: str = "https://fcm.googleapis.com"  # elsewhere for tests only
    fcm_token_url: str | None = None  # where access tokens come from, if not where the file says
    fcm_messages_per_minute: int = Field(default=600_000, ge=1, le=100_000_000)  # the quota

    background: Background | None = None  # HERE on SQLite, ELSEWHERE on PostgreSQL
    public_url: str | None = None  # where members' browsers and shops reach this server
    webhook_private_addresses: PrivateAddresses = PrivateAddresses.REFUSE

    @field_validator("fcm_url", "fcm_token_url", "public_url")
    @classmethod
    def _is_a_base_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[!-~]+", url):
            raise ValueError("it should be a URL such as https://loyalty.example.com")
        return url.rstrip("/") if url is not None else None

    @model_validator(mode="after")
    def _messages_go_to_google(self) -> "Settings":
        if self.mode is not Mode.PRODUCTION:
            return self
        for name, url in (
            ("LAUREL_FCM_URL", self.fcm_url),
            ("LAUREL_FCM_TOKEN_URL", self.fcm_token_url),
            ("LAUREL_PUBLIC_URL", self.public_url),
        ):
            if (url or "").startswith("http:"):
                raise ValueError(f"{name} must be https:// in production")
        return self

    @property
    def works_here(self) -> bool:
        """Whether the process that serves does the background work as well."""
        if self.background is None:
            return self.address.engine == "sqlite"
        return self.background is Background.HERE

    @property
    def reached_at(self) -> str | None:
        """Where members' browsers and shops reach this server, without a slash at the end."""
        if self.public_url is not None:
            return self.public_url
        issuer = self.token_issuer
        return issuer.rstrip("/") if issuer.startswith(("https://", "http://")) else None

    referral_url: str | None = None  # the app's page that takes a member's code, with {code} in it

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            SmtpServer.of(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_a_sender(cls, given: str | None) -> str | None:
        if given is not None:
            sender_of(given)
        return given

    @field_validator("reset_url", "referral_url")
    @classmethod
    def _has_the_code_in_it(cls, url: str | None) -> str | None:
        if url is not None and not _RESET_URL.fullmatch(url):
            raise ValueError("it needs {code}, such as https://app.example.com/page?code={code}")
        return url

    @model_validator(mode="after")
    def _letters_have_a_sender(self) -> "Settings":
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("LAUREL_SMTP_URL needs LAUREL_MAIL_FROM as well")
        if self.mode is Mode.PRODUCTION and (self.reset_url or "").lower().startswith("http:"):
            raise ValueError("LAUREL_RESET_URL must be https:// in production")
        return self

    # Payments for membership plans; without a provider nothing can be sold.
    billing_url: str | None = None  # where the provider speaks the protocol of `billing`
    billing_secret: SecretStr | None = None  # what it knows this server by
    billing_webhook_secrets: SecretStr | None = None  # whsec_...; several with commas between

    @field_validator("billing_url")
    @classmethod
    def _is_a_web_address(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[!-~]+", url):
            raise ValueError("it should be a URL such as https://billing.example.com/laurel")
        return url

    @field_validator("billing_webhook_secrets")
    @classmethod
    def _are_secrets(cls, given: SecretStr | None) -> SecretStr | None:
        _webhook_secrets(given)
        return given

    @model_validator(mode="after")
    def _billing_is_whole(self) -> "Settings":
        given = (self.billing_url, self.billing_secret, self.billing_webhook_secrets)
        if any(given) and not all(given):
            raise ValueError(
                "LAUREL_BILLING_URL, LAUREL_BILLING_SECRET and LAUREL_BILLING_WEBHOOK_SECRETS"
                " belong together"
            )
        is_plain = (self.billing_url or "").startswith("http:")
        if self.mode is Mode.PRODUCTION and is_plain:
            raise ValueError("LAUREL_BILLING_URL must be https:// in production")
        return self

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """What the billing provider signs its webhooks with."""
        return _webhook_secrets(self.billing_webhook_secrets)

    @property
    def mail_folder(self) -> Path:
        """Where letters are written to if they are not sent: beside the database."""
        address = self.address
        is_file = address.engine == "sqlite"
        return (Path(address.location).parent if is_file else self.data) / "mail"

    @field_validator("database")
    @classmethod
    def _port_is_a_number(cls, url: str | None) -> str | None:
        try:
            _ = urlsplit(url or "").port
        except ValueError as error:
            raise ValueError(f"the URL's port is none: {error}") from error
        return url

    @model_validator(mode="after")
    def _production_is_strict(self) -> "Settings":
        if self.mode is Mode.PRODUCTION and self.simulated_time is SimulatedTime.ACCEPT:
            raise ValueError("LAUREL_SIMULATED_TIME=accept is refused in production")
        if self.mode is Mode.PRODUCTION and self.issuer is None:
            raise ValueError(
                "LAUREL_ISSUER is missing: production needs the server's public address,"
                " such as https://loyalty.example.com"
            )
        if self.mode is Mode.PRODUCTION and not self.hosts and self._issuer_host is None:
            raise ValueError(
                "LAUREL_HOSTS is missing: LAUREL_ISSUER has no host that the server could answer to"
            )
        if self.mode is Mode.PRODUCTION and "*" in self.origins:
            raise ValueError("LAUREL_ORIGINS=* is refused in production: list the origins")
        return self

    @property
    def _issuer_host(self) -> str | None:
        try:
            name = urlsplit(self.issuer or "").hostname or ""
        except ValueError:
            return None
        return None if Host.of(bracketed(name)) is None else bracketed(name)

    @property
    def answers_to(self) -> Hosts:
        """The hosts that requests may name: the listed ones, or in production the issuer's; on a
        developer's machine its own as well, and any if every network is listened on."""
        if self.mode is Mode.PRODUCTION:
            return Hosts.of(self.hosts or (self._issuer_host or "",), is_developers=False)
        own = "*" if self.host in _EVERY_NETWORK else bracketed(self.host)
        listed = self.hosts or ((own,) if own == "*" or Host.of(own) else ())
        return Hosts.of(listed, is_developers=True)

    @property
    def answers_pages_of(self) -> Origins:
        """The origins that may call besides the server's own as it is seen: the listed ones, and
        the issuer's, which it has before a proxy that ends TLS."""
        own = normal_origin((self.issuer or "").rstrip("/"))
        return Origins.of((*self.origins, *([own] if own else ())))

    @property
    def is_public_by_https(self) -> bool:
        """Whether those outside reach it by HTTPS only."""
        return self.mode is Mode.PRODUCTION and (self.issuer or "").startswith("https://")

    @field_validator("firebase_emulator")
    @classmethod
    def _emulator_is_host_and_port(cls, place: str | None) -> str | None:
        if place is not None and not _HOST_AND_PORT.fullmatch(place):
            raise ValueError("it should be host:port, such as 127.0.0.1:9099")
        return place

    @field_validator("firebase_certificates_url")
    @classmethod
    def _certificates_come_over_http(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("it should be a URL that begins with https://")
        return url

    @model_validator(mode="after")
    def _tokens_are_firebases(self) -> "Settings":
        if self.firebase_emulator is not None and self.firebase_project is None:
            raise ValueError("LAUREL_FIREBASE_EMULATOR needs LAUREL_FIREBASE_PROJECT as well")
        if self.mode is not Mode.PRODUCTION:
            return self
        for name, value in (
            ("LAUREL_FIREBASE_EMULATOR", self.firebase_emulator),
            (EMULATOR_VARIABLE, os.environ.get(EMULATOR_VARIABLE)),
        ):
            if value:
                raise ValueError(
                    f"{name} is refused in production: with the emulator anybody could sign in"
                    " as anybody"
                )
        if not (self.firebase_certificates_url or "https:").startswith("https:"):
            raise ValueError("LAUREL_FIREBASE_CERTIFICATES_URL must be https:// in production")
        return self

    @property
    def accepts_simulated_time(self) -> bool:
        """Whether keys with the scope SIMULATE_TIME may name the time of a request."""
        if self.simulated_time is None:
            return self.mode is Mode.DEMO
        return self.simulated_time is SimulatedTime.ACCEPT

    @property
    def token_issuer(self) -> str:
        """What stands in access tokens as their issuer."""
        return self.issuer or DEFAULT_ISSUER

    @property
    def address(self) -> Address:
        """Where the database is. Raises CannotOpen for a URL of an unknown kind."""
        return Address.of(database=self.database, data_folder=self.data)


def _webhook_secrets(given: SecretStr | None) -> tuple[bytes, ...]:
    stated = "" if given is None else given.get_secret_value()
    return tuple(secret_of(one.strip()) for one in stated.split(",") if one.strip())


def read(**given: object) -> Settings:
    """The settings, where given ones (not None) win over the environment.

    Raises InvalidSettings.
    """
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        where = f"LAUREL_{name}: " if name else ""
        raise InvalidSettings(f"{where}{first['msg'].removeprefix('Value error, ')}") from error


def tell_firebase(settings: Settings) -> bool:
    """Set what firebase-admin reads from the environment itself to what the settings say; whether
    it said something else before. Call it before the library is used."""
    before, wanted = os.environ.pop(EMULATOR_VARIABLE, ""), settings.firebase_emulator or ""
    if wanted:
        os.environ[EMULATOR_VARIABLE] = wanted
    return before not in ("", wanted)
