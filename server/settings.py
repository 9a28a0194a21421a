"""The settings: what the environment and the command line say, typed. Only this module reads the
environment; each setting is a variable LAUREL_<NAME>."""

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.members.defaults import DEFAULT_AUDIENCE, DEFAULT_ISSUER
from server.storage.database import Address

DEFAULT_PORT = 8000


class Mode(StrEnum):
    """What the server is run for."""

    DEMO = "demo"  # with sample members and known credentials, on one's own machine
    DEVELOPMENT = "development"  # building an app against it
    PRODUCTION = "production"  # real members


class SimulatedTime(StrEnum):
    """Whether requests may name their time."""

    REFUSE = "refuse"
    ACCEPT = "accept"


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
