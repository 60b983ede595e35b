import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.stream.history.make_history import (
    SECOND_NS,
    STARTED_NS,
    make_concert,
    make_end,
    make_event,
    make_status,
    make_window,
    record,
)
from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.history.query import OPEN_NS, Query, Span, appearances, newest_session, rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    record(tmp_path / "history.db", make_concert())
    return tmp_path / "history.db"


def labels(path: Path, query: Query) -> list[str]:
    return [each.label or "" for each in appearances(path, query)]


def test_each_appearance_has_its_times_and_its_peak(path: Path) -> None:
    piano, violin = appearances(path, Query())
    assert piano == Span(
        stream="hall",
        session="one",
        label="piano",
        start="2026-01-01T00:00:00.000Z",
        end="2026-01-01T00:00:06.000Z",
        start_sample=0,
        end_sample=6 * SAMPLE_RATE_HZ,
        peak=0.95,
        last_sample=6 * SAMPLE_RATE_HZ,
        order_ns=STARTED_NS,
        duration_s=6.0,
    )
    assert (violin.label, violin.start, violin.end) == (
        "violin",
        "2026-01-01T00:00:03.000Z",
        "2026-01-01T00:00:12.000Z",
    )


def test_a_time_finds_what_played_then(path: Path) -> None:
    at = [STARTED_NS + second * SECOND_NS for second in range(14)]
    assert labels(path, Query(since_ns=at[7])) == ["violin"]
    assert labels(path, Query(since_ns=at[5])) == ["piano", "violin"]
    assert labels(path, Query(until_ns=at[2])) == ["piano"]
    assert labels(path, Query(since_ns=at[13])) == []
    assert labels(path, Query(since_ns=at[1], until_ns=at[2])) == ["piano"]


def test_streams_and_sessions_are_selected(path: Path) -> None:
    record(path, [make_window(0, session="two"), make_event(0, "start", 0, "flute", session="two")])
    record(path, [make_window(0, stream="foyer"), make_event(0, "start", 0, "organ", stream="foyer")])
    assert labels(path, Query(stream="foyer")) == ["organ"]
    assert labels(path, Query(stream="hall", session="two")) == ["flute"]
    assert sorted(labels(path, Query(stream="hall"))) == ["flute", "piano", "violin"]
    record(path, [make_window(4, session="two")])
    assert (newest_session(path, "hall"), newest_session(path, "foyer"), newest_session(path, None)) == (
        "two",
        "one",
        "two",
    )


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        (Query(stream="cellar"), "stream 'cellar'"),
        (Query(session="three"), "session 'three'"),
        (Query(stream="hall", session="three"), "session 'three' of 'hall'"),
    ],
)
def test_an_unknown_stream_or_session_is_refused(path: Path, tmp_path: Path, query: Query, missing: str) -> None:
    with pytest.raises(DataError, match=rf"^{missing} not found in {path}; it has: (hall|one)$"):
        appearances(path, query)
    record(tmp_path / "new.db", [])
    with pytest.raises(DataError, match=r"not found in .*new\.db; it has: nothing yet$"):
        appearances(tmp_path / "new.db", query)


def test_a_history_without_sessions_has_no_newest_one(path: Path, tmp_path: Path) -> None:
    record(tmp_path / "new.db", [])
    for database, stream in ((tmp_path / "new.db", None), (path, "cellar")):
        with pytest.raises(DataError, match="not found in"):
            newest_session(database, stream)


def test_what_was_cut_off_ends_at_the_last_known_window(path: Path) -> None:
    record(
        path, [make_window(0, session="two"), make_event(0, "start", 0, session="two"), make_window(1, session="two")]
    )
    (cut_off,) = appearances(path, Query(session="two"))
    assert (cut_off.end_sample, cut_off.end) == (2 * WINDOW_SAMPLES, "2026-01-01T00:00:06.000Z")


def test_what_plays_has_no_end_until_the_session_ends_or_falls_silent(path: Path) -> None:
    def begin(session: str, ago_ns: int) -> None:
        window = make_window(0, session=session, started_at_ns=time.time_ns() - ago_ns)
        record(path, [window, make_event(0, "start", 0, session=session)])

    def playing(session: str) -> bool:
        (found,) = appearances(path, Query(session=session))
        assert (found.end is None) == (found.end_sample is None)
        return found.end is None

    begin("long ago", OPEN_NS + 10 * SECOND_NS)
    assert not playing("long ago")
    begin("now", 0)
    assert playing("now")
    assert labels(path, Query(since_ns=time.time_ns() + 3600 * SECOND_NS)) == ["piano"]
    record(path, [make_end(3, session="now")])
    assert not playing("now")
    begin("again", 0)
    record(path, [make_status(session="and again")])
    assert not playing("again")


def test_an_appearance_whose_start_was_lost_is_shown_at_its_end(path: Path) -> None:
    record(path, [make_window(0, session="two"), make_event(7, "end", 3, session="two")])
    (found,) = appearances(path, Query(session="two"))
    assert (found.start_sample, found.start, found.end_sample) == (None, None, 3 * SAMPLE_RATE_HZ)


def test_a_history_without_write_permission_can_be_read(path: Path) -> None:
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert labels(path, Query()) == ["piano", "violin"]
    finally:
        path.parent.chmod(0o700)


def test_rows_are_read_page_by_page_and_stay_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that millions of them need no memory, and the database's log can be reused meanwhile."""
    record(path, [make_window(0), *(make_event(number, "start", number % 3) for number in range(2, 40))])
    whole = list(rows(path, Query()))
    assert len(whole) == 41
    assert [row.order_ns for row in whole] == sorted(row.order_ns for row in whole)
    monkeypatch.setattr("whoplays.stream.history.query.PAGE_ROWS", 3)
    assert list(rows(path, Query())) == whole
    paged = rows(path, Query())
    next(paged)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_the_time_between_sessions_is_a_gap(path: Path) -> None:
    later_ns = STARTED_NS + 3600 * SECOND_NS
    record(path, [make_window(0, session="two", started_at_ns=later_ns)])
    gap = list(rows(path, Query()))[-1]
    assert (gap.gap, gap.label, gap.start, gap.end) == (
        "not listening",
        None,
        "2026-01-01T00:00:12.000Z",
        "2026-01-01T01:00:03.000Z",
    )


@pytest.mark.parametrize(("windows", "ends_s"), [(0, 60.0), (20, 40.0)])
def test_the_time_until_a_source_is_there_is_a_gap(tmp_path: Path, windows: int, ends_s: float) -> None:
    """Without it, a source that was missing all evening would look as if nobody had played."""
    path = tmp_path / "history.db"
    late_ns = STARTED_NS + round(ends_s * SECOND_NS)
    began = msgspec.structs.replace(make_status(state="connecting"), published_ns=STARTED_NS)
    newest = msgspec.structs.replace(began, published_ns=STARTED_NS + 60 * SECOND_NS)
    record(path, [began, *(make_window(number, started_at_ns=late_ns) for number in range(windows)), newest])
    (gap,) = rows(path, Query())
    assert (gap.gap, gap.start, gap.duration_s) == ("not listening", "2026-01-01T00:00:00.000Z", ends_s)
    assert list(rows(path, Query(stream="hall", session="one"))) == [gap]
