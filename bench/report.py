"""What a measurement is told as: text for people, JSON for programs."""

from typing import Any

from bench.figures import Spread
from bench.ledger import Comparison, Measured, Result
from bench.purchasing import LINES


def _spread(spread: Spread, digits: int = 0) -> str:
    return f"{spread.median:,.{digits}f} ({spread.least:,.{digits}f} to {spread.most:,.{digits}f})"


def _line(name: str, measured: Measured) -> str:
    rate = _spread(Spread.of(measured.per_second))
    return (
        f"  {name:<24} {rate:>24} purchases/s"
        f"   p50 {measured.milliseconds(500):,.0f} ms, p99 {measured.milliseconds(990):,.0f} ms"
    )


def _compared(comparison: Comparison) -> list[str]:
    return [
        f"With {comparison.situation}:",
        _line("Laurel", comparison.laurel),
        _line("with the programme's row", comparison.peer),
        f"  RATIO {_spread(comparison.ratio, 2)}",
        "",
    ]


def text(result: Result) -> str:
    """The result for a terminal: medians of the rounds, with the least and the most."""
    plan = result.plan
    settings = ", ".join(f"{name}={value}" for name, value in result.settings.items())
    lines = [
        f"{plan.clients} clients in {plan.processes} processes, {plan.members:,} members,"
        f" {plan.rounds} interleaved rounds of {plan.seconds} s, {result.cores} cores.",
        f"PostgreSQL {result.postgres}, {settings}.",
        f"A purchase is the whole transaction of recordPurchase: a basket of {LINES} lines with its"
        " idempotency key.",
        "The programme's row: one row for each asset with what was issued and redeemed, updated"
        " with the postings.",
        "",
        "Limits of this machine:",
        f"  writing 8 KiB and fdatasync    {result.sync_milliseconds:.3f} ms",
        f"  committing single rows         {_spread(result.bare_commits_per_second)} commits/s",
        "  Python's share of a purchase   "
        f"{result.comparisons[0].laurel.python_milliseconds:.2f} ms of a core",
        "",
    ]
    for comparison in result.comparisons:
        lines += _compared(comparison)
    return "\n".join(lines)


def as_json(result: Result) -> dict[str, Any]:
    """The result for programs: every round, and the figures of `text`."""

    def spread(value: Spread) -> dict[str, float]:
        return {"median": value.median, "least": value.least, "most": value.most}

    def measured(value: Measured) -> dict[str, Any]:
        return {
            "purchasesPerSecond": value.per_second,
            "median": Spread.of(value.per_second).median,
            "p50Milliseconds": value.milliseconds(500),
            "p99Milliseconds": value.milliseconds(990),
            "pythonMilliseconds": value.python_milliseconds,
        }

    return {
        "clients": result.plan.clients,
        "processes": result.plan.processes,
        "members": result.plan.members,
        "rounds": result.plan.rounds,
        "secondsPerRound": result.plan.seconds,
        "cores": result.cores,
        "postgres": result.postgres,
        "settings": result.settings,
        "syncMilliseconds": result.sync_milliseconds,
        "bareCommitsPerSecond": spread(result.bare_commits_per_second),
        "comparisons": [
            {
                "situation": one.situation,
                "laurel": measured(one.laurel),
                "programmeRow": measured(one.peer),
                "ratio": spread(one.ratio),
            }
            for one in result.comparisons
        ],
    }
