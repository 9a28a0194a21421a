"""Letters: one text in two forms, and headers that hold no more than they should."""

import pytest

from tests.integrations.mail_server import TO, written


def test_a_letter_has_a_plain_and_an_html_part_that_say_the_same() -> None:
    made = written()
    assert made.get_content_type() == "multipart/alternative"
    plain, html = (made.get_body(preferencelist=(kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert plain.get_content() == (
        "Hello <you> & all.\n\nOpen\nhttps://x.example/?a=1&b=2\n\nABC234\n"
    )
    page = html.get_content()
    assert "<p>Hello &lt;you&gt; &amp; all.</p>" in page
    assert '<a href="https://x.example/?a=1&amp;b=2">Open</a>' in page
    assert ">ABC234</p>" in page
    assert '<html lang="en">' in page


def test_a_letter_says_who_wrote_it_and_that_no_machine_need_answer() -> None:
    made = written()
    assert str(made["From"]) == "Laurel <laurel@shop.example>"
    assert str(made["To"]) == TO
    assert str(made["Date"]) == "Wed, 04 Mar 2026 05:06:07 +0000"
    assert str(made["Message-ID"]).endswith("@shop.example>")
    assert (made["Auto-Submitted"], made["Content-Language"]) == ("auto-generated", "en")


@pytest.mark.parametrize("subject", ["a\nBcc: eve@example.com", "a\r\nX: y", "a\rb"])
def test_a_subject_can_not_begin_another_header(subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        written(subject=subject)
