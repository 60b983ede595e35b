"""Which instruments played when, read from the database."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import DataError
from whoplays.stream.history.schema import open_to_read, sqlite_errors

OPEN_NS: Final = 10_000_000_000
"""A session with a message as recent as this goes on: it has one a second."""

_APPEARANCES: Final = """
SELECT sessions.stream, sessions.session, label, start_ns, coalesce(end_ns, known_ns),
    start_sample, coalesce(end_sample, known_sample), peak,
    end_ns IS NULL AND spoke_ns >= :open_ns AND ends.session IS NULL
        AND sessions.id IN (SELECT max(id) FROM sessions GROUP BY stream) AS playing
FROM events JOIN sessions ON sessions.id = events.session LEFT JOIN ends ON ends.session = sessions.id
WHERE (:stream IS NULL OR sessions.stream = :stream)
    AND (:session IS NULL OR sessions.session = :session)
    AND (:since_ns IS NULL OR playing OR coalesce(end_ns, known_ns) >= :since_ns)
    AND (:until_ns IS NULL OR coalesce(start_ns, end_ns) <= :until_ns)
ORDER BY coalesce(start_ns, end_ns), events.id"""
_STREAMS: Final = "SELECT DISTINCT stream FROM sessions ORDER BY stream"
_SESSIONS: Final = """
SELECT session FROM sessions
WHERE (:stream IS NULL OR stream = :stream) AND (:session IS NULL OR session = :session)
ORDER BY spoke_ns DESC, id DESC LIMIT :most"""
MOST_SHOWN: Final = 5


class Query(NamedTuple):
    """Which part of the history; None is all of it."""

    stream: str | None = None
    session: str | None = None
    since_ns: int | None = None
    """Unix time: what played then or later."""
    until_ns: int | None = None
    """Unix time: what played then or earlier."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """From an instrument's entrance to its exit: the columns of CSV and of a line of JSON."""

    stream: str
    """The stream's name."""
    session: str
    """The session's id."""
    label: str
    """The instrument."""
    start: str | None
    """When it entered, ISO 8601 in UTC; none if the message about it was lost."""
    end: str | None
    """When it left, ISO 8601 in UTC; none while it plays."""
    start_sample: int | None
    """Where it entered, in samples of 44100 Hz since the session began; none if the message about it was lost."""
    end_sample: int | None
    """Where it left; none while it plays."""
    peak: float
    """Its highest probability."""


class Appearance(Row, frozen=True, kw_only=True):
    """The same, with what no program is given."""

    last_sample: int
    """Where it left; while it plays, or if it was cut off, as far as the session is known."""


def appearances(path: Path, query: Query) -> list[Appearance]:
    """Which instruments played when, in the order of entering.

    Read in one go: a reader who stayed in the database would keep its write-ahead log from being reused.

    Raises:
        DataError: there is no such history, stream or session, or it cannot be read.
    """
    with _reading(path) as connection:
        _check(connection, path, query)
        values = query._asdict() | {"open_ns": time.time_ns() - OPEN_NS}
        return [_appearance(*row) for row in connection.execute(_APPEARANCES, values)]


def _appearance(
    stream: str,
    session: str,
    label: str,
    start_ns: int | None,
    end_ns: int,
    start_sample: int | None,
    last_sample: int,
    peak: float,
    playing: int,
) -> Appearance:
    return Appearance(
        stream=stream,
        session=session,
        label=label,
        start=None if start_ns is None else iso_time(start_ns),
        end=None if playing else iso_time(end_ns),
        start_sample=start_sample,
        end_sample=None if playing else last_sample,
        peak=peak,
        last_sample=last_sample,
    )


def iso_time(unix_ns: int) -> str:
    """A time as programs read it: ISO 8601 in UTC, to the millisecond.

    >>> iso_time(1_500_000_000)
    '1970-01-01T00:00:01.500Z'
    """
    time_utc = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=unix_ns // 1_000_000)
    return time_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def newest_session(path: Path, stream: str | None) -> str:
    """The session with the most recent message.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    with _reading(path) as connection:
        _check(connection, path, Query(stream))
        found = _sessions(connection, stream)
    if not found:
        raise _not_found("session", path, [])
    return found[0]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_to_read(path)) as connection, sqlite_errors(f"cannot read the history in {path}"):
        yield connection


def _check(connection: sqlite3.Connection, path: Path, query: Query) -> None:
    """Refuse a stream or a session that is not there: it would look as if nothing had played."""
    streams = [stream for (stream,) in connection.execute(_STREAMS)]
    if query.stream and query.stream not in streams:
        raise _not_found(f"stream {query.stream!r}", path, streams)
    if query.session and not _sessions(connection, query.stream, query.session):
        of = f" of {query.stream!r}" if query.stream else ""
        raise _not_found(f"session {query.session!r}{of}", path, _sessions(connection, query.stream))


def _sessions(connection: sqlite3.Connection, stream: str | None, session: str | None = None) -> list[str]:
    """Those with the most recent messages, the newest first."""
    values = {"stream": stream, "session": session, "most": MOST_SHOWN}
    return [found for (found,) in connection.execute(_SESSIONS, values)]


def _not_found(what: str, path: Path, known: list[str]) -> DataError:
    return DataError(f"{what} not found in {path}; it has: {', '.join(known) or 'nothing yet'}")
