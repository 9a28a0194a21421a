"""Writing letters: one text in two forms, plain and HTML, with nothing to load."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, make_msgid
from html import escape

from server.clock import Instant, datetime_of


@dataclass(frozen=True, slots=True)
class Link:
    """A line that leads somewhere."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Code:
    """A line to be copied."""

    code: str


Line = str | Link | Code


class _Whole(UnstructuredHeader):
    """A header that stays on its line: a URL that is longer than a line would be encoded piece by
    piece otherwise, and no mail program would find it."""

    def fold(self, *, policy: Policy) -> str:
        """The line."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined] # set by the registry


_headers = HeaderRegistry()
_headers.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type] # the registry makes it a header
_POLICY = SMTP.clone(header_factory=_headers)

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em; margin: 2em auto">
<h1 style="font-size: 1.25em">{title}</h1>
{lines}
</body>
</html>
"""
_CODE_STYLE = "font-family: monospace; font-size: 1.1em; overflow-wrap: anywhere"


def letter(
    *,
    sender: Address,
    to: Address,
    subject: str,
    lines: Sequence[Line],
    language: str,
    at: Instant,
    message_id: str | None = None,
) -> EmailMessage:
    """A letter with the lines as paragraphs. No answer to it is expected, from people or machines.

    One that may be sent again has a `message_id` of its own, so that the second can be told.
    Raises ValueError if a header would hold a line break.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime_of(at))
    message["Message-ID"] = message_id or make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message.set_content("\n\n".join(map(_plain, lines)) + "\n", cte="quoted-printable")
    page = _PAGE.format(
        language=escape(language), title=escape(subject), lines="\n".join(map(_html, lines))
    )
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language  # of the whole, and not of its first part
    return message


def _plain(line: Line) -> str:
    if isinstance(line, Link):
        return f"{line.label}\n{line.url}"
    return line.code if isinstance(line, Code) else line


def _html(line: Line) -> str:
    if isinstance(line, Link):
        return f'<p><a href="{escape(line.url)}">{escape(line.label)}</a></p>'
    if isinstance(line, Code):
        return f'<p style="{_CODE_STYLE}">{escape(line.code)}</p>'
    return f"<p>{escape(line)}</p>"
