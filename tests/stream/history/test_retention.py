import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.stream.history.make_history import STARTED_NS, failures_of, make_end, make_event, make_window, wait_for
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.history.retention import DAY_NS, Retention
from whoplays.stream.history.schema import open_to_write
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.history.writer import HistoryWriter
from whoplays.stream.pubsub.messages import Message

MIB = 1 << 20
MIB_MB = MIB / 1e6


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_to_write(tmp_path / "history.db")) as connection:
        yield connection


def numbers(connection: sqlite3.Connection, what: str) -> list[int]:
    return [row[0] for row in connection.execute(f"SELECT {what} ORDER BY 1")]


def write_days(connection: sqlite3.Connection, ages_days: list[int]) -> None:
    """A session of one window and one appearance on each of some days ago."""
    for age in ages_days:
        started_at_ns, session = time.time_ns() - age * DAY_NS, f"{age} days ago"
        window = make_window(0, session=session, started_at_ns=started_at_ns)
        event = make_event(0, "start", 0, session=session)
        end = make_event(0, "end", 3, session=session)
        HistoryWriter(connection, keep_windows=True).write([window, event, end])


def test_what_is_too_old_is_deleted(connection: sqlite3.Connection) -> None:
    write_days(connection, [40, 31, 29, 2, 0])
    Retention(connection, 30.0, None).apply()
    assert [row[0] for row in connection.execute("SELECT session FROM sessions ORDER BY id")] == [
        f"{age} days ago" for age in (29, 2, 0)
    ]
    for table in ("windows", "events"):
        assert numbers(connection, f"session FROM {table}") == [3, 4, 5]


def test_a_session_that_goes_on_loses_its_old_part_only(connection: sqlite3.Connection) -> None:
    started_at_ns = time.time_ns() - 3600 * 1_000_000_000
    old: list[Message] = [make_window(number, started_at_ns=started_at_ns) for number in range(1190)]
    plays_on, played = make_event(0, "start", 0), [make_event(1, "start", 3), make_event(1, "end", 6)]
    HistoryWriter(connection, keep_windows=True).write([old[0], plays_on, old[1], *played, *old[2:]])
    Retention(connection, 0.5 / 24, None).apply()
    assert 580 <= len(numbers(connection, "id FROM windows")) <= 601
    assert numbers(connection, "start_sample FROM events") == [0]
    assert numbers(connection, "count(*) FROM sessions") == [1]


def test_a_clock_that_jumps_ahead_deletes_nothing(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(connection, [700, 2, 0])
    retention, time_ns = Retention(connection, 300.0, None), time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: time_ns() + 600 * DAY_NS)
    retention.apply()
    assert numbers(connection, "id FROM sessions") == [2, 3]
    monkeypatch.setattr(time, "time_ns", lambda: time_ns() - 100 * DAY_NS)
    write_days(connection, [250])
    retention.apply()
    assert numbers(connection, "id FROM sessions") == [2, 3, 4]


def test_what_is_deleted_is_found_by_an_index(connection: sqlite3.Connection) -> None:
    """In ten million rows it would take more than a second of each five otherwise."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    Retention(connection, 365.0, None).apply()
    connection.set_trace_callback(None)
    deletions = [statement for statement in statements if statement.startswith("DELETE")]
    plans = [step[3] for text in deletions for step in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert len(deletions) == 4
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


def test_without_limits_nothing_is_deleted(connection: sqlite3.Connection) -> None:
    write_days(connection, [4000, 0])
    Retention(connection, None, None).apply()
    assert numbers(connection, "id FROM sessions") == [1, 2]


def test_the_oldest_goes_first_when_it_grows_too_large(connection: sqlite3.Connection, tmp_path: Path) -> None:
    writer, retention = HistoryWriter(connection, keep_windows=True), Retention(connection, None, MIB_MB)
    largest = 0
    for first in range(0, 30_000, 1000):
        writer.write(make_window(number) for number in range(first, first + 1000))
        retention.apply()
        writer.write([make_window(first + 1000, stream="foyer")])  # what was deleted leaves the file by and by
        largest = max(largest, sum(file.stat().st_size for file in tmp_path.glob("history.db*")))
    kept = numbers(connection, "end_sample FROM windows WHERE session = 1")
    assert kept[-1] == 30_000 * 3 * SAMPLE_RATE_HZ
    assert kept == list(range(kept[0], kept[-1] + 1, 3 * SAMPLE_RATE_HZ))
    assert 2_000 < len(kept) < 10_000
    assert largest < 1.5 * MIB
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_sessions_without_results_are_bounded_too(connection: sqlite3.Connection) -> None:
    """A source that comes and goes each second, for days."""
    writer, retention = HistoryWriter(connection, keep_windows=False), Retention(connection, None, MIB_MB)
    for first in range(0, 12_000, 1000):
        writer.write(make_end(0, session=f"{number:050}") for number in range(first, first + 1000))
        retention.apply()
    kept = numbers(connection, "CAST(session AS INTEGER) FROM sessions")
    assert kept == list(range(kept[0], 12_000))
    assert 1_000 < len(kept) < 12_000


def test_wrong_clocks_do_not_keep_it_from_shrinking(connection: sqlite3.Connection) -> None:
    """Half of it was written before the clock was set, half of that in the far future."""
    writer, retention = HistoryWriter(connection, keep_windows=True), Retention(connection, None, MIB_MB)
    for session, started_at_ns in enumerate((0, 4 * STARTED_NS, 0, STARTED_NS)):
        writer.write(make_window(number, session=str(session), started_at_ns=started_at_ns) for number in range(4000))
    retention.apply()
    assert numbers(connection, "page_count * 4096 < 1048576 FROM pragma_page_count") == [1]
    assert numbers(connection, "max(end_sample) FROM windows") == [4000 * 3 * SAMPLE_RATE_HZ]
    assert set(numbers(connection, "session FROM windows")) <= {3, 4}


def test_the_worker_keeps_to_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.history.worker.RETENTION_S", 0.0)
    path = tmp_path / "history.db"
    with closing(open_to_write(path)) as connection:
        write_days(connection, [5, 0])
        with HistoryWorker(path, max_age_days=3.0, max_mb=2 * MIB_MB) as worker:
            failures = failures_of(worker)
            wait_for(lambda: numbers(connection, "id FROM sessions") == [2])
            assert failures == []
