"""When a delivery is tried again, and what staff may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.webhooks import rules
from server.webhooks.rules import GIVEN_UP_AFTER_SECONDS, PAUSES_SECONDS
from tests.api.calling import NOW
from tests.webhooks.living import SECOND, after


@given(st.integers(min_value=1, max_value=9), st.integers(min_value=0, max_value=10**9))
def test_a_pause_is_the_longer_of_both_and_at_most_a_day_and_a_tenth(
    attempts: int, asked: int
) -> None:
    again = rules.next_attempt_at(attempts, tried_since=NOW, now=NOW, retry_after_seconds=asked)
    assert again is not None
    least = max(PAUSES_SECONDS[attempts - 1], min(asked, 86_400))
    assert least * SECOND <= again - NOW <= least * SECOND * 110 // 100


def test_the_tenth_failure_is_the_last() -> None:
    assert rules.next_attempt_at(9, tried_since=NOW, now=after(51), retry_after_seconds=None)
    assert rules.next_attempt_at(10, tried_since=NOW, now=NOW, retry_after_seconds=None) is None


def test_no_endpoint_keeps_an_event_for_more_than_three_days_and_a_half() -> None:
    now, attempts = NOW, 0
    while True:
        attempts += 1
        again = rules.next_attempt_at(
            attempts, tried_since=NOW, now=now, retry_after_seconds=999_999_999
        )
        if again is None:
            break
        now = again
    assert attempts == 4
    assert 72 * 3_600 <= (now - NOW) // SECOND <= GIVEN_UP_AFTER_SECONDS


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 120 ", 120),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 40, 86_400),
        ("Wed, 04 Mar 2026 17:10:00 GMT", 600),
        ("Wed, 04 Mar 2026 16:00:00 GMT", 0),
        ("Wed, 04 Mar 2099 16:00:00 GMT", 86_400),
        ("Wed, 99 Mar 2026 16:00:00 GMT", None),
        ("Wed, 04 Mar 99999999999999999999 16:00:00 GMT", None),
        ("Wed, 04 Mar 2026 99999999999999999999:00:00 GMT", None),
        ("Wed, 04 Mar 2026 16:00:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        ("soon", None),
    ],
)
def test_what_retry_after_asks_for(header: str | None, seconds: int | None) -> None:
    assert rules.retry_after_seconds(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_is_a_defect(header: str) -> None:
    found = rules.retry_after_seconds(header, NOW)
    assert found is None or 0 <= found <= 86_400


@pytest.mark.parametrize("text", ["", " ", "x" * 121, "a\nb", "\x00"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(InvalidInput):
        rules.valid_name(text)
    assert rules.valid_name("x" * 120)


@pytest.mark.parametrize(("hours", "is_valid"), [(-1, False), (0, True), (720, True), (721, False)])
def test_overlaps(hours: int, is_valid: bool) -> None:
    if is_valid:
        assert rules.valid_overlap_hours(hours) == hours
        return
    with pytest.raises(InvalidInput):
        rules.valid_overlap_hours(hours)
