import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.stream.history.make_history import (
    count,
    failures_of,
    make_concert,
    make_status,
    make_window,
    record,
    wait_for,
)
from whoplays.models.errors import DataError
from whoplays.stream.common.logging import log
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.history.query import Query, appearances
from whoplays.stream.history.worker import HistoryWorker


def test_everything_is_written_on_leaving(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    record(path, make_concert())
    assert [file.name for file in tmp_path.iterdir()] == ["history.db"]
    assert {table: count(path, table) for table in ("sessions", "events", "windows", "gaps", "ends")} == {
        "sessions": 1,
        "events": 2,
        "windows": 4,
        "gaps": 1,
        "ends": 1,
    }


def test_messages_are_soon_written_and_can_be_read_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.COMMIT_S", 0.1)
    path = tmp_path / "history.db"
    seen = []
    with HistoryWorker(path) as worker:
        failures = failures_of(worker)
        for number in range(40):
            worker.handle(make_window(number))
            seen.append(count(path))
            list(appearances(path, Query()))
            time.sleep(0.01)
        wait_for(lambda: count(path) == 40)
        assert (worker.dropped, failures) == (0, [])
    assert seen == sorted(seen)
    assert seen[-1] > 0


def test_without_windows_only_they_are_missing(tmp_path: Path) -> None:
    record(tmp_path / "history.db", make_concert(), keep_windows=False)
    assert (count(tmp_path / "history.db"), count(tmp_path / "history.db", "events")) == (0, 2)


def test_a_second_worker_goes_on_where_the_first_left(tmp_path: Path) -> None:
    for _ in range(2):
        record(tmp_path / "history.db", [make_status(), make_window(0)])
    assert (count(tmp_path / "history.db", "sessions"), count(tmp_path / "history.db")) == (1, 2)


def test_a_locked_database_delays_nothing_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.QUEUE_MESSAGES", 50)
    monkeypatch.setattr("whoplays.stream.history.worker.RETRY_S", 0.05)
    monkeypatch.setattr("whoplays.stream.history.schema.BUSY_S", 0.05)
    path, sent, problems = tmp_path / "history.db", 5_000, list[str]()
    with HistoryWorker(path, on_problem=problems.append) as worker:
        failures = failures_of(worker)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            worker.handle(make_window(0))
            wait_for(lambda: len(failures) > 2)
            longest_s = 0.0
            for number in range(1, sent):
                before_s = time.monotonic()
                worker.handle(make_window(number))
                longest_s = max(longest_s, time.monotonic() - before_s)
            dropped = worker.dropped
            other.execute("ROLLBACK")
        wait_for(lambda: len(problems) == 2)
    assert longest_s < 2.0
    assert dropped >= sent - 1 - 50
    assert count(path) == sent - worker.dropped
    assert problems[0].startswith(f"cannot write the history in {path}: database is locked")
    assert problems[1].startswith(f"could write the history in {path} again; {dropped} messages")


def test_leaving_does_not_wait_for_a_database_that_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        with HistoryWorker(path) as worker:
            other.execute("BEGIN IMMEDIATE")
            for number in range(10):
                worker.handle(make_window(number))
            before_s = time.monotonic()
        assert time.monotonic() - before_s < 15
        assert worker.dropped == 10


def test_an_unusable_database_is_refused_on_entering(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("a diary, not a database " * 100)
    with pytest.raises(DataError, match="file is not a database"), HistoryWorker(tmp_path / "history.db"):
        pass


def windows_in(path: Path) -> int:
    """How many there are, also while the database is being made."""
    try:
        return count(path)
    except DataError:
        return 0


def test_a_removed_or_replaced_database_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.COMMIT_S", 0.05)
    path, problems = tmp_path / "deep" / "history.db", list[str]()
    with HistoryWorker(path, on_problem=problems.append) as worker:
        worker.handle(make_window(0))
        wait_for(lambda: count(path) == 1)
        shutil.rmtree(path.parent)
        worker.handle(make_window(1))
        wait_for(lambda: len(problems) == 1)
        worker.handle(make_window(2))
        wait_for(lambda: windows_in(path) == 2)
        for file in path.parent.iterdir():
            file.rename(f"{file}.old")
        record(path, [make_window(0, stream="foyer")])
        worker.handle(make_window(3))
        wait_for(lambda: windows_in(path) == 2)
    assert worker.dropped == 0
    assert [problem.partition(" was ")[0] for problem in problems] == [str(path)] * 2


def test_a_thread_that_fails_unexpectedly_is_told_counted_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.COMMIT_S", 0.05)
    path, watch = tmp_path / "history.db", ThreadWatch(log())
    with capture_logs() as lines, HistoryWorker(path, watch=watch) as worker:
        worker.handle(make_window(1 << 60))  # a sample index that no database can hold
        wait_for(lambda: watch.failures == {"history": 1})
        assert (
            watch.trouble()
            == "history failed unexpectedly: OverflowError: Python int too large to convert to SQLite INTEGER"
        )
        worker.handle(make_window(0))
        wait_for(lambda: count(path) == 1)
        assert watch.trouble()
        monkeypatch.setattr("whoplays.stream.common.thread_watch.UNHEALTHY_S", 0.0)
        assert watch.trouble() is None
    assert worker.dropped == 1
    (line,) = lines
    assert (line["event"], line["exc_info"]) == ("history failed unexpectedly; it is started again", True)


def test_the_longest_age_and_the_largest_size_are_kept_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.RETENTION_S", 0.0)
    monkeypatch.setattr("whoplays.stream.history.worker.COMMIT_S", 0.01)
    watch = ThreadWatch(log())
    with HistoryWorker(tmp_path / "history.db", max_age_days=999_999.0, max_mb=1e300, watch=watch) as worker:
        for number in range(3):
            worker.handle(make_window(number))
        wait_for(lambda: count(tmp_path / "history.db") == 3)
    assert watch.failures == {}


def test_what_cannot_be_kept_to_the_end_is_counted(tmp_path: Path) -> None:
    with HistoryWorker(tmp_path / "history.db") as worker:
        shutil.rmtree(tmp_path)
        tmp_path.write_text("no folder")
        for number in range(3):
            worker.handle(make_window(number))
    assert (worker.unkept, worker.dropped) == (3, 3)
