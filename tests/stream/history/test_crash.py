"""Crashes, power cuts and full disks, with processes that are really killed and files that are really cut off."""

import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.history.make_history import count, failures_of, make_event, make_window
from whoplays.stream.history.query import Query, appearances
from whoplays.stream.history.schema import open_to_write
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.history.writer import HistoryWriter

LOST_S = 2.0
"""One second, and one more for a machine with much else to do."""

WRITER = """
import sys, time
from pathlib import Path
from tests.stream.history.make_history import make_event, make_window
from whoplays.stream.history.worker import HistoryWorker

with HistoryWorker(Path(sys.argv[1])) as worker:
    for number in range(1_000_000):
        worker.handle(make_window(number))
        worker.handle(make_event(number, "start", 0))
        print(number, time.monotonic(), flush=True)
        time.sleep(0.002)
"""

DISK_FULL = """
import resource, sys, time
from pathlib import Path
from whoplays.stream.history.worker import HistoryWorker
from tests.stream.history.make_history import failures_of, make_window, wait_for

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
with HistoryWorker(Path(sys.argv[1]), on_problem=print) as worker:
    failures = failures_of(worker)
    for number in range(9_000):
        worker.handle(make_window(number))
    wait_for(lambda: len(failures) > 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(worker.dropped)
"""


def check_integrity(path: Path) -> None:
    with closing(open_to_write(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_killed_writer_loses_its_last_second_and_corrupts_nothing(tmp_path: Path) -> None:
    def write_for(alive_s: float) -> list[float]:
        """Write into a file of that name; when each message was given."""
        command = [sys.executable, "-c", WRITER, str(tmp_path / str(alive_s))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            first = process.stdout.readline()
            time.sleep(alive_s)
            process.kill()
            return [float(line.split()[1]) for line in [first, *process.stdout] if line.endswith("\n")]

    lives_s = (0.4, 2.3, 3.1)
    with ThreadPoolExecutor() as together:
        for alive_s, times_s in zip(lives_s, together.map(write_for, lives_s), strict=True):
            path = tmp_path / str(alive_s)
            written = count(path)
            assert written >= sum(time_s < times_s[-1] - LOST_S for time_s in times_s)
            assert len([*appearances(path, Query())]) in (written, written + 1, written - 1)
            check_integrity(path)


def test_a_log_cut_off_anywhere_leaves_the_beginning(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As after a power cut, of which only part reached the disk: whole batches are there, up to some batch."""
    folder = tmp_path_factory.mktemp("cut")
    path, batches = folder / "history.db", 12
    sizes = []
    with closing(open_to_write(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer = HistoryWriter(connection, keep_windows=True)
        for batch in range(batches):
            writer.write([make_window(3 * batch + number) for number in range(3)] + [make_event(batch, "start", 0)])
            sizes.append((folder / "history.db-wal").stat().st_size)
        for file in folder.iterdir():
            shutil.copy(file, f"{file}.saved")
    log = (folder / "history.db-wal.saved").read_bytes()

    @given(st.integers(0, len(log)), st.binary(max_size=100))
    @settings(max_examples=40)
    def cut(length: int, rubbish: bytes) -> None:
        crashed = folder / "crashed.db"
        shutil.copy(folder / "history.db.saved", crashed)
        (folder / "crashed.db-wal").write_bytes(log[:length] + rubbish)
        (folder / "crashed.db-shm").unlink(missing_ok=True)
        check_integrity(crashed)
        whole = sum(size <= length for size in sizes)
        assert count(crashed) >= 3 * whole
        assert count(crashed) % 3 == 0

    cut()


def test_a_full_disk_is_reported_once_and_recovered_from(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, path], capture_output=True, text=True, timeout=60, check=True
    )
    problem, over, dropped = done.stdout.splitlines()
    assert problem.startswith(f"cannot write the history in {path}: ")
    assert over.startswith(f"could write the history in {path} again")
    assert count(path) == 9_000 - int(dropped)
    check_integrity(path)


def test_a_database_damaged_meanwhile_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.RETRY_S", 0.05)
    path, problems = tmp_path / "history.db", list[str]()
    with HistoryWorker(path, on_problem=problems.append) as worker:
        failures = failures_of(worker)
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE windows")
        deadline_s = time.monotonic() + 20
        while len(failures) < 3:
            worker.handle(make_window(0))
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    (problem,) = problems
    assert problem.startswith(f"cannot write the history in {path}: no such table: windows")
    assert worker.dropped > 0
