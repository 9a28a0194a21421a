"""The `replay` command: from the options to the result files."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console

from server import clock
from server.replay import baskets, checkpoint, databases, folder, offers, outputs, session
from server.replay.demo_data import DemoDataMissing, write_demo_baskets
from server.replay.errors import ReplayStopped
from server.replay.folder import Folder
from server.replay.play import HOUSEHOLDS_PER_CHUNK, Player
from server.replay.policy import policy_days
from server.replay.prefetch import prefetched
from server.replay.programme_file import ProgrammeFile, read_programme
from server.replay.report import Advance, Report, duration
from server.replay.session import Session, Where
from server.replay.steps import Batch, Limits, steps

EXIT_STOPPED = 1
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay, and where."""

    programme: Path
    out: Path
    baskets: Path | None = None
    demo: bool = False
    offers: Path | None = None
    households: int | None = None
    database: str | None = None
    url: str | None = None
    api_key: str | None = None
    limits: Limits = field(default_factory=Limits)
    households_per_chunk: int = HOUSEHOLDS_PER_CHUNK


def run(options: ReplayOptions, report: Report | None = None) -> int:
    """Replays; returns 0, or 1 with a line on stderr that says what is wrong."""
    report = report or Report()
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    try:
        _check(options)
        with _terminable(), folder.opened(options.out, report.say) as place:
            _replay(options, place, report)
    except (ReplayStopped, DemoDataMissing) as stopped:
        errors.print(str(stopped))
        return EXIT_STOPPED
    except OSError as error:
        errors.print(f"The replay stopped: {error}")
        return EXIT_STOPPED
    except KeyboardInterrupt:
        errors.print("Interrupted. Start the same command again to continue.")
        return EXIT_INTERRUPTED
    return 0


def _check(options: ReplayOptions) -> None:
    """Refuses options that contradict each other."""
    if (options.baskets is None) != options.demo:
        raise ReplayStopped("Give either --baskets FILE or --demo.")
    if options.households is not None and not options.demo:
        raise ReplayStopped("--households goes with --demo.")
    if options.database is not None and options.url is not None:
        raise ReplayStopped("Give at most one of --database and --url.")
    if options.database is not None:
        databases.check_url(options.database)


def _replay(options: ReplayOptions, place: Folder, report: Report) -> None:
    programme = read_programme(options.programme)
    path = _basket_file(options, place, report)
    window = baskets.Window(programme.starts_at, programme.ends_before)
    report.say(f"Checking {path}.")
    survey = baskets.survey(path, window)
    if survey.outside:
        report.say(
            f"{survey.outside:,} baskets lie outside {programme.first_date} to "
            f"{programme.last_date} and are not played."
        )
    campaigns = offers.found(programme, options.offers, survey.households, report.say)
    replay_id = checkpoint.replay_digest(programme=programme.digest, baskets=survey.digest)
    where = Where(database=options.database, url=options.url, api_key=options.api_key)
    with session.opened(where, programme, replay_id, place, report.say) as opened:
        if opened.state.phase == "playing":
            with report.counting(
                "Playing", total=survey.inside, done=opened.state.baskets_done
            ) as advance:
                _play(options, programme, path, opened, place, advance)
        report.say("Writing the results.")
        outputs.write_results(
            opened.client,
            place.path,
            households=survey.households,
            minor_units_per_major=programme.minor_units_per_major,
            at=clock.Instant(programme.ends_before - 1),
        )
        has_offers = campaigns is not None and offers.play(
            opened.client,
            campaigns,
            place.path,
            replay=replay_id,
            publish=opened.publish,
            say=report.say,
        )
        opened.state.phase = "finished"
        place.state.write(opened.state)
    _say_end(survey.inside, opened, place, report, has_offers=has_offers)


def _basket_file(options: ReplayOptions, place: Folder, report: Report) -> Path:
    """The file that is played; the sample data is written into the folder once."""
    if options.baskets is not None:
        return options.baskets
    size = "" if options.households is None else f"-{options.households}"
    path = place.path / f"demo-baskets{size}.jsonl.gz"
    if not path.exists():
        with report.counting("Preparing the sample data") as advance:
            write_demo_baskets(
                path,
                households=options.households,
                progress=lambda written, total: advance(written, total=total),
            )
    return path


def _play(
    options: ReplayOptions,
    programme: ProgrammeFile,
    path: Path,
    opened: Session,
    place: Folder,
    advance: Advance,
) -> None:
    """Plays what remains after the state's position."""

    def done(batch: Batch) -> None:
        day = clock.local_datetime(batch.at, programme.timezone).date()
        advance(batch.last + 1, str(day))

    player = Player(
        client=opened.client,
        policy=programme.policy,
        state=opened.state,
        file=place.state,
        on_baskets=done,
        households_per_chunk=options.households_per_chunk,
    )
    days = policy_days(
        programme.policy,
        first=programme.first_date,
        last=programme.last_date,
        zone_name=programme.timezone,
    )
    remaining = steps(
        baskets.played(path, baskets.Window(programme.starts_at, programme.ends_before)),
        days,
        currency=programme.currency,
        baskets_done=opened.state.baskets_done,
        runs_done=opened.state.runs_done,
        limits=options.limits,
    )
    with prefetched(remaining) as ready:
        for step in ready:
            player.play(step)


def _say_end(
    number: int, opened: Session, place: Folder, report: Report, *, has_offers: bool
) -> None:
    seconds = opened.state.seconds
    speed = f", {number / seconds:,.0f} baskets/s" if seconds > 0 else ""
    report.say(f"Played {number:,} baskets in {duration(seconds)}{speed}.")
    files = [outputs.MEMBERS_FILE, outputs.MONTHS_FILE, outputs.RETENTION_FILE]
    if has_offers:
        files.append(offers.OFFERS_FILE)
    report.say(f"Results: {', '.join(str(place.path / file) for file in files)}")


@contextmanager
def _terminable() -> Iterator[None]:
    """Within the block, SIGTERM does what Ctrl-C does: a clean stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
