"""Settings of e-mail: which mailer they choose, and that a wrong one is told without its secret."""

from pathlib import Path
from typing import Any

import pytest

from server.app import mailing
from server.integrations import email
from server.integrations.email import FolderMailer, SmtpMailer
from server.settings import InvalidSettings, Settings, read
from server.storage.database import Address

PRODUCTION = {"mode": "production", "issuer": "https://loyalty.example.com"}
SMTP = {
    "smtp_url": "smtps://laurel:hush@mail.example.com",
    "mail_from": "Laurel <no-reply@example.com>",
}


@pytest.fixture(autouse=True)
def _no_settings_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LAUREL_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("given", "mailer"),
    [
        ({}, FolderMailer),
        ({"mode": "demo"}, FolderMailer),
        (PRODUCTION, None),
        (SMTP, SmtpMailer),
        ({**PRODUCTION, **SMTP}, SmtpMailer),
    ],
)
async def test_letters_are_sent_kept_or_none_as_the_settings_say(
    database: Address, given: dict[str, Any], mailer: type | None
) -> None:
    async with mailing(read(**given)) as post:
        assert email.post() is post
        assert post is None if mailer is None else isinstance(post, email.Post)
        assert post is None or type(post._mailer) is mailer
    assert email.post() is None


async def test_the_sender_and_the_page_are_those_of_the_settings(database: Address) -> None:
    page = "myapp://reset?code={code}"
    async with mailing(read(**SMTP, reset_url=page)) as post:
        assert post is not None
        assert str(post.sender) == "Laurel <no-reply@example.com>"
        assert post.reset_url == page


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"data": "/srv/laurel"}, "/srv/laurel/mail"),
        ({"database": "sqlite:///srv/other/x.sqlite3"}, "/srv/other/mail"),
        ({"database": "postgres://h/d", "data": "/srv/laurel"}, "/srv/laurel/mail"),
    ],
)
def test_letters_that_are_not_sent_lie_beside_the_database(
    given: dict[str, Any], folder: str
) -> None:
    assert read(**given).mail_folder == Path(folder)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"smtp_url": SMTP["smtp_url"]}, "LAUREL_SMTP_URL needs LAUREL_MAIL_FROM as well"),
        ({**SMTP, "smtp_url": "http://laurel:hush@mail"}, "LAUREL_SMTP_URL: it must be smtp://"),
        ({**SMTP, "mail_from": "nobody"}, "LAUREL_MAIL_FROM: this is no e-mail address"),
        ({**SMTP, "mail_from": "a@b.example\nBcc: c@d.example"}, "LAUREL_MAIL_FROM: "),
        ({"reset_url": "https://app.example.com/reset"}, "LAUREL_RESET_URL: it needs {code}"),
        ({"reset_url": "https://x.example/{code}/{code}"}, "LAUREL_RESET_URL: it needs {code}"),
        ({"reset_url": "https://x.example/ {code}"}, "LAUREL_RESET_URL: it needs {code}"),
        (
            {**PRODUCTION, "reset_url": "HTTP://x.example/{code}"},
            "LAUREL_RESET_URL must be https:// in production",
        ),
    ],
)
def test_a_wrong_one_is_named_in_one_line(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(**given)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_password_is_not_shown_with_the_settings() -> None:
    assert "hush" not in repr(read(**SMTP))
