"""The command line: `python -m bench COMMAND`; `--help` lists the commands."""

import signal
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bench import hostile as hostile_bench
from bench import ledger as ledger_bench
from bench import live as live_bench
from bench import outage as outage_bench
from bench import peer_commands, report
from bench import push as push_bench
from bench import quoting as quote_bench
from bench.ledger import CannotStart, Plan
from bench.limits import NotOnDisk
from bench.workers import WorkerFailed

cli = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
_CLIENTS = 32


@cli.callback()
def bench() -> None:
    """Measures what Laurel claims, each against a peer or a limit in the same run."""
    for stop in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was started is stopped in order
        signal.signal(stop, signal.default_int_handler)


@cli.command()
def ledger(
    clients: Annotated[int, typer.Option(min=1, max=100, help="At once.")] = _CLIENTS,
    processes: Annotated[int, typer.Option(min=1, max=32, help="That the clients are in.")] = 2,
    members: Annotated[int, typer.Option(min=100, max=100_000)] = 2_000,
    rounds: Annotated[int, typer.Option(min=1, max=100)] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="Of each measurement.")] = 4,
    network_milliseconds: Annotated[
        int, typer.Option(min=0, max=100, help="Of a database a network away; 0 leaves it out.")
    ] = 1,
    json: Annotated[Path | None, typer.Option(help="A file for the figures as JSON.")] = None,
) -> None:
    """Purchases in a second on PostgreSQL, against a ledger with a balance row of the programme."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if processes > clients:
        console.print("bench: each process needs a client: take fewer processes or more clients")
        raise typer.Exit(2)
    plan = Plan(
        clients=clients,
        processes=processes,
        members=members,
        rounds=rounds,
        seconds=seconds,
        wait_milliseconds=network_milliseconds,
    )
    try:
        result = ledger_bench.measure(plan, console.print)
    except (CannotStart, NotOnDisk, WorkerFailed) as error:
        console.print(f"bench: {error}")
        raise typer.Exit(1) from None
    typer.echo(f"\n{report.text(result)}")
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report.as_json(result))) + b"\n")


@cli.command()
def live(
    clients: Annotated[int, typer.Option(min=1, max=100, help="At once.")] = _CLIENTS,
    rounds: Annotated[int, typer.Option(min=1, max=100)] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="Of each measurement.")] = 4,
) -> None:
    """Commits in a second on PostgreSQL that other processes hear of, against ones that none do."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        result = live_bench.measure(
            clients=clients, rounds=rounds, seconds=seconds, say=console.print
        )
    except (CannotStart, NotOnDisk) as error:
        console.print(f"bench: {error}")
        raise typer.Exit(1) from None
    typer.echo(f"\n{result.text}")


@cli.command()
def hostile(
    count: Annotated[int, typer.Option(min=100, max=1_000_000, help="Attacks.")] = 10_000,
    clients: Annotated[int, typer.Option(min=1, max=100, help="Attackers at once.")] = 2,
    seed: Annotated[int, typer.Option(help="Another seed, other attacks.")] = 1,
    normal_per_second: Annotated[
        int, typer.Option(min=1, max=1000, help="Home screens that members ask for meanwhile.")
    ] = 20,
    quiet_seconds: Annotated[
        int, typer.Option(min=1, max=600, help="How long these are measured alone.")
    ] = 20,
) -> None:
    """Hostile documents, bodies and frames against a server at work; exit code 1 if it was hurt."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    plan = hostile_bench.Plan(
        count=count,
        clients=clients,
        seed=seed,
        normal_per_second=normal_per_second,
        quiet_seconds=quiet_seconds,
    )
    try:
        result = hostile_bench.measure(plan, console.print)
    except hostile_bench.CannotMeasure as error:
        console.print(f"bench: {error}")
        raise typer.Exit(2) from None
    typer.echo(f"\n{hostile_bench.text(result)}")
    if not result.holds:
        raise typer.Exit(1)


@cli.command()
def quote(
    members: Annotated[
        list[int] | None, typer.Option(min=1, max=1_000_000, help="Among so many; repeatable.")
    ] = None,
    offers: Annotated[int, typer.Option(min=1, max=10_000, help="That are live.")] = 1_000,
    quotes: Annotated[int, typer.Option(min=10, max=100_000, help="Of each measurement.")] = 300,
    json: Annotated[Path | None, typer.Option(help="A file for the figures as JSON.")] = None,
) -> None:
    """The processor's time of a quoteBasket of 30 lines, among few members and among many."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    usual = quote_bench.Plan()
    plan = quote_bench.Plan(tuple(members or usual.members), offers, quotes)
    result = quote_bench.measure(plan, console)
    typer.echo(f"\n{quote_bench.as_text(result, plan)}")
    if json is not None:
        encoded = msgspec.json.encode(quote_bench.as_json(result, plan))
        json.write_bytes(msgspec.json.format(encoded) + b"\n")


@cli.command("push-outage")
def push_outage(
    rounds: Annotated[int, typer.Option(min=1, max=100)] = 1,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Of each outage.")] = 60,
    per_second: Annotated[int, typer.Option(min=1, max=1000, help="Purchases.")] = 20,
) -> None:
    """Purchases while Firebase is away, against while it is there; exit code 1 if they notice."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        result = outage_bench.measure(
            rounds=rounds, outage_seconds=seconds, per_second=per_second, say=console.print
        )
    except outage_bench.CannotMeasure as error:
        console.print(f"bench: {error}")
        raise typer.Exit(2) from None
    typer.echo(f"\n{outage_bench.as_text(result)}")
    if not result.holds:
        raise typer.Exit(1)


@cli.command()
def push(
    rounds: Annotated[int, typer.Option(min=1, max=100)] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="Of each measurement.")] = 4,
    json: Annotated[Path | None, typer.Option(help="A file for the figures as JSON.")] = None,
) -> None:
    """Push messages in a second to a loopback FCM, against firebase-admin's own client."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        result = push_bench.measure(rounds=rounds, seconds=seconds, say=console.print)
    except push_bench.NotSent as error:
        console.print(f"bench: {error}")
        raise typer.Exit(1) from None
    typer.echo(f"\n{result.text}")
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result.as_json())) + b"\n")


peer_commands.register(cli)

if __name__ == "__main__":
    cli(prog_name="python -m bench")
