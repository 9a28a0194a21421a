"""What keeps a server from starting: one clear line, an exit code, and nothing changed."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from server.storage import migrate, sql
from server.storage.database import DATABASE_FILE, Address, opened
from tests.conftest import run_apart
from tests.postgres import create_database, drop_database
from tests.serving.dumps import contents, files
from tests.serving.servers import finished, options_of, started

EXIT_REFUSED = 1
EXIT_WRONG_USE = 2


def the_one_line(result: subprocess.CompletedProcess[str]) -> str:
    """What a refused command says."""
    assert result.returncode == EXIT_REFUSED, result
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("laurel: ")
    return line.removeprefix("laurel: ")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


async def _record_a_later_migration(address: Address) -> None:
    async with opened(address), sql.transaction():
        await sql.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at)"
            " SELECT app, '0999_later', applied_at FROM tortoise_migrations WHERE name LIKE '0001%'"
        )


def test_a_taken_port(tmp_path: Path, taken_port: int) -> None:
    words = ("--port", str(taken_port), "--data", str(tmp_path / "data"))
    line = the_one_line(finished("serve", "--demo", *words, cwd=tmp_path))
    assert line == (
        f"can't listen on 127.0.0.1 port {taken_port}: Address already in use;"
        " choose another with --port"
    )
    assert files(tmp_path) == {}


def test_a_host_of_another_machine(tmp_path: Path) -> None:
    line = the_one_line(finished("serve", "--demo", "--host", "192.0.2.1", cwd=tmp_path))
    assert line.startswith("can't listen on 192.0.2.1 port 8000: ")
    assert line.endswith("; choose another with --host")
    assert files(tmp_path) == {}


@pytest.mark.parametrize("command", ["serve", "migrate", "keys", "show"])
def test_a_file_that_is_no_database(tmp_path: Path, command: str) -> None:
    words = {
        "serve": ["serve", "--demo", "--port", "0"],
        "migrate": ["migrate", "--yes"],
        "keys": ["keys", "create", "--name", "x", "--scope", "MEMBERS_READ"],
        "show": ["programme", "show"],
    }
    (tmp_path / DATABASE_FILE).write_text("Notes of the summer. " * 1000)
    before = files(tmp_path)
    line = the_one_line(finished(*words[command], "--data", str(tmp_path), cwd=tmp_path))
    assert line == f"can't open the database {tmp_path / DATABASE_FILE}: file is not a database"
    assert files(tmp_path) == before


def test_a_newer_database(database_address: Address, tmp_path: Path) -> None:
    run_apart(_record_a_later_migration(database_address))
    before = contents(database_address), files(tmp_path)
    words = ("serve", "--demo", "--port", "0", *options_of(database_address))
    line = the_one_line(finished(*words, cwd=tmp_path))
    assert line == (
        f"the database {database_address.shown} is newer than this code (it has 0999_later);"
        " update Laurel first"
    )
    assert (contents(database_address), files(tmp_path)) == before


def test_pending_migrations(empty_address: Address, tmp_path: Path) -> None:
    words = options_of(empty_address)
    on_postgres = empty_address.engine == "postgres"
    before = contents(empty_address) if on_postgres else None
    line = the_one_line(finished("serve", "--port", "0", *words, cwd=tmp_path))
    count = len(migrate.steps())
    assert line.startswith(f"the database {empty_address.shown} lacks {count} migration(s); ")
    assert line.endswith("serve with --migrate")
    line = the_one_line(finished("programme", "show", *words, cwd=tmp_path))
    assert line.endswith("run `python -m server migrate --yes` first")
    looked = finished("migrate", *words, cwd=tmp_path)
    assert (looked.returncode, looked.stderr) == (1, "")
    assert looked.stdout.splitlines()[1].strip().startswith("0001_initial: ")
    assert files(tmp_path) == {}
    if on_postgres:
        assert contents(empty_address) == before


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    words = ("serve", "--demo", "--port", "0", "--data", str(tmp_path / "file" / "data"))
    line = the_one_line(finished(*words, cwd=tmp_path))
    assert line == f"can't write in the folder {tmp_path / 'file' / 'data'}: Not a directory"
    assert files(tmp_path) == {"file": b"mine"}


def test_a_folder_that_nobody_can_write(tmp_path: Path) -> None:
    words = ("serve", "--demo", "--port", "0", "--data", "/proc/laurel")
    line = the_one_line(finished(*words, cwd=tmp_path))
    assert line.startswith("can't write in the folder /proc/laurel: ")


@pytest.mark.parametrize(
    ("settings", "words", "expected"),
    [
        (
            {"LAUREL_MODE": "production"},
            [],
            "LAUREL_ISSUER is missing: production needs the server's public address,"
            " such as https://loyalty.example.com",
        ),
        (
            {
                "LAUREL_MODE": "production",
                "LAUREL_ISSUER": "https://loyalty.example.com",
                "LAUREL_SIMULATED_TIME": "accept",
            },
            [],
            "LAUREL_SIMULATED_TIME=accept is refused in production",
        ),
        (
            {"LAUREL_MODE": "production", "LAUREL_ISSUER": "https://loyalty.example.com"},
            ["--demo"],
            "--demo is refused in production (LAUREL_MODE=production)",
        ),
        (
            {"LAUREL_MODE": "rehearsal"},
            [],
            "LAUREL_MODE: Input should be 'demo', 'development' or 'production'",
        ),
    ],
    ids=["missing", "simulated time", "demo", "unknown value"],
)
def test_settings(
    tmp_path: Path, settings: dict[str, str], words: list[str], expected: str
) -> None:
    result = finished("serve", "--port", "0", *words, cwd=tmp_path, settings=settings)
    assert the_one_line(result) == expected
    assert files(tmp_path) == {}


def test_an_option_that_does_not_exist(tmp_path: Path) -> None:
    result = finished("serve", "--demo", "--prt", "0", cwd=tmp_path)
    assert result.returncode == EXIT_WRONG_USE
    assert "No such option: --prt" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert files(tmp_path) == {}


def test_a_postgres_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        url = f"postgres://laurel:secret@127.0.0.1:{port}/laurel"
        line = the_one_line(
            finished("serve", "--demo", "--port", "0", "--database", url, cwd=tmp_path)
        )
    assert line.startswith(f"can't open the database postgres://127.0.0.1:{port}/laurel: ")
    assert "refused" in line
    assert "secret" not in line


@pytest.fixture
async def url_with_a_wrong_password(postgres_server: str) -> str:
    """A URL for the one user that the server asks for a password."""
    connection = await asyncpg.connect(postgres_server)
    try:
        await connection.execute("DROP ROLE IF EXISTS stranger")
        await connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'right'")
        file = await connection.fetchval("SHOW hba_file")
        rules = (await connection.fetchval("SELECT pg_read_file($1)", file)).splitlines()
        await connection.execute("CREATE TEMP TABLE rules (line text)")
        await connection.executemany(
            "INSERT INTO rules VALUES ($1)",
            [(line,) for line in ("host all stranger 127.0.0.1/32 scram-sha-256", *rules)],
        )
        await connection.execute(f"COPY rules TO '{file}'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute("SELECT pg_sleep(0.2)")
    finally:
        await connection.close()
    return postgres_server.replace("postgres@", "stranger:wrong@")


def test_a_wrong_password(url_with_a_wrong_password: str, tmp_path: Path) -> None:
    words = ("serve", "--demo", "--port", "0", "--database", url_with_a_wrong_password)
    line = the_one_line(finished(*words, cwd=tmp_path))
    assert line.startswith("can't open the database postgres://127.0.0.1:")
    assert line.endswith(': password authentication failed for user "stranger"')


@pytest.fixture
async def url_without_rights(postgres_server: str) -> AsyncIterator[str]:
    """The URL of an empty database whose user may look but not make tables."""
    url = create_database(postgres_server)
    onlooker = urlsplit(url).path.strip("/")  # as unique as the database
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE ROLE {onlooker} LOGIN")
        yield url.replace("postgres@", f"{onlooker}@")
        await connection.execute(f"DROP ROLE {onlooker}")
    finally:
        await connection.close()
        drop_database(url)


@pytest.mark.parametrize("words", [("serve", "--demo", "--port", "0"), ("migrate", "--yes")])
def test_a_postgres_that_grants_nothing(
    url_without_rights: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    line = the_one_line(finished(*words, "--database", url_without_rights, cwd=tmp_path))
    assert line.startswith("can't use the database postgres://127.0.0.1:")
    assert line.endswith(": permission denied for schema public")


def test_a_second_server_on_the_same_file(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / DATABASE_FILE)
    words = ("--port", "0", "--data", str(tmp_path))
    with started(*words, cwd=tmp_path) as first:
        _ = first.url
        before = files(tmp_path)
        line = the_one_line(finished("serve", *words, cwd=tmp_path))
        assert line.startswith(
            f"the database {tmp_path / DATABASE_FILE} is in use by process {first.process.pid}; "
        )
        assert files(tmp_path) == before
        assert first.stop() == 0
    assert first.complaints == []


def test_a_programme_of_another_operator_and_the_demonstration_keep_apart(
    tmp_path: Path, sqlite_template: Path
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / DATABASE_FILE)
    programme = Path(__file__).parents[2] / "server/programme/demo-programme.yaml"
    words = ("--data", str(tmp_path))
    assert finished("programme", "publish", str(programme), *words, cwd=tmp_path).returncode == 0
    before = files(tmp_path)
    line = the_one_line(finished("serve", "--demo", "--port", "0", *words, cwd=tmp_path))
    assert line.endswith(
        "holds a programme of its own; serve it without --demo, or name another database"
    )
    assert {**files(tmp_path), **lock_of(before)} == before


def lock_of(found: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """The lock file, whose only content is the last process that held it."""
    return {name: value for name, value in found.items() if name.endswith(".lock")}
