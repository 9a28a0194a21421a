import socket
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from server.storage.database import Address, CannotOpen, opened


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (None, Address("sqlite", "/data/laurel.sqlite3")),
        ("sqlite:///srv/a%20b.sqlite3", Address("sqlite", "/srv/a b.sqlite3")),
        ("postgres://u@h/n", Address("postgres", "postgres://u@h/n")),
        ("postgresql://u@h/n", Address("postgres", "postgresql://u@h/n")),
    ],
)
def test_an_address_is_read_from_the_command_line(database: str | None, expected: Address) -> None:
    assert Address.of(database=database, data_folder=Path("/data")) == expected


@pytest.mark.parametrize("database", ["mysql://u@h/n", "laurel.db", ""])
def test_an_unknown_kind_of_database_is_refused(database: str) -> None:
    with pytest.raises(CannotOpen, match="unknown kind of database"):
        Address.of(database=database, data_folder=Path())


def test_an_address_is_shown_without_its_password() -> None:
    address = Address("postgres", "postgres://laurel:secret@db.example:5433/shop?sslmode=require")
    assert address.shown == "postgres://db.example:5433/shop"


async def why_not(address: Address) -> str:
    """The one clear line that says why the database can't be opened."""
    with pytest.raises(CannotOpen) as refusal:
        async with opened(address):
            pytest.fail("it was opened")
    line = str(refusal.value)
    assert "\n" not in line
    assert line
    return line


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "laurel.sqlite3"
    file.write_text("not a database, although there is quite some text in it" * 100)
    line = await why_not(Address("sqlite", str(file)))
    assert line == f"can't open the database {file}: file is not a database"
    assert file.read_text().startswith("not a database")


async def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    line = await why_not(Address("sqlite", str(tmp_path)))
    assert line == f"can't open the database {tmp_path}: unable to open database file"


async def test_a_folder_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    line = await why_not(Address("sqlite", str(tmp_path / "data" / "laurel.sqlite3")))
    assert line.startswith(f"can't write in the folder {tmp_path / 'data'}: ")


async def test_a_system_folder_that_nobody_can_write() -> None:
    line = await why_not(Address("sqlite", "/proc/laurel/laurel.sqlite3"))
    assert line.startswith("can't write in the folder /proc/laurel: ")


async def test_the_lock_is_free_again_after_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "laurel.sqlite3"
    file.write_text("not a database" * 100)
    await why_not(Address("sqlite", str(file)))
    file.unlink()
    async with opened(Address("sqlite", str(file))):
        pass


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        line = await why_not(Address("postgres", f"postgres://u:secret@127.0.0.1:{port}/laurel"))
    assert line.startswith(f"can't open the database postgres://127.0.0.1:{port}/laurel: ")
    assert "secret" not in line


async def test_a_host_that_does_not_exist() -> None:
    line = await why_not(Address("postgres", "postgres://u:secret@nowhere.invalid/laurel"))
    assert line.startswith("can't open the database postgres://nowhere.invalid:5432/laurel: ")


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.storage.database.CONNECT_TIMEOUT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        line = await why_not(Address("postgres", f"postgres://u@127.0.0.1:{port}/laurel"))
    assert line.startswith(f"the database postgres://127.0.0.1:{port}/laurel did not answer")


async def test_a_database_that_the_server_lacks(postgres_server: str) -> None:
    parts = urlsplit(postgres_server)
    line = await why_not(Address("postgres", parts._replace(path="/nothing").geturl()))
    assert line.startswith(f"can't open the database postgres://127.0.0.1:{parts.port}/nothing: ")
    assert "nothing" in line.rsplit(": ", 1)[1]


@pytest.fixture
async def url_with_a_wrong_password(postgres_server: str) -> str:
    """The server trusts everyone but this one user."""
    connection = await asyncpg.connect(postgres_server)
    try:
        await connection.execute("DROP ROLE IF EXISTS suspect")
        await connection.execute("CREATE ROLE suspect LOGIN PASSWORD 'right'")
        file = await connection.fetchval("SHOW hba_file")
        rules = await connection.fetchval("SELECT pg_read_file($1)", file)
        if "suspect" not in rules:
            rules = f"host all suspect 127.0.0.1/32 scram-sha-256\n{rules}"
            await connection.execute("CREATE TEMP TABLE rules (line text)")
            await connection.executemany(
                "INSERT INTO rules VALUES ($1)", [(line,) for line in rules.splitlines()]
            )
            await connection.execute(f"COPY rules TO '{file}'")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.execute("SELECT pg_sleep(0.2)")
    finally:
        await connection.close()
    return postgres_server.replace("postgres@", "suspect:wrong@")


async def test_a_wrong_password(url_with_a_wrong_password: str) -> None:
    line = await why_not(Address("postgres", url_with_a_wrong_password))
    assert line.endswith(': password authentication failed for user "suspect"')


async def test_a_database_is_opened_again_and_again(database_address: Address) -> None:
    for _ in range(3):
        async with opened(database_address):
            pass
