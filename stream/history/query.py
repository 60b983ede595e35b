"""Which instruments played when, read from the database."""

import heapq
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.history.schema import APPEARANCE_AT, GAP_START, open_to_read, sqlite_errors

OPEN_NS: Final = 10_000_000_000
"""A session with a message as recent as this goes on: it has one a second."""

BETWEEN_NS: Final = 5_000_000_000
"""Sessions of a stream that are further apart than this have a gap between them."""
NOT_LISTENING: Final = "not listening"
PAGE_ROWS: Final = 10_000

_FIRST_KEY: Final = (-(1 << 63), -1)
_APPEARANCES: Final = f"""
SELECT {APPEARANCE_AT} AS at_ns, events.id,
    sessions.stream, sessions.session, label, NULL, start_ns, coalesce(end_ns, known_ns),
    start_sample, coalesce(end_sample, known_sample), peak,
    end_ns IS NULL AND spoke_ns >= :open_ns AND ends.session IS NULL
        AND sessions.id IN (SELECT max(id) FROM sessions GROUP BY stream) AS playing
FROM events JOIN sessions ON sessions.id = events.session LEFT JOIN ends ON ends.session = sessions.id
WHERE {APPEARANCE_AT} >= :after_ns AND ({APPEARANCE_AT} > :after_ns OR events.id > :after_id)
    AND (:stream IS NULL OR sessions.stream = :stream)
    AND (:session IS NULL OR sessions.session = :session)
    AND (:since_ns IS NULL OR playing OR coalesce(end_ns, known_ns) >= :since_ns)
    AND {APPEARANCE_AT} <= :until_ns
ORDER BY {APPEARANCE_AT}, events.id LIMIT :most"""  # noqa: S608  our own names
_GAPS: Final = f"""
SELECT {GAP_START}, gaps.id,
    sessions.stream, sessions.session, NULL, cause, {GAP_START}, end_ns, start_sample, end_sample, NULL, 0
FROM gaps JOIN sessions ON sessions.id = gaps.session
WHERE {GAP_START} >= :after_ns AND ({GAP_START} > :after_ns OR gaps.id > :after_id)
    AND (:stream IS NULL OR sessions.stream = :stream)
    AND (:session IS NULL OR sessions.session = :session)
    AND (:since_ns IS NULL OR end_ns >= :since_ns)
    AND {GAP_START} <= :until_ns
ORDER BY {GAP_START}, gaps.id LIMIT :most"""  # noqa: S608  our own names
_BETWEEN: Final = """
SELECT spoke_ns AS at_ns, id, stream, session, NULL, :between, spoke_ns, next_ns, NULL, known_sample, NULL, 0
FROM (SELECT *, lead(started_ns) OVER (PARTITION BY stream ORDER BY id) AS next_ns FROM sessions)
WHERE (spoke_ns, id) > (:after_ns, :after_id)
    AND next_ns - spoke_ns > :between_ns
    AND (:stream IS NULL OR stream = :stream)
    AND :session IS NULL
    AND (:since_ns IS NULL OR next_ns >= :since_ns)
    AND spoke_ns <= :until_ns
ORDER BY spoke_ns, id LIMIT :most"""
_NEVER_HEARD: Final = """
SELECT started_ns AS at_ns, id, stream, session, NULL, :between, started_ns, heard_ns, NULL, 0, NULL, 0
FROM (SELECT *, CASE known_sample WHEN 0 THEN spoke_ns ELSE known_ns - known_sample * 1000000000 / 44100 END AS heard_ns
    FROM sessions)
WHERE (started_ns, id) > (:after_ns, :after_id)
    AND heard_ns - started_ns > :between_ns
    AND NOT (known_sample = 0 AND id IN (SELECT session FROM gaps))
    AND (:stream IS NULL OR stream = :stream)
    AND (:session IS NULL OR session = :session)
    AND (:since_ns IS NULL OR heard_ns >= :since_ns)
    AND started_ns <= :until_ns
ORDER BY started_ns, id LIMIT :most"""
"""From the beginning of a session to its first sample, which a source that was not there may be long in bringing."""
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
    """From an instrument's entrance to its exit, or a gap: the columns of CSV and of a line of JSON."""

    stream: str
    """The stream's name."""
    session: str
    """The session's id."""
    label: str | None
    """The instrument; none for a gap."""
    start: str | None
    """When it entered, ISO 8601 in UTC; none if the message about it was lost."""
    end: str | None
    """When it left, ISO 8601 in UTC; none while it plays."""
    start_sample: int | None
    """Where it entered, in samples of 44100 Hz since the session began; none if the message about it was lost."""
    end_sample: int | None
    """Where it left; none while it plays."""
    peak: float | None
    """Its highest probability; none for a gap."""
    gap: str | None = None
    """The cause of a gap, in which nothing was heard: one that the protocol has, or `not listening` between sessions
    and until the first sample of one; none for an instrument. JSON has it for gaps alone."""


