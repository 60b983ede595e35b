"""From messages to rows."""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status, Window

ANCHORS: Final = 4


class SampleClock:
    """The wall time of a sample, by the ends of the newest windows.

    A few windows back it is exact; before and after them it assumes the nominal sample rate.
    """

    def __init__(self) -> None:
        self._anchors: Final = deque[tuple[int, int]](maxlen=ANCHORS)

    def observe(self, sample: int, unix_ns: int) -> None:
        """The sample before index `sample` was captured at `unix_ns`."""
        self._anchors.append((sample, unix_ns))

    def unix_ns(self, sample: int, otherwise_ns: int) -> int:
        """When the sample before index `sample` was captured; `otherwise_ns` if nothing was observed yet.

        >>> clock = SampleClock()
        >>> clock.observe(44_100, 5_000_000_000)
        >>> clock.unix_ns(22_050, 0)
        4500000000
        """
        if not self._anchors:
            return otherwise_ns
        later = (anchor for anchor in self._anchors if anchor[0] >= sample)
        anchor, unix_ns = next(later, self._anchors[-1])
        return unix_ns - (anchor - sample) * 1_000_000_000 // SAMPLE_RATE_HZ


_SESSION: Final = """
INSERT INTO sessions (stream, session, source, uri, model, started_ns, known_sample, known_ns, spoke_ns)
VALUES (:stream, :session, '', '', '', :now_ns, 0, :now_ns, :now_ns)
ON CONFLICT (stream, session) DO UPDATE SET spoke_ns = excluded.spoke_ns
RETURNING id, known_sample, known_ns"""
_CLOSE_OLDER: Final = """
UPDATE events SET (end_sample, end_ns) = (SELECT known_sample, known_ns FROM sessions WHERE id = events.session)
WHERE end_ns IS NULL AND session <> ? AND (SELECT stream FROM sessions WHERE id = events.session) = ?"""
_PROGRESS: Final = "UPDATE sessions SET known_sample = ?, known_ns = ?, spoke_ns = ? WHERE id = ?"
_SOURCE: Final = "UPDATE sessions SET source = ?, uri = ?, model = ? WHERE id = ?"
_START: Final = """
INSERT INTO events (session, number, label, start_sample, start_ns, peak) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (session, number) DO UPDATE
SET start_sample = excluded.start_sample, start_ns = excluded.start_ns, peak = max(peak, excluded.peak)"""
_END: Final = """
INSERT INTO events (session, number, label, end_sample, end_ns, peak) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (session, number) DO UPDATE
SET end_sample = excluded.end_sample, end_ns = excluded.end_ns, peak = max(peak, excluded.peak)"""
_WINDOW: Final = """
INSERT INTO windows (session, start_sample, end_sample, closed_ns, dbfs, silent, lost_samples, probabilities)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_GAP: Final = "INSERT INTO gaps (session, start_sample, end_sample, end_ns, cause) VALUES (?, ?, ?, ?, ?)"
_ENDED: Final = "INSERT OR REPLACE INTO ends (session, reason, detail, final_sample, ended_ns) VALUES (?, ?, ?, ?, ?)"


@dataclass(slots=True)
class _Followed:
    """A session that is being written: its row, and how far it is known."""

    session: str
    row: int
    known_sample: int
    known_ns: int
    spoke_ns: int
    clock: SampleClock = field(default_factory=SampleClock)


class HistoryWriter:
    """Writes messages as rows; of each stream it follows the newest session.

    Args:
        connection: to the database, open for writing.
        keep_windows: whether each window becomes a row. How far a session came is written anyway.
    """

    def __init__(self, connection: sqlite3.Connection, *, keep_windows: bool) -> None:
        self._connection: Final = connection
        self._keep_windows: Final = keep_windows
        self._followed: Final[dict[str, _Followed]] = {}

    def write(self, messages: Iterable[Message]) -> None:
        """Write messages in one transaction: all of them, or none.

        Raises:
            sqlite3.Error: none could be written; they may be given again.
        """
        try:
            with _transaction(self._connection):
                for message in messages:
                    self._write(message)
                for followed in self._followed.values():
                    self._progress(followed)
        except sqlite3.Error:
            self._followed.clear()  # their rows may have been rolled back; the next message asks the database
            raise

    def _write(self, message: Message) -> None:
        followed = self._follow(message)
        match message:
            case Status():
                self._status(message, followed)
            case Window():
                self._window(message, followed)
            case Event():
                self._event(message, followed)
            case Gap():
                end_ns = followed.clock.unix_ns(message.end, message.published_ns)
                self._run(_GAP, followed.row, message.start, message.end, end_ns, message.cause)
            case End():
                self._end(message, followed)

    def _follow(self, message: Message) -> _Followed:
        followed = self._followed.get(message.stream)
        if followed is None or followed.session != message.session:
            followed = self._followed[message.stream] = self._begin(message)
        followed.spoke_ns = max(followed.spoke_ns, message.published_ns)
        return followed

    def _begin(self, message: Message) -> _Followed:
        named = {"stream": message.stream, "session": message.session, "now_ns": message.published_ns}
        ((row, known_sample, known_ns),) = self._connection.execute(_SESSION, named).fetchall()
        # What still plays in an older session gets no end any more: that session was cut off.
        self._run(_CLOSE_OLDER, row, message.stream)
        followed = _Followed(message.session, row, known_sample, known_ns, message.published_ns)
        if known_sample:
            followed.clock.observe(known_sample, known_ns)
        return followed

    def _status(self, status: Status, followed: _Followed) -> None:
        model = f"{status.model.name} {status.model.version}"
        self._run(_SOURCE, status.source.name, status.source.uri, model, followed.row)

    def _window(self, window: Window, followed: _Followed) -> None:
        followed.clock.observe(window.end, window.closed_ns)
        followed.known_sample, followed.known_ns = window.end, window.closed_ns
        if not self._keep_windows:
            return
        span = (followed.row, window.start, window.end, window.closed_ns)
        quality = (window.quality.dbfs, window.quality.silent, window.quality.lost_samples)
        self._run(_WINDOW, *span, *quality, msgspec.json.encode(window.probabilities).decode())

    def _event(self, event: Event, followed: _Followed) -> None:
        at_ns = followed.clock.unix_ns(event.at, event.published_ns)
        text = _START if event.phase == "start" else _END
        self._run(text, followed.row, event.id, event.label, event.at, at_ns, event.peak)

    def _end(self, end: End, followed: _Followed) -> None:
        self._run(_ENDED, followed.row, end.reason, end.detail, end.final, end.published_ns)
        self._progress(followed)
        del self._followed[end.stream]

    def _progress(self, followed: _Followed) -> None:
        self._run(_PROGRESS, followed.known_sample, followed.known_ns, followed.spoke_ns, followed.row)

    def _run(self, text: str, *values: float | str) -> None:
        self._connection.execute(text, values)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise
