import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.history.make_history import (
    SECOND_NS,
    STARTED_NS,
    make_concert,
    make_end,
    make_event,
    make_status,
    make_window,
)
from tests.stream.make_messages import make_gap
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.common.clock import SampleClock
from whoplays.stream.history.schema import MIGRATIONS, open_to_write
from whoplays.stream.history.writer import HistoryWriter
from whoplays.stream.pubsub.messages import Message


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_to_write(tmp_path / "history.db")) as connection:
        yield connection


def rows(connection: sqlite3.Connection, columns: str, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()


def test_a_concert_becomes_rows(connection: sqlite3.Connection) -> None:
    HistoryWriter(connection, keep_windows=True).write(make_concert())
    (session,) = rows(connection, "stream, session, source, uri, model, known_sample, known_ns", "sessions")
    assert session[:5] == ("hall", "one", "concert.wav", "file:///concert.wav", "tiny 0.1")
    assert session[5:] == (4 * WINDOW_SAMPLES, STARTED_NS + 12 * SECOND_NS)
    columns = "number, label, start_sample, end_sample, start_ns, end_ns, peak"
    at = {second: (second * SAMPLE_RATE_HZ, STARTED_NS + second * SECOND_NS) for second in (0, 3, 6, 12)}
    assert rows(connection, columns, "events") == [
        (0, "piano", at[0][0], at[6][0], at[0][1], at[6][1], 0.95),
        (1, "violin", at[3][0], at[12][0], at[3][1], at[12][1], 0.8),
    ]
    windows = rows(connection, "start_sample, end_sample, closed_ns, dbfs, silent, lost_samples", "windows")
    assert windows == [
        (number * WINDOW_SAMPLES, (number + 1) * WINDOW_SAMPLES, make_window(number).closed_ns, -20.5, 0, 0)
        for number in range(4)
    ]
    (probabilities, *_others) = rows(connection, "probabilities, id", "windows")
    assert json.loads(probabilities[0]) == {"piano": 0.9, "violin": 0.1}
    assert rows(connection, "start_sample, end_sample, end_ns, cause", "gaps") == [
        (6 * SAMPLE_RATE_HZ, 7 * SAMPLE_RATE_HZ, STARTED_NS + 7 * SECOND_NS, "network")
    ]
    assert rows(connection, "reason, detail, final_sample", "ends") == [("finished", "", 12 * SAMPLE_RATE_HZ)]


def test_without_windows_the_progress_of_a_session_is_written(connection: sqlite3.Connection) -> None:
    HistoryWriter(connection, keep_windows=False).write([make_status(), make_window(0), make_window(1)])
    assert rows(connection, "id, id", "windows") == []
    assert rows(connection, "known_sample, known_ns", "sessions") == [(2 * WINDOW_SAMPLES, make_window(1).closed_ns)]


def test_what_was_cut_off_is_closed_when_the_stream_begins_anew(connection: sqlite3.Connection) -> None:
    cut_off: list[Message] = [make_status(), make_window(0), make_event(0, "start", 0), make_window(1)]
    other: list[Message] = [make_window(0, stream="foyer"), make_event(0, "start", 0, stream="foyer")]
    HistoryWriter(connection, keep_windows=True).write([*cut_off, *other])
    assert rows(connection, "end_sample, end_ns", "events") == [(None, None), (None, None)]
    # Another process goes on after a crash.
    HistoryWriter(connection, keep_windows=True).write([make_status(0, session="two")])
    known = (2 * WINDOW_SAMPLES, make_window(1).closed_ns)
    assert rows(connection, "id, end_sample, end_ns", "events") == [(1, *known), (2, None, None)]


def test_what_failed_can_be_written_again(connection: sqlite3.Connection, tmp_path: Path) -> None:
    writer, concert = HistoryWriter(connection, keep_windows=True), make_concert()
    writer.write(concert[:5])
    with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.write(concert[5:])
        other.execute("ROLLBACK")
    writer.write(concert[5:])
    again = rows(connection, "number, start_ns, end_ns, peak", "events")
    with closing(open_to_write(tmp_path / "other.db")) as straight:
        HistoryWriter(straight, keep_windows=True).write(concert)
        assert again == rows(straight, "number, start_ns, end_ns, peak", "events")
        assert rows(connection, "end_sample, id", "windows") == rows(straight, "end_sample, id", "windows")


def test_a_batch_is_written_as_a_whole_or_not_at_all(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON ends BEGIN SELECT RAISE(ABORT, 'no room'); END")
    writer = HistoryWriter(connection, keep_windows=True)
    with pytest.raises(sqlite3.IntegrityError, match="no room"):
        writer.write(make_concert())
    assert rows(connection, "id, id", "sessions") == []
    connection.execute("DROP TRIGGER full")
    writer.write(make_concert())
    assert len(rows(connection, "id, id", "windows")) == 4


Phase = tuple[int, Literal["start", "end"]]
phases = st.tuples(st.integers(0, 5), st.sampled_from(["start", "end"]))


@given(st.lists(st.lists(phases, max_size=8), max_size=6))
@settings(max_examples=100)
def test_any_starts_and_ends_pair_up(batches: list[list[Phase]]) -> None:
    """Whatever was lost before: one row for each appearance, with what is known of it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(MIGRATIONS[0])
        writer = HistoryWriter(connection, keep_windows=False)
        for batch in batches:
            writer.write(make_event(number, phase, 3 if phase == "start" else 6) for number, phase in batch)
        found = rows(connection, "number, start_sample, end_sample", "events")
    flat = {item for batch in batches for item in batch}
    assert found == [
        (
            number,
            3 * SAMPLE_RATE_HZ if (number, "start") in flat else None,
            6 * SAMPLE_RATE_HZ if (number, "end") in flat else None,
        )
        for number in sorted({number for number, _ in flat})
    ]


def test_an_end_is_written_once(connection: sqlite3.Connection) -> None:
    writer = HistoryWriter(connection, keep_windows=False)
    writer.write([make_window(0), make_end(3)])
    writer.write([make_end(3)])
    assert rows(connection, "session, final_sample", "ends") == [(1, 3 * SAMPLE_RATE_HZ)]


def test_sample_clock_is_exact_at_windows_and_follows_the_rate_elsewhere() -> None:
    clock = SampleClock()
    assert clock.unix_ns(7, 42) == 42
    clock.observe(SAMPLE_RATE_HZ, 10 * SECOND_NS)
    clock.observe(2 * SAMPLE_RATE_HZ, 11 * SECOND_NS + 5)
    seconds = {0: 9 * SECOND_NS, 1: 10 * SECOND_NS, 2: 11 * SECOND_NS + 5, 4: 13 * SECOND_NS + 5}
    assert {second: clock.unix_ns(second * SAMPLE_RATE_HZ, 0) for second in seconds} == seconds


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 10**10)), min_size=1, max_size=20), st.data())
@settings(max_examples=100)
def test_no_sample_is_later_than_the_newest_window(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Even where a file is read faster than in real time, or the clock drifts."""
    clock, sample, unix_ns = SampleClock(), 0, 10**18
    for samples, after_ns in steps:
        sample, unix_ns = sample + samples, unix_ns + after_ns
        clock.observe(sample, unix_ns)
        assert clock.unix_ns(sample, 0) == unix_ns
    asked = data.draw(st.integers(0, sample))
    assert clock.unix_ns(asked, 0) <= unix_ns


def test_a_long_outage_is_one_row(connection: sqlite3.Connection) -> None:
    """A source that is lost has a gap a second; another cause, or audio between, begins another row."""
    first = msgspec.structs.replace(make_gap(0), start=0, end=44_100, cause="network")
    outage = [
        msgspec.structs.replace(first, seq=second, start=44_100 * second, end=44_100 * (second + 1))
        for second in range(60)
    ]
    other = msgspec.structs.replace(first, seq=60, start=60 * 44_100, end=61 * 44_100, cause="overflow")
    later = msgspec.structs.replace(first, seq=61, start=63 * 44_100, end=64 * 44_100)
    writer = HistoryWriter(connection, keep_windows=False)
    writer.write(outage[:30])
    writer.write([*outage[30:], other, later])
    assert rows(connection, "start_sample / 44100, end_sample / 44100, cause", "gaps") == [
        (0, 60, "network"),
        (60, 61, "overflow"),
        (63, 64, "network"),
    ]
