"""What the comparison of senders is told as."""

from bench.push import Measured, Result, Sender

ROUNDS = {
    Sender.LAUREL: Measured([3_000.0, 2_000.0, 4_000.0], [300.0, 310.0, 290.0], [70.0] * 3),
    Sender.LIBRARY: Measured([300.0, 250.0, 200.0], [3_000.0] * 3, [90.0] * 3),
    Sender.LOAD: Measured([12_000.0, 10_000.0, 16_000.0], [10.0] * 3, [60.0] * 3),
}


def test_the_ratios_are_medians_of_the_rounds() -> None:
    result = Result(3, 4.0, ROUNDS)
    assert (result.ratio.least, result.ratio.median, result.ratio.most) == (8.0, 10.0, 20.0)
    assert (result.of_limit.least, result.of_limit.most) == (0.2, 0.25)
    assert "RATIO to the library 10.0 (8.0 to 20.0; asked 3)" in result.text
    assert "RATIO to the loopback server's limit 0.25 (0.20 to 0.25)" in result.text
    assert "the library's over Laurel's 10.0 (9.7 to 10.3)" in result.text


def test_what_limits_it_is_who_needs_more_of_a_core() -> None:
    assert (
        "What limits it: Laurel's own Python. A message takes 300 us of a core here and 70 us"
        " there; a core of its own would send 3,333 a second." in Result(3, 4.0, ROUNDS).text
    )
    slow = Measured([3_000.0] * 3, [100.0] * 3, [170.0] * 3)
    result = Result(3, 4.0, ROUNDS | {Sender.LAUREL: slow})
    assert "What limits it: the loopback server." in result.text


def test_programs_get_every_round() -> None:
    told = Result(3, 4.0, ROUNDS).as_json()
    assert told["ratioToLibrary"] == 10.0
    assert told["senders"]["laurel"]["messagesPerSecond"] == [3_000.0, 2_000.0, 4_000.0]
