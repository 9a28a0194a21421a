"""Settings come from options and from the environment, and a wrong one is named in one line."""

from pathlib import Path

import pytest

from server.settings import InvalidSettings, Mode, Settings, SimulatedTime, read
from server.storage.database import Address


@pytest.fixture(autouse=True)
def _no_settings_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LAUREL_{name.upper()}", raising=False)


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