class Span(Row, frozen=True, kw_only=True):
    """The same, with what no program is given."""

    last_sample: int
    """Where it left; while it plays, or if it was cut off, as far as the session is known."""
    order_ns: int
    """Unix time by which rows are ordered: when it began, or when it ended where the start was lost."""
    duration_s: float | None
    """How long it lasted; None where the start was lost."""


def rows(path: Path, query: Query) -> Iterator[Span]:
    """Which instruments played when, and the gaps, in the order in which they began.

    Read page by page: neither does memory grow with the history, nor does a reader who takes his time keep the
    database's write-ahead log from being reused.

    Raises:
        DataError: there is no such history, stream or session, or it cannot be read.
    """
    with _reading(path) as connection:
        _check(connection, path, query)
    return heapq.merge(
        *(_pages(path, query, text) for text in (_APPEARANCES, _GAPS, _BETWEEN, _NEVER_HEARD)), key=_order
    )


def appearances(path: Path, query: Query) -> Iterator[Span]:
    """Which instruments played when, in the order of entering; without the gaps. See `rows`."""
    return (row for row in rows(path, query) if row.gap is None)


def _order(row: Span) -> int:
    return row.order_ns


def _pages(path: Path, query: Query, text: str) -> Iterator[Span]:
    values = {name: _bounded(value) for name, value in query._asdict().items()}
    values |= {"open_ns": time.time_ns() - OPEN_NS, "between": NOT_LISTENING, "between_ns": BETWEEN_NS}
    values |= {"until_ns": _MAX_NS if query.until_ns is None else values["until_ns"], "most": PAGE_ROWS}
    after = _FIRST_KEY
    with _reading(path) as connection:
        while found := connection.execute(text, values | {"after_ns": after[0], "after_id": after[1]}).fetchall():
            after = found[-1][:2]
            yield from (_span(order_ns, *columns) for order_ns, _, *columns in found)


_MAX_NS: Final = (1 << 63) - 1


def _bounded(value: str | int | None) -> str | int | None:
    """What a database can hold: its times end in 2262."""
    return max(-_MAX_NS, min(value, _MAX_NS)) if isinstance(value, int) else value


def _span(
    order_ns: int,
    stream: str,
    session: str,
    label: str | None,
    gap: str | None,
    start_ns: int | None,
    end_ns: int,
    start_sample: int | None,
    last_sample: int,
    peak: float | None,
    playing: int,
) -> Span:
    in_session = start_sample is not None
    known_s = None if start_ns is None else (end_ns - start_ns) / 1e9
    return Span(
        stream=stream,
        session=session,
        label=label,
        start=None if start_ns is None else iso_time(start_ns),
        end=None if playing else iso_time(end_ns),
        start_sample=start_sample,
        end_sample=last_sample if not playing and (in_session or gap is None) else None,
        peak=peak,
        gap=gap,
        last_sample=last_sample,
        order_ns=order_ns,
        duration_s=(last_sample - start_sample) / SAMPLE_RATE_HZ if start_sample is not None else known_s,
    )


_EPOCH: Final = datetime(1970, 1, 1)


def iso_time(unix_ns: int) -> str:
    """A time as programs read it: ISO 8601 in UTC, to the millisecond.

    >>> iso_time(1_500_000_000)
    '1970-01-01T00:00:01.500Z'
    """
    time_utc = _EPOCH + timedelta(milliseconds=unix_ns // 1_000_000)
    return time_utc.isoformat(timespec="milliseconds") + "Z"


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
    # What cannot be printed, as an argument that is not UTF-8, is no session's id, and cannot be asked for.
    if query.session and not (query.session.isprintable() and _sessions(connection, query.stream, query.session)):
        of = f" of {query.stream!r}" if query.stream else ""
        raise _not_found(f"session {query.session!r}{of}", path, _sessions(connection, query.stream))


def _sessions(connection: sqlite3.Connection, stream: str | None, session: str | None = None) -> list[str]:
    """Those with the most recent messages, the newest first."""
    values = {"stream": stream, "session": session, "most": MOST_SHOWN}
    return [found for (found,) in connection.execute(_SESSIONS, values)]


def _not_found(what: str, path: Path, known: list[str]) -> DataError:
    return DataError(f"{what} not found in {path}; it has: {', '.join(known) or 'nothing yet'}")
