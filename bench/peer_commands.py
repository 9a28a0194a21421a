"""The commands that measure against peers and limits: `home`, `balance`, `purchase` and so on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bench import arena as arenas
from bench import (
    baskets,
    cluster,
    contest,
    growth,
    latency,
    processes,
    profiling,
    starting,
    telling,
)
from bench.arena import Arena, NotTheSame, Plan, Seed
from bench.cluster import CannotStart
from bench.growth import Sizes
from bench.limits import NotOnDisk
from bench.load import Answered
from bench.servers import CannotServe, Peer
from bench.shots import Kind

Members = Annotated[int | None, typer.Option(min=200, max=5_000_000, help="Seeded members.")]
Rounds = Annotated[int | None, typer.Option(min=1, max=100, help="Interleaved rounds.")]
Seconds = Annotated[float | None, typer.Option(min=0.5, max=600, help="Of each measurement.")]
Quick = Annotated[bool, typer.Option("--quick", help="Few members, one round, 2 s: a try-out.")]
Json = Annotated[Path | None, typer.Option(help="A file for the figures as JSON.")]
Told = dict[str, Any]
_LATENCY_SECONDS = 10.0
"""At 20 a second three rounds give 600 samples, of which six are above the p99."""
_PROFILED = (Kind.HOME, Kind.BALANCE, Kind.PURCHASE)
_QUICK_HOUSEHOLDS = 20
_RETURNING = (Kind.HOME_RETURNING, Kind.BALANCE_RETURNING)


@contextmanager
def told(console: Console) -> Iterator[None]:
    """Within the block what can't be measured ends the program with a line that says why."""
    try:
        yield
    except (CannotStart, CannotServe, NotTheSame, NotOnDisk, Answered) as error:
        console.print(f"bench: {error}")
        raise typer.Exit(1) from None


