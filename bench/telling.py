"""What the measurements against peers are told as: text for people, JSON for programs."""

import os
from statistics import median
from typing import Any

from bench import cores
from bench.arena import Arena
from bench.contest import Measured, Result
from bench.figures import Spread
from bench.load import CONNECTIONS
from bench.servers import Peer

_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


def conditions(arena: Arena) -> dict[str, str]:
    """Under what was measured."""
    plan = arena.plan
    return {
        "members": f"{plan.members:,}",
        "rounds": f"{plan.rounds} interleaved, of {plan.seconds:g} s after {plan.warm_up_seconds:g}"
        " s of warm-up, each with a fresh server",
        "connections": str(CONNECTIONS),
        "cores": f"{os.cpu_count()}. {cores.told()}",
        "PostgreSQL": ", ".join(f"{name}={arena.cluster.setting(name)}" for name in _SETTINGS),
    }


def spread(value: Spread, digits: int = 0) -> str:
    """The median with the least and the most."""
    return f"{value.median:,.{digits}f} ({value.least:,.{digits}f} to {value.most:,.{digits}f})"


def as_text(result: Result) -> str:
    """One operation's result."""
    claim = result.claim
    lines = [f"{claim.letter}: {claim.what}."]
    lines += [_line(peer, one) for peer, one in result.measured.items()]
    if result.driver_per_second:
        rate = spread(Spread.of(result.driver_per_second))
        lines.append(f"  {'the SQL through the driver':<26} {rate:>26} /s   the limit")
    best = result.best
    if best is not None:
        lines.append(_ratio(Peer.LOADERS.value, result, Peer.LOADERS, claim.against_jit))
        named = f"its best form ({best.value})"
        lines.append(_ratio(named, result, best, claim.against_best))
    if Peer.STOCK in result.measured:
        lines.append(_ratio(Peer.STOCK.value, result, Peer.STOCK, None))
    return "\n".join(lines)


def _line(peer: Peer, one: Measured) -> str:
    rate = spread(Spread.of(one.per_second))
    return (
        f"  {peer.value:<26} {rate:>26} /s   p50 {one.milliseconds(500):,.1f} ms,"
        f" p99 {one.milliseconds(990):,.1f} ms, {median(one.cpu_milliseconds):.2f} ms of a core"
        f" each, peak {one.peak_mib:,.0f} MiB"
    )


def _ratio(name: str, result: Result, peer: Peer, asked: float | None) -> str:
    ratio, said = result.ratio(peer), ""
    if asked is not None:
        said = f"   asked {asked:.1f}: {'reached' if ratio.median >= asked else 'NOT reached'}"
    cost = result.cost_ratio(peer).median
    return f"  RATIO {spread(ratio, 2)} x {name}{said}   ({cost:.2f} by the core's time for each)"


def as_json(result: Result) -> dict[str, Any]:
    """One operation's result, with every round."""
    best = result.best
    return {
        "operation": result.claim.letter,
        "what": result.claim.what,
        "peers": {
            peer.value: {
                "perSecond": one.per_second,
                "median": Spread.of(one.per_second).median,
                "p50Milliseconds": one.milliseconds(500),
                "p99Milliseconds": one.milliseconds(990),
                "cpuMilliseconds": one.cpu_milliseconds,
                "peakMib": one.peak_mib,
            }
            for peer, one in result.measured.items()
        },
        "driverPerSecond": result.driver_per_second,
        "bestForm": None if best is None else best.value,
        "ratios": {}
        if best is None
        else {
            "mercuriusJit": as_ratio(result.ratio(Peer.LOADERS), result.claim.against_jit),
            "best": as_ratio(result.ratio(best), result.claim.against_best),
        },
    }


def as_ratio(ratio: Spread, asked: float) -> dict[str, float | bool]:
    """A ratio, and whether it is what is asked."""
    return {
        "median": ratio.median,
        "least": ratio.least,
        "most": ratio.most,
        "asked": asked,
        "isReached": ratio.median >= asked,
    }
