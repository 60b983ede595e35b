import time
from pathlib import Path

import pytest

from tests.stream.history.make_history import (
    BEGAN_NS,
    SECOND_NS,
    keep_all,
    make_concert,
    make_end,
    make_event,
    make_status,
    make_window,
)
from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.history.query import STILL_NS, Appearance, Query, appearances, newest_session


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keep_all(tmp_path / "history.db", make_concert())
    return tmp_path / "history.db"


def who(path: Path, query: Query) -> list[str]:
    return [each.label for each in appearances(path, query)]


def test_who_played_when(path: Path) -> None:
    piano, violin = appearances(path, Query())
    assert piano == Appearance(
        stream="hall",
        session="one",
        label="piano",
        start_sample=0,
        start_ns=BEGAN_NS,
        end_sample=6 * SAMPLE_RATE_HZ,
        end_ns=BEGAN_NS + 6 * SECOND_NS,
        peak=0.95,
        playing=False,
    )
    assert (violin.label, violin.start_ns, violin.end_ns) == (
        "violin",
        BEGAN_NS + 3 * SECOND_NS,
        BEGAN_NS + 12 * SECOND_NS,
    )


def test_a_time_finds_whoever_played_then(path: Path) -> None:
    at = [BEGAN_NS + second * SECOND_NS for second in range(14)]
    assert who(path, Query(since_ns=at[7])) == ["violin"]
    assert who(path, Query(since_ns=at[5])) == ["piano", "violin"]
    assert who(path, Query(until_ns=at[2])) == ["piano"]
    assert who(path, Query(since_ns=at[13])) == []
    assert who(path, Query(since_ns=at[1], until_ns=at[2])) == ["piano"]


def test_streams_and_sessions_are_told_apart(path: Path) -> None:
    keep_all(path, [make_window(0, session="two"), make_event(0, "start", 0, "flute", session="two")])
    keep_all(path, [make_window(0, stream="foyer"), make_event(0, "start", 0, "organ", stream="foyer")])
    assert who(path, Query(stream="foyer")) == ["organ"]
    assert who(path, Query(stream="hall", session="two")) == ["flute"]
    assert sorted(who(path, Query(stream="hall"))) == ["flute", "piano", "violin"]
    keep_all(path, [make_window(4, session="two")])
    assert (newest_session(path, "hall"), newest_session(path, "foyer"), newest_session(path, None)) == (
        "two",
        "one",
        "two",
    )


def test_what_never_was_is_refused(path: Path) -> None:
    for query in (Query(stream="cellar"), Query(session="three"), Query(stream="foyer", session="one")):
        with pytest.raises(DataError, match="knows no"):
            appearances(path, query)
    with pytest.raises(DataError, match="knows no stream cellar"):
        newest_session(path, "cellar")


def test_a_history_that_is_new_knows_nothing(tmp_path: Path) -> None:
    keep_all(tmp_path / "new.db", [])
    with pytest.raises(DataError, match=r"new\.db knows no session; nothing was kept so far"):
        newest_session(tmp_path / "new.db", None)
    for query in (Query(stream="hall"), Query(session="one")):
        with pytest.raises(DataError, match=r"new\.db knows no (stream hall|session one); nothing was kept so far"):
            appearances(tmp_path / "new.db", query)


def test_who_was_cut_off_ends_at_the_last_known_window(path: Path) -> None:
    keep_all(
        path, [make_window(0, session="two"), make_event(0, "start", 0, session="two"), make_window(1, session="two")]
    )
    (cut_off,) = appearances(path, Query(session="two"))
    assert (cut_off.end_sample, cut_off.end_ns) == (2 * WINDOW_SAMPLES, make_window(1).closed_ns)
    assert not cut_off.playing


def test_who_plays_now_plays_on_until_the_session_is_over_or_falls_silent(path: Path) -> None:
    def begin(session: str, ago_ns: int) -> None:
        window = make_window(0, session=session, started_at_ns=time.time_ns() - ago_ns)
        keep_all(path, [window, make_event(0, "start", 0, session=session)])

    def playing(session: str) -> bool:
        (found,) = appearances(path, Query(session=session))
        return found.playing

    begin("long ago", STILL_NS + 10 * SECOND_NS)
    assert not playing("long ago")
    begin("now", 0)
    assert playing("now")
    assert who(path, Query(since_ns=time.time_ns() + 3600 * SECOND_NS)) == ["piano"]
    keep_all(path, [make_end(3, session="now")])
    assert not playing("now")
    begin("again", 0)
    keep_all(path, [make_status(session="and again")])
    assert not playing("again")


def test_an_appearance_whose_start_was_lost_is_shown_at_its_end(path: Path) -> None:
    keep_all(path, [make_window(0, session="two"), make_event(7, "end", 3, session="two")])
    (found,) = appearances(path, Query(session="two"))
    assert (found.start_sample, found.start_ns, found.end_sample) == (None, None, 3 * SAMPLE_RATE_HZ)


def test_a_history_that_may_only_be_read_can_be_read(path: Path) -> None:
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert who(path, Query()) == ["piano", "violin"]
    finally:
        path.parent.chmod(0o700)
