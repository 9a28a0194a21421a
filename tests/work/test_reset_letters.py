"""The letter of a password reset leaves a server that was killed with it, when another starts."""

import asyncio
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import asyncpg

from server.storage.database import DATABASE_FILE, Address
from tests.integrations.mail_server import Inbox
from tests.integrations.mail_server import serving as mail_serving
from tests.members.letterbox import part
from tests.serving.servers import ask, options_of, started

PATIENCE_SECONDS = 60
ADDRESS = "member@demo.example"
_ASKED = """mutation { requestPasswordReset(input: {email: "member@demo.example",
  idempotencyKey: "k"}) { __typename } }"""
_RESET = """mutation ($code: String!) { resetPassword(input: {code: $code,
  newPassword: "another horse battery", idempotencyKey: "k"}) { __typename } }"""
_PATIENT_NO_MORE = "UPDATE reset_requests SET due_at = 1"  # as if the time of the dead were over


async def _execute(url: str, statement: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.execute(statement))
    finally:
        await connection.close()


def _let_others_try(address: Address) -> None:
    """Let the request that the dead server had taken be another's."""
    if address.engine == "postgres":
        assert asyncio.run(_execute(address.location, _PATIENT_NO_MORE)) == "UPDATE 1"
        return
    file = Path(address.location).parent / DATABASE_FILE
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(_PATIENT_NO_MORE).rowcount == 1


def test_a_letter_survives_the_server_that_was_asked_for_it(
    empty_address: Address, tmp_path: Path
) -> None:
    words = ("--demo", "--port", "0", *options_of(empty_address))
    here = {"LAUREL_BACKGROUND": "here", "LAUREL_MAIL_FROM": "Laurel <laurel@shop.example>"}
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as silent, mail_serving() as start_mail:
        where = f"smtp://127.0.0.1:{silent.getsockname()[1]}"  # it takes calls and says nothing
        with started(*words, cwd=tmp_path, settings={**here, "LAUREL_SMTP_URL": where}) as server:
            told = ask(server.url, _ASKED)
            assert told["requestPasswordReset"]["__typename"] == "PasswordResetRequested"
            server.process.send_signal(signal.SIGKILL)
            assert server.ended() == -signal.SIGKILL
        _let_others_try(empty_address)
        where = f"smtp://{start_mail(inbox)}"
        with started(*words, cwd=tmp_path, settings={**here, "LAUREL_SMTP_URL": where}) as server:
            url, ends_at = server.url, time.monotonic() + PATIENCE_SECONDS
            while not inbox.letters and time.monotonic() < ends_at:
                time.sleep(0.05)
            (letter,) = inbox.letters
            assert letter["To"] == ADDRESS
            (code,) = re.findall(r"\b[A-Z2-7]{32}\b", part(letter, "plain"))
            told = ask(url, _RESET, {"code": code})
            assert told["resetPassword"]["__typename"] == "PasswordWasReset"
