"""Who played when, out of the database."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import DataError
from whoplays.stream.history.schema import open_to_read

STILL_NS: Final = 10_000_000_000
"""A session that spoke so lately goes on: it speaks once a second."""

_APPEARANCES: Final = """
SELECT sessions.stream, sessions.session, label, start_sample, start_ns,
    coalesce(end_sample, known_sample), coalesce(end_ns, known_ns), peak,
    end_ns IS NULL AND spoke_ns >= :still_ns AND ends.session IS NULL
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
    """What of the history is asked for; None asks for all."""

    stream: str | None = None
    session: str | None = None
    since_ns: int | None = None
    """Wall time: who played then or later."""
    until_ns: int | None = None
    """Wall time: who played then or earlier."""


class Appearance(NamedTuple):
    """Somebody played, from here to there."""

    stream: str
    session: str
    label: str
    start_sample: int | None
    """None if the message about it was lost."""
    start_ns: int | None
    end_sample: int
    """As far as is known, if it was cut off, or plays on."""
    end_ns: int
    peak: float
    playing: bool
    """Whether it goes on."""


def appearances(path: Path, query: Query) -> list[Appearance]:
    """Who played when, in the order of entering.

    Read in one go: a reader who stayed in the database would keep its write-ahead log from being reused.

    Raises:
        DataError: there is no such history or session, or it cannot be read.
    """
    with _reading(path) as connection:
        _check(connection, path, query)
        values = query._asdict() | {"still_ns": time.time_ns() - STILL_NS}
        rows = connection.execute(_APPEARANCES, values).fetchall()
    return [Appearance(*row)._replace(playing=bool(row[-1])) for row in rows]


def newest_session(path: Path, stream: str | None) -> str:
    """The session that spoke last.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    with _reading(path) as connection:
        _check(connection, path, Query(stream))
        found = _sessions(connection, stream)
    if not found:
        raise DataError(f"{path} knows no session; nothing was kept so far")
    return found[0]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_to_read(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise DataError(f"cannot read the history in {path}: {error}") from error


def _check(connection: sqlite3.Connection, path: Path, query: Query) -> None:
    """Refuse a stream or a session that never was: it would look as if nobody had played."""
    streams = [stream for (stream,) in connection.execute(_STREAMS)]
    if query.stream and query.stream not in streams:
        raise DataError(f"{path} knows no stream {query.stream}; {_told('its streams', streams)}")
    if query.session and not _sessions(connection, query.stream, query.session):
        of = f" of {query.stream}" if query.stream else ""
        newest = _told("its newest sessions", _sessions(connection, query.stream))
        raise DataError(f"{path} knows no session {query.session}{of}; {newest}")


def _sessions(connection: sqlite3.Connection, stream: str | None, session: str | None = None) -> list[str]:
    """Those that spoke last, the newest first."""
    values = {"stream": stream, "session": session, "most": MOST_SHOWN}
    return [found for (found,) in connection.execute(_SESSIONS, values)]


def _told(what: str, known: list[str]) -> str:
    return f"{what} are: {', '.join(known)}" if known else "nothing was kept so far"
