import io

import pytest
from rich.console import Console

from server.replay import report as report_module
from server.replay.report import Report, duration


class Clock:
    """Stands for `time` in the module."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(report_module, "time", clock)
    return clock


def test_a_log_gets_a_line_every_five_seconds_and_at_the_end(clock: Clock) -> None:
    written = io.StringIO()
    with Report(Console(file=written)).counting("Playing", total=10_000, done=2_000) as advance:
        for count in range(2_500, 6_001, 500):
            clock.now += 1.0
            advance(count, "2017-02-01")
        clock.now += 1.0
        advance(10_000, "2017-12-31")
    assert written.getvalue().splitlines() == [
        "Playing: 4,500 of 10,000 baskets, up to 2017-02-01, 500 baskets/s, 11 s left",
        "Playing: 10,000 of 10,000 baskets, up to 2017-12-31, 889 baskets/s, 0 s left",
    ]


def test_a_log_gets_no_line_when_there_was_nothing_to_do(clock: Clock) -> None:
    written = io.StringIO()
    with Report(Console(file=written)).counting("Playing", total=5, done=5):
        pass
    assert written.getvalue() == ""


def test_a_total_may_become_known_on_the_way(clock: Clock) -> None:
    written = io.StringIO()
    with Report(Console(file=written)).counting("Preparing") as advance:
        clock.now += 10
        advance(5, total=10)
    assert written.getvalue() == "Preparing: 5 of 10 baskets, 0 baskets/s, 10 s left\n"


def test_a_terminal_gets_a_bar() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=120)
    report = Report(console)
    with report.counting("Playing", total=61) as advance:
        advance(30, "2017-01-15")
        report.say("The server ended.")
        advance(61, "2017-03-06")
    text = written.getvalue()
    assert "61/61" in text
    assert "2017-03-06" in text
    assert "The server ended." in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3725, "62 min 5 s")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
