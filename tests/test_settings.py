"""Settings come from options and from the environment, and a wrong one is named in one line."""

import os
from pathlib import Path

import pytest

from server.settings import (
    EMULATOR_VARIABLE,
    InvalidSettings,
    Mode,
    Settings,
    SimulatedTime,
    read,
    tell_firebase,
)
from server.storage.database import Address


@pytest.fixture(autouse=True)
def _no_settings_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LAUREL_{name.upper()}", raising=False)
    monkeypatch.delenv(EMULATOR_VARIABLE, raising=False)


def test_without_any_it_is_one_file_on_this_machine() -> None:
    settings = read()
    assert settings.mode is Mode.DEVELOPMENT
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.address == Address("sqlite", "data/laurel.sqlite3")
    assert not settings.accepts_simulated_time
    assert (settings.token_issuer, settings.audience) == ("laurel", "laurel-app")


def test_the_environment_counts_and_an_option_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUREL_PORT", "9000")
    monkeypatch.setenv("LAUREL_DATA", "/srv/laurel")
    assert read().port == 9000
    assert read(port=None).port == 9000
    assert read(port=0).port == 0
    assert read().address == Address("sqlite", "/srv/laurel/laurel.sqlite3")
    assert read(data=Path("here")).address == Address("sqlite", "here/laurel.sqlite3")
    url = "postgres://u@h/n"
    assert read(database=url).address == Address("postgres", url)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "70000"}, "LAUREL_PORT: Input should be less than or equal to 65535"),
        (
            {"PORT": "http"},
            "LAUREL_PORT: Input should be a valid integer, unable to parse string as an integer",
        ),
        ({"HOST": ""}, "LAUREL_HOST: String should have at least 1 character"),
        ({"DATABASE": "postgres://h:x/n"}, "LAUREL_DATABASE: the URL's port is none: "),
        ({"POOL_SIZE": "0"}, "LAUREL_POOL_SIZE: Input should be greater than or equal to 1"),
        (
            {"AUDIT_INTERVAL_SECONDS": "-1"},
            "LAUREL_AUDIT_INTERVAL_SECONDS: Input should be greater than or equal to 0",
        ),
        ({"MODE": "production"}, "LAUREL_ISSUER is missing: production needs "),
        (
            {"MODE": "production", "ISSUER": "https://x.example", "SIMULATED_TIME": "accept"},
            "LAUREL_SIMULATED_TIME=accept is refused in production",
        ),
        ({"HOSTS": "a.example, b c"}, "LAUREL_HOSTS: 'b c' is no host"),
        ({"ORIGINS": "https://a.example/"}, "LAUREL_ORIGINS: 'https://a.example/' is no origin, "),
        (
            {"MODE": "production", "ISSUER": "https://x.example", "ORIGINS": "*"},
            "LAUREL_ORIGINS=* is refused in production: list the origins",
        ),
        (
            {"MODE": "production", "ISSUER": "https://"},
            "LAUREL_HOSTS is missing: LAUREL_ISSUER has no host that ",
        ),
        ({"TRUSTED_PROXIES": "*"}, "LAUREL_TRUSTED_PROXIES: '*' does not appear to be an IPv4 or"),
        (
            {"TRUSTED_PROXIES": "10.0.0.1/8"},
            "LAUREL_TRUSTED_PROXIES: 10.0.0.1/8 has host bits set",
        ),
        (
            {"CONNECTIONS": "9"},
            "LAUREL_CONNECTIONS: Input should be greater than or equal to 10",
        ),
    ],
    ids=[
        "port",
        "no port",
        "no host",
        "port of a URL",
        "pool",
        "audit",
        "issuer",
        "simulated time",
        "hosts",
        "origins",
        "any origin",
        "an issuer without a host",
        "any proxy",
        "no network",
        "connections",
    ],
)
def test_a_wrong_one_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], line: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"LAUREL_{name}", value)
    with pytest.raises(InvalidSettings) as refusal:
        read()
    assert str(refusal.value).startswith(line)
    assert "\n" not in str(refusal.value)