def _console() -> Console:
    """Where is said what goes on: standard error, so that standard output has results alone."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _write(json: Path | None, facts: Told) -> None:
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")


# ---------------------------------------------------------------- what is measured and told


def _contest(arena: Arena, kinds: Sequence[Kind]) -> Told:
    facts: list[Told] = []
    for kind in kinds:
        with _left_out_if_it_fails(kind.value, facts):
            result = contest.measure(arena, kind)
            typer.echo(f"\n{telling.as_text(result)}")
            facts.append(telling.as_json(result))
    return {"operations": facts}


@contextmanager
def _left_out_if_it_fails(what: str, facts: list[Told]) -> Iterator[None]:
    """One measurement that fails leaves the others standing, and is said with them."""
    try:
        yield
    except (Answered, CannotServe) as error:
        typer.echo(f"\n{what}: NOT MEASURED: {error}")
        facts.append({"operation": what, "failure": str(error)})


def _latency(arena: Arena) -> Told:
    results = latency.measure(arena)
    for result in results:
        typer.echo(f"\n{latency.as_text(result)}")
    return {"latency": [latency.as_json(one) for one in results]}


def _start(arena: Arena) -> Told:
    result = starting.measure(arena)
    typer.echo(f"\n{starting.as_text(result)}")
    return {"start": starting.as_json(result)}


def _processes(arena: Arena) -> Told:
    results = processes.measure(arena)
    for result in results:
        typer.echo(f"\n{processes.as_text(result)}")
    return {"processes": [processes.as_json(one) for one in results]}


def _growth(plan: Plan, sizes: Sizes, console: Console, *, keeps: bool = False) -> Told:
    results = growth.measure(plan, sizes, console, keeps=keeps)
    if results is None:
        return {}
    typer.echo(f"\n{growth.as_text(results, sizes)}")
    return {"growth": growth.as_json(results, sizes)}


def _baskets(console: Console, households: int | None) -> Told:
    result = baskets.measure(console.print, households=households)
    typer.echo(f"\n{baskets.as_text(result)}")
    return {"baskets": baskets.as_json(result)}


def _profile(kinds: Sequence[Kind], members: int, console: Console) -> Told:
    facts = []
    with cluster.running() as running:
        name = arenas.seeded(running, Seed(members), console)
        for kind in kinds:
            with running.copy(name) as url:
                result = profiling.measure(kind, url)
            typer.echo(f"\n{profiling.as_text(result)}")
            facts.append(profiling.as_json(result))
    return {"profile": facts}


def _tell_conditions(arena: Arena) -> Told:
    facts = telling.conditions(arena)
    typer.echo("\n".join(f"{name}: {value}" for name, value in facts.items()))
    return {"conditions": facts}


# ---------------------------------------------------------------- commands


def _in_arena(
    name: str,
    summary: str,
    measure: Callable[[Arena], Told],
    *,
    wanted: Sequence[Peer] = tuple(Peer),
    seconds_usual: float | None = None,
) -> Callable[..., None]:
    """A command that measures in one arena."""

    def command(
        members: Members = None,
        rounds: Rounds = None,
        seconds: Seconds = None,
        quick: Quick = False,
        json: Json = None,
    ) -> None:
        usual = seconds if seconds or quick else seconds_usual
        plan = Plan.of(is_quick=quick, members=members, rounds=rounds, seconds=usual)
        said = _console()
        with told(said), arenas.opened(plan, said, wanted=wanted) as arena:
            facts = _tell_conditions(arena)
            _write(json, {**facts, **measure(arena)})

    command.__name__, command.__doc__ = name, summary
    return command


def _contest_of(*kinds: Kind) -> Callable[[Arena], Told]:
    return lambda arena: _contest(arena, kinds)


def grow(
    few: Annotated[int, typer.Option(min=200, help="Members of the small database.")] = 10_000,
    many: Annotated[int, typer.Option(min=200, help="Of the large one.")] = 100_000,
    purchases: Annotated[
        int, typer.Option(min=1, max=200, help="That each of the many has made; 25: 50 postings.")
    ] = 25,
    rounds: Rounds = None,
    seconds: Seconds = None,
    keep: Annotated[bool, typer.Option("--keep", help="The databases, for another run.")] = False,
    quick: Quick = False,
    json: Json = None,
) -> None:
    """H, B and P among few members and among many; --many 1000000 takes 50 GB and an hour."""
    plan = Plan.of(is_quick=quick, rounds=rounds, seconds=seconds)
    sizes = Sizes.of(500, 3_000, purchases_each=purchases) if quick else None
    said = _console()
    with told(said):
        chosen = sizes or Sizes.of(few, many, purchases_each=purchases)
        _write(json, _growth(plan, chosen, said, keeps=keep))


def play_baskets(
    households: Annotated[
        int | None, typer.Option(min=1, help="Only so many households' baskets.")
    ] = None,
    quick: Quick = False,
    json: Json = None,
) -> None:
    """All 155,848 demo baskets through HTTP on SQLite with full durability."""
    said = _console()
    with told(said):
        _write(json, _baskets(said, _QUICK_HOUSEHOLDS if quick and not households else households))


def profile(
    operations: Annotated[
        list[Kind] | None, typer.Argument(help="Which operations; H, B and P without any.")
    ] = None,
    members: Annotated[int, typer.Option(min=200, help="Seeded members.")] = 2_000,
    json: Json = None,
) -> None:
    """Where the time of an operation goes: statements, layers, functions."""
    said = _console()
    with told(said):
        _write(json, _profile(operations or _PROFILED, members, said))


def measure_all(
    members: Members = None,
    rounds: Rounds = None,
    seconds: Seconds = None,
    quick: Quick = False,
    json: Json = None,
) -> None:
    """All of these, one after the other, into one file: half an hour, or minutes with --quick."""
    plan = Plan.of(is_quick=quick, members=members, rounds=rounds, seconds=seconds)
    said = _console()
    with told(said):
        with arenas.opened(plan, said) as arena:
            facts = _tell_conditions(arena)
            facts |= _contest(arena, list(Kind))
            for what, part in (("start", _start), ("processes", _processes)):
                with _left_out_if_it_fails(what, facts["operations"]):
                    facts |= part(arena)
        slow = (
            plan
            if quick
            else Plan.of(is_quick=False, members=plan.members, seconds=_LATENCY_SECONDS)
        )
        with (
            arenas.opened(slow, said, wanted=latency.PEERS) as arena,
            _left_out_if_it_fails("latency", facts["operations"]),
        ):
            facts |= _latency(arena)
        few, many = (500, 3_000) if quick else (10_000, plan.members)
        with _left_out_if_it_fails("growth", facts["operations"]):
            facts |= _growth(plan, Sizes.of(few, many, purchases_each=25), said)
        facts |= _profile(_PROFILED, Plan.of(is_quick=True).members, said)
        facts |= _baskets(said, _QUICK_HOUSEHOLDS if quick else None)
        _write(json, facts)


def register(cli: typer.Typer) -> None:
    """Add the commands, in the order in which `--help` shows them."""
    for name, summary, measure in (
        ("home", "Home screens in a second (H), against Mercurius and others.",
         _contest_of(Kind.HOME)),
        ("balance", "Balances in a second (B), against the same.", _contest_of(Kind.BALANCE)),
        ("purchase", "Purchases in a second (P), against two plain rows.",
         _contest_of(Kind.PURCHASE)),
        ("batches", "Purchases in a second in batches of 100, against single rows.",
         _contest_of(Kind.BATCH)),
        ("returning", "Home screens and balances of members who come back.",
         _contest_of(*_RETURNING)),
    ):  # fmt: skip
        cli.command(name)(_in_arena(name, summary, measure))
    cli.command("latency")(
        _in_arena(
            "latency",
            "What H, B and P are answered in at a modest fixed rate, against Mercurius.",
            _latency,
            wanted=latency.PEERS,
            seconds_usual=_LATENCY_SECONDS,
        )
    )
    for name, summary, measure in (
        ("start", "How soon a start answers, and the peak memory of a process.", _start),
        ("processes", "Two server processes on two cores, against one.", _processes),
    ):
        cli.command(name)(_in_arena(name, summary, measure, wanted=(Peer.LAUREL,)))
    cli.command("growth")(grow)
    cli.command("baskets")(play_baskets)
    cli.command("profile")(profile)
    cli.command("all")(measure_all)
