"""What is told follows from the rounds, and says plainly what was not reached."""

import json
from pathlib import Path

import pytest

from bench import baskets, contest, growth, peer_commands, profiling, telling
from bench.arena import Plan, Seed
from bench.baskets import Played
from bench.cluster import Cluster
from bench.contest import CLAIMS, Measured, Result
from bench.growth import Grown, Sizes
from bench.latency import Latencies
from bench.load import Answered
from bench.servers import PEERS, Peer
from bench.shots import Kind


def measured(*per_second: float) -> Measured:
    costs = [500 / rate for rate in per_second]
    return Measured(list(per_second), [0.001, 0.002, 0.003], 100.0, costs)


RESULT = Result(
    CLAIMS[Kind.HOME],
    {
        Peer.LAUREL: measured(1000, 1200, 1100),
        Peer.LOADERS: measured(500, 500, 500),
        Peer.SQL: measured(1600, 1500, 1000),
    },
    [3000.0, 4000.0, 5000.0],
)


def test_ratios_are_told_with_what_was_asked() -> None:
    lines = telling.as_text(RESULT).splitlines()
    assert (
        "  RATIO 2.20 (2.00 to 2.40) x Mercurius + graphql-jit   asked 2.0: reached"
        "   (2.20 by the core's time for each)"
    ) in lines
    assert (
        "  RATIO 0.80 (0.62 to 1.10) x its best form (Mercurius, one SQL)   asked 1.0: NOT reached"
        "   (0.80 by the core's time for each)"
    ) in lines
    assert lines[1].endswith(
        "1,100 (1,000 to 1,200) /s   p50 2.0 ms, p99 3.0 ms, 0.45 ms of a core each, peak 100 MiB"
    )
    assert "4,000 (3,000 to 5,000) /s   the limit" in lines[4]


def test_the_best_form_is_the_faster_one_of_this_run() -> None:
    slow_sql = Result(
        CLAIMS[Kind.BALANCE],
        {Peer.LAUREL: measured(1), Peer.LOADERS: measured(3), Peer.SQL: measured(2)},
    )
    assert (RESULT.best, slow_sql.best) == (Peer.SQL, Peer.LOADERS)
    alone = Result(CLAIMS[Kind.HOME], {Peer.LAUREL: measured(1), Peer.STOCK: measured(2)})
    assert alone.best is None
    assert "asked" not in telling.as_text(alone)


def test_json_has_every_round() -> None:
    told = telling.as_json(RESULT)
    assert told["peers"]["Laurel"]["perSecond"] == [1000, 1200, 1100]
    assert told["ratios"]["mercuriusJit"]["isReached"] is True
    assert told["ratios"]["best"]["isReached"] is False
    assert json.loads(json.dumps(told)) == told


def test_a_batch_is_held_against_single_purchases_of_peers() -> None:
    assert CLAIMS[Kind.BATCH].peers_kind is Kind.PURCHASE
    assert CLAIMS[Kind.HOME_RETURNING].peers_kind is Kind.HOME_RETURNING
    assert (Kind.BATCH.weight, Kind.PURCHASE.weight) == (100, 1)
    assert set(contest.CLAIMS) == set(Kind)


def test_quick_is_small_unless_more_is_asked() -> None:
    assert Plan.of(is_quick=True) == Plan(2_000, 1, 2, 1)
    assert Plan.of(is_quick=True, members=500, seconds=9) == Plan(500, 1, 9, 1)
    assert Plan.of(is_quick=False, rounds=5) == Plan(100_000, 5, 6, 2)


def test_a_p99_is_reached_if_it_is_no_worse_than_each_peers() -> None:
    latencies = Latencies(
        Kind.HOME, {Peer.LAUREL: [[0.01], [0.02]], Peer.LOADERS: [[0.02]], Peer.SQL: [[0.03]]}
    )
    assert latencies.is_reached
    latencies.seconds[Peer.SQL] = [[0.019]]
    assert not latencies.is_reached


def test_growth_is_how_many_times_as_long_it_takes() -> None:
    grown = Grown(Kind.HOME, few=[130, 260], many=[100, 100])
    assert grown.ratio.median == pytest.approx(1.95)
    sizes = Sizes.of(10, 1000, purchases_each=25)
    assert (sizes.few, sizes.many) == (Seed(10, is_lean=True), Seed(1000, 25, is_lean=True))
    assert "1.95 times as long (1.30 to 2.60)   asked at most 1.3: NOT reached" in growth.as_text(
        [grown], sizes
    )


@pytest.mark.parametrize(
    ("said", "played"),
    [
        ("x\nPlayed 155,848 baskets in 2 min 59 s, 900 baskets/s.\n", Played(179, 155_848, True)),
        ("Played 12 baskets in 0 s.", Played(1, 12, True)),
        ("The replay stopped.", None),
    ],
)
def test_what_the_replay_says_of_itself_is_read(said: str, played: Played | None) -> None:
    assert baskets.parsed(said, is_all=True) == played


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("/x/site-packages/asyncpg/pool.py", "the database's driver and SQL"),
        ("/x/server/storage/sql.py", "the database's driver and SQL"),
        ("/x/site-packages/graphql/execution/executor.py", "executing"),
        ("/x/site-packages/graphql/language/parser.py", "parsing, validating, planning"),
        ("/x/server/members/tokens.py", "authentication"),
        ("/x/server/tiers/rules.py", "rules and verbs"),
        ("/x/lib/asyncio/base_events.py", "the event loop"),
        ("/x/lib/enum.py", "other"),
    ],
)
def test_a_file_belongs_to_a_layer(path: str, layer: str) -> None:
    assert profiling.layer_of(path) == layer


def test_the_peers_lock_file_names_no_host_that_packages_come_from() -> None:
    folder = Path(PEERS) / "node"
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    own, *packages = lock["packages"].values()
    assert own["dependencies"] == wanted["dependencies"]
    assert len(packages) > 50
    assert all("resolved" not in one and one["integrity"].startswith("sha512-") for one in packages)
    assert not list(folder.glob(".npmrc"))


def test_what_fails_is_told_beside_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    facts: list[dict[str, object]] = [{"operation": "H"}]

    def measure() -> None:
        raise Answered("nothing came")

    with peer_commands._left_out_if_it_fails("growth", facts):
        measure()
    assert facts == [{"operation": "H"}, {"operation": "growth", "failure": "nothing came"}]
    assert capsys.readouterr().out == "\ngrowth: NOT MEASURED: nothing came\n"


class _Disk(Cluster):
    """A cluster on a disk with 6,000 MiB left, which has one database."""

    def names(self) -> set[str]:
        return {Seed(5).name}

    def free_mib(self) -> int:
        return 6_000


def test_a_database_is_not_begun_without_room_for_it(tmp_path: Path) -> None:
    disk = _Disk("postgres://", 1, tmp_path)
    assert growth.lacking_mib(disk, Seed(10_000, 25)) < 0
    assert growth.lacking_mib(disk, Seed(1_000_000, 25)) > 30_000
    assert growth.lacking_mib(disk, Seed(5)) == 0