def test_a_demonstration_takes_the_time_from_replays() -> None:
    assert Settings(mode=Mode.DEMO).accepts_simulated_time
    assert not Settings(mode=Mode.DEMO, simulated_time=SimulatedTime.REFUSE).accepts_simulated_time
    assert Settings(simulated_time=SimulatedTime.ACCEPT).accepts_simulated_time
    production = Settings(mode=Mode.PRODUCTION, issuer="https://loyalty.example.com")
    assert not production.accepts_simulated_time


PRODUCTION = {"LAUREL_MODE": "production", "LAUREL_ISSUER": "https://x.example"}
FIREBASE = {"LAUREL_FIREBASE_PROJECT": "demo-laurel"}


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            {**PRODUCTION, EMULATOR_VARIABLE: "127.0.0.1:9099"},
            "FIREBASE_AUTH_EMULATOR_HOST is refused in production: with the emulator anybody could"
            " sign in as anybody",
        ),
        (
            {**PRODUCTION, **FIREBASE, "LAUREL_FIREBASE_EMULATOR": "127.0.0.1:9099"},
            "LAUREL_FIREBASE_EMULATOR is refused in production: with the emulator anybody could"
            " sign in as anybody",
        ),
        (
            {**PRODUCTION, "LAUREL_FIREBASE_CERTIFICATES_URL": "http://x.example"},
            "LAUREL_FIREBASE_CERTIFICATES_URL must be https:// in production",
        ),
        (
            {"LAUREL_FIREBASE_CERTIFICATES_URL": "file:///etc"},
            "LAUREL_FIREBASE_CERTIFICATES_URL: it should be a URL that begins with https://",
        ),
        (
            {"LAUREL_FIREBASE_EMULATOR": "127.0.0.1:9099"},
            "LAUREL_FIREBASE_EMULATOR needs LAUREL_FIREBASE_PROJECT as well",
        ),
        (
            {**FIREBASE, "LAUREL_FIREBASE_EMULATOR": "http://127.0.0.1:9099"},
            "LAUREL_FIREBASE_EMULATOR: it should be host:port, such as 127.0.0.1:9099",
        ),
        (
            {"LAUREL_FIREBASE_PROJECT": "Not a project"},
            "LAUREL_FIREBASE_PROJECT: String should match pattern '^[a-z0-9][a-z0-9.:-]{1,62}$'",
        ),
    ],
    ids=["emulator", "ours", "open URL", "no URL", "no project", "no place", "bad project"],
)
def test_firebase_is_set_in_full_and_its_emulator_not_in_production(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], line: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as refusal:
        read()
    assert str(refusal.value) == line


@pytest.mark.parametrize("place", ["127.0.0.1:9099", "localhost:9099", "[::1]:9099"])
def test_firebases_library_hears_of_the_emulator_from_the_settings_alone(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with_emulator = Settings(firebase_project="demo-laurel", firebase_emulator=place)
    monkeypatch.setenv(EMULATOR_VARIABLE, "elsewhere:1")
    assert tell_firebase(with_emulator)
    assert os.environ[EMULATOR_VARIABLE] == place
    assert not tell_firebase(with_emulator)
    assert tell_firebase(Settings(firebase_project="demo-laurel"))
    assert EMULATOR_VARIABLE not in os.environ
    assert not tell_firebase(Settings())


def test_lists_stand_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUREL_HOSTS", "a.example, b.example:8443,")
    monkeypatch.setenv("LAUREL_ORIGINS", "https://app.example.com,capacitor://localhost")
    monkeypatch.setenv("LAUREL_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    settings = read()
    assert settings.hosts == ("a.example", "b.example:8443")
    assert settings.origins == ("https://app.example.com", "capacitor://localhost")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
