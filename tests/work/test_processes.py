"""From a till's purchase to the phone, by processes as an operator runs them."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.storage.database import DATABASE_FILE, Address
from tests.fcm.running import serving
from tests.serving.servers import finished, get, options_of, started
from tests.work.processes import all_settled, arrived, at_work, buy, kill, pushed_to


def test_a_server_on_sqlite_delivers_itself_and_ends_in_order(tmp_path: Path) -> None:
    with serving() as fcm:
        settings = {**pushed_to(fcm, tmp_path), "LAUREL_BACKGROUND": "here"}
        words = ("--demo", "--port", "0", "--metrics-port", "0", "--data", str(tmp_path))
        with started(*words, cwd=tmp_path, settings=settings) as server:
            for number in range(3):
                buy(server.url, number)
            assert len(set(arrived(fcm, 3))) == 3
            metrics = get(server.wait_for(r"^Metrics: (http://\S+)$")[1])[1]
            assert 'laurel_job_runs_total{job="relay",outcome="done"}' in metrics
            assert 'laurel_job_lag_seconds{job="send"} 0.0' in metrics
            assert "\nlaurel_outbox_waiting " in metrics

            shown = finished("jobs", "--json", "--data", str(tmp_path), cwd=tmp_path)
            jobs = {one["name"]: one for one in json.loads(shown.stdout)}
            assert jobs["relay"]["cron"] == "* * * * * *"
            assert jobs["send"]["done"] >= 3
            assert jobs["send"]["lagSeconds"] == 0
            assert jobs["retention"]["lastRunAt"] is None
            table = finished("jobs", "--data", str(tmp_path), cwd=tmp_path).stdout.splitlines()
            assert table[0].split()[:2] == ["job", "runs"]
            assert [line.split()[0] for line in table[1:]] == list(jobs)

            refused = finished("work", "--data", str(tmp_path), cwd=tmp_path)
            assert refused.returncode == 1
            [line] = refused.stderr.splitlines()
            assert line.endswith("a server on SQLite does this work itself")
            assert server.stop() == 0
        assert server.complaints == []
    assert len(fcm.received) == 3
    with closing(sqlite3.connect(tmp_path / f"{DATABASE_FILE}.dbos")) as dbos:
        states = dbos.execute("SELECT DISTINCT status FROM workflow_status").fetchall()
    assert states == [("SUCCESS",)]


def test_what_a_worker_leaves_that_is_killed_another_does_once(
    empty_address: Address, engine: str, tmp_path: Path
) -> None:
    if engine == "sqlite":
        pytest.skip("one process works there")
    where = options_of(empty_address)
    with serving() as fcm:
        settings = pushed_to(fcm, tmp_path)
        with started("--demo", "--port", "0", *where, cwd=tmp_path) as server:
            url = server.url  # by then there are tables
            with (
                at_work(*where, cwd=tmp_path, settings=settings) as first,
                at_work(*where, cwd=tmp_path, settings=settings) as second,
            ):
                for number in range(6):
                    buy(url, number)
                kill(first)
                for number in range(6, 9):
                    buy(url, number)
                # What the dead one had under way is in doubt, and is not sent again.
                settled = asyncio.run(all_settled(empty_address.location, 9))
                ids = [one.message["data"]["notificationId"] for one in fcm.received]
                assert len(ids) == len(set(ids))
                assert settled["sent"] + settled["in_doubt"] == 9
                assert 3 <= settled["sent"] <= len(ids)
                assert second.stop() == 0
                assert second.printed[-1] == "Stopped."
                assert second.complaints == []


def test_a_worker_alone_on_sqlite_works_and_stops(
    database_address: Address, tmp_path: Path
) -> None:
    settings = {"LAUREL_METRICS_PORT": "0"}
    with at_work(*options_of(database_address), cwd=tmp_path, settings=settings) as worker:
        assert worker.printed == [f"Working on {database_address.shown}"]
        assert worker.stop() == 0
    assert worker.printed[-1] == "Stopped."
    assert worker.complaints == []


def test_what_is_no_key_of_firebases_is_told_in_a_line(
    database_address: Address, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    file.write_text("{}")
    settings = {"LAUREL_FCM_CREDENTIALS": str(file)}
    result = finished("work", *options_of(database_address), cwd=tmp_path, settings=settings)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(f"laurel: LAUREL_FCM_CREDENTIALS: the file {file} is not the key")
