"""From messages to rows."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import msgspec

from whoplays.stream.common.clock import SampleClock
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status, Window

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

_LONGER: Final = """
UPDATE gaps SET end_sample = ?, end_ns = ?
WHERE id = (SELECT max(id) FROM gaps WHERE session = ?) AND end_sample = ? AND cause = ?"""


@dataclass(slots=True)
class _OpenSession:
    """A session that is being written: its row, and how far it is known."""

    id: str
    row: int
    known_sample: int
    known_ns: int
    spoke_ns: int
    clock: SampleClock = field(default_factory=SampleClock)


class HistoryWriter:
    """Writes messages as rows; of each stream, it knows the newest session.

    Args:
        connection: to the database, open for writing.
        keep_windows: whether each window becomes a row. How far a session came is written anyway.
    """

    def __init__(self, connection: sqlite3.Connection, *, keep_windows: bool) -> None:
        self._connection: Final = connection
        self._keep_windows: Final = keep_windows
        self._sessions: Final[dict[str, _OpenSession]] = {}

    def write(self, messages: Iterable[Message]) -> None:
        """Write messages in one transaction: all of them, or none.

        Raises:
            sqlite3.Error: none could be written; they may be given again.
        """
        try:
            with _transaction(self._connection):
                for message in messages:
                    self._write(message)
                for session in self._sessions.values():
                    self._progress(session)
        except BaseException:
            self._sessions.clear()  # their rows may have been rolled back; the next message asks the database
            raise

    def _write(self, message: Message) -> None:
        session = self._session_of(message)
        match message:
            case Status():
                self._status(message, session)
            case Window():
                self._window(message, session)
            case Event():
                self._event(message, session)
            case Gap():
                self._gap(message, session)
            case End():
                self._end(message, session)

    def _session_of(self, message: Message) -> _OpenSession:
        session = self._sessions.get(message.stream)
        if session is None or session.id != message.session:
            session = self._sessions[message.stream] = self._begin(message)
        session.spoke_ns = max(session.spoke_ns, message.published_ns)
        return session

    def _begin(self, message: Message) -> _OpenSession:
        named = {"stream": message.stream, "session": message.session, "now_ns": message.published_ns}
        ((row, known_sample, known_ns),) = self._connection.execute(_SESSION, named).fetchall()
        # What still plays in an older session gets no end any more: that session was cut off.
        self._run(_CLOSE_OLDER, row, message.stream)
        session = _OpenSession(message.session, row, known_sample, known_ns, message.published_ns)
        if known_sample:
            session.clock.observe(known_sample, known_ns)
        return session

    def _status(self, status: Status, session: _OpenSession) -> None:
        model = f"{status.model.name} {status.model.version}"
        self._run(_SOURCE, status.source.name, status.source.uri, model, session.row)

    def _window(self, window: Window, session: _OpenSession) -> None:
        session.clock.observe(window.end, window.closed_ns)
        session.known_sample, session.known_ns = window.end, window.closed_ns
        if not self._keep_windows:
            return
        self._insert(
            "windows",
            session=session.row,
            start_sample=window.start,
            end_sample=window.end,
            closed_ns=window.closed_ns,
            dbfs=window.quality.dbfs,
            silent=window.quality.silent,
            lost_samples=window.quality.lost_samples,
            probabilities=msgspec.json.encode(window.probabilities).decode(),
        )

    def _gap(self, gap: Gap, session: _OpenSession) -> None:
        """Write a gap, or make the newest one longer that it continues: an outage has one message a second."""
        end_ns = session.clock.unix_ns(gap.end, gap.published_ns)
        found = self._connection.execute(_LONGER, (gap.end, end_ns, session.row, gap.start, gap.cause))
        if not found.rowcount:
            self._insert(
                "gaps",
                session=session.row,
                start_sample=gap.start,
                end_sample=gap.end,
                end_ns=end_ns,
                cause=gap.cause,
            )

    def _event(self, event: Event, session: _OpenSession) -> None:
        at_ns = event.at_ns or session.clock.unix_ns(event.at, event.published_ns)
        text = _START if event.phase == "start" else _END
        self._run(text, session.row, event.id, event.label, event.at, at_ns, event.peak)

    def _end(self, end: End, session: _OpenSession) -> None:
        self._insert(
            "ends",
            session=session.row,
            reason=end.reason,
            detail=end.detail,
            final_sample=end.final,
            ended_ns=end.published_ns,
        )
        self._progress(session)
        del self._sessions[end.stream]

    def _progress(self, session: _OpenSession) -> None:
        self._run(_PROGRESS, session.known_sample, session.known_ns, session.spoke_ns, session.row)

    def _insert(self, table: str, **values: float | str) -> None:
        """Write a row, in place of one with the same key."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self._run(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", *values.values())  # noqa: S608  our own names

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
