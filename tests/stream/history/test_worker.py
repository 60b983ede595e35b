import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.stream.history.make_history import (
    failures_of,
    keep_all,
    keeping,
    make_concert,
    make_status,
    make_window,
    wait_for,
)
from whoplays.models.errors import DataError, OptionError
from whoplays.stream.history.query import Query, appearances
from whoplays.stream.history.schema import open_to_read
from whoplays.stream.history.worker import HistoryWorker


def count(path: Path, table: str = "windows") -> int:
    with closing(open_to_read(path)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def test_everything_is_there_when_the_keeper_has_left(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    keep_all(path, make_concert())
    assert [file.name for file in tmp_path.iterdir()] == ["history.db"]
    assert {table: count(path, table) for table in ("sessions", "events", "windows", "gaps", "ends")} == {
        "sessions": 1,
        "events": 2,
        "windows": 4,
        "gaps": 1,
        "ends": 1,
    }


def test_what_is_kept_is_soon_there_and_can_be_read_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    seen = []
    with keeping(path) as keeper:
        failures = failures_of(keeper)
        for number in range(40):
            keeper.keep(make_window(number))
            seen.append(count(path))
            appearances(path, Query())
            time.sleep(0.05)
        wait_for(lambda: count(path) == 40)
        assert (keeper.dropped, failures) == (0, [])
    assert seen == sorted(seen)
    assert seen[-1] > 0


def test_without_windows_only_they_are_missing(tmp_path: Path) -> None:
    keep_all(tmp_path / "history.db", make_concert(), keep_windows=False)
    assert (count(tmp_path / "history.db"), count(tmp_path / "history.db", "events")) == (0, 2)


def test_a_second_keeper_goes_on_where_the_first_left(tmp_path: Path) -> None:
    for _ in range(2):
        keep_all(tmp_path / "history.db", [make_status(), make_window(0)])
    assert (count(tmp_path / "history.db", "sessions"), count(tmp_path / "history.db")) == (1, 2)


def test_a_locked_database_delays_nobody_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.QUEUE_MESSAGES", 50)
    monkeypatch.setattr("whoplays.stream.history.worker.RETRY_S", 0.05)
    monkeypatch.setattr("whoplays.stream.history.schema.BUSY_S", 0.05)
    path, sent, told = tmp_path / "history.db", 5_000, list[str]()
    with HistoryWorker(path, keep_windows=True, max_age_days=None, max_bytes=None, tell=told.append) as keeper:
        failures = failures_of(keeper)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            keeper.keep(make_window(0))
            wait_for(lambda: len(failures) > 2)
            longest_s = 0.0
            for number in range(1, sent):
                before_s = time.monotonic()
                keeper.keep(make_window(number))
                longest_s = max(longest_s, time.monotonic() - before_s)
            dropped = keeper.dropped
            other.execute("ROLLBACK")
        wait_for(lambda: len(told) == 2)
    assert longest_s < 2.0
    assert dropped >= sent - 1 - 50
    assert count(path) == sent - keeper.dropped
    assert told[0] == f"cannot write the history in {path}: database is locked; it is tried again"
    assert told[1] == f"could write the history in {path} again; {dropped} messages were given up so far"


def test_leaving_does_not_wait_for_a_database_that_stays_locked(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        with keeping(path) as keeper:
            other.execute("BEGIN IMMEDIATE")
            for number in range(10):
                keeper.keep(make_window(number))
            before_s = time.monotonic()
        assert time.monotonic() - before_s < 15
        assert keeper.dropped == 10


@pytest.mark.parametrize(("days", "size"), [(0, None), (-1, None), (float("nan"), None), (None, 1000)])
def test_limits_that_make_no_sense_are_refused(tmp_path: Path, days: float | None, size: int | None) -> None:
    with (
        pytest.raises(OptionError, match="makes no sense"),
        keeping(tmp_path / "history.db", max_age_days=days, max_bytes=size),
    ):
        pass
    assert not (tmp_path / "history.db").exists()


def test_a_database_that_cannot_be_used_is_told_on_entering(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("a diary, not a database " * 100)
    with pytest.raises(DataError, match="file is not a database"), keeping(tmp_path / "history.db"):
        pass
